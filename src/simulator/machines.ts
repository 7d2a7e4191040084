// Joins cloud and cluster: an instance that boots becomes a machine, one that ends takes its Node with it.
import type { InstanceType } from '../model/instanceType.ts';
import { LABEL, UNREGISTERED_TAINT_KEY } from '../model/labels.ts';
import { lotLabels } from './cloudMarket.ts';
import type { Kubelets } from './kubelets.ts';
import type { NodeLifecycle } from './nodeLifecycle.ts';
import type { SimulatedCloud, SimulatedInstance } from './simulatedCloud.ts';

/** A node that Cooper does not own: it is there, Ready, from the start. */
export interface StaticNode {
  readonly name: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface MachineRoom {
  readonly cloud: SimulatedCloud;
  readonly kubelets: Kubelets;
  readonly lifecycle: NodeLifecycle;
}

/** From now on instances that change state do so to their machines. */
export function connectMachines({ cloud, kubelets, lifecycle }: MachineRoom): void {
  cloud.observe({
    changed: (held) => {
      switch (held.instance.state) {
        case 'running':
          bootMachine(kubelets, held);
          break;
        case 'shutting-down':
          kubelets.halt(held.nodeName);
          lifecycle.fellSilent(held.nodeName);
          break;
        case 'terminated':
          lifecycle.instanceTerminated(held.nodeName);
          break;
        default:
          break;
      }
    },
  });
}

/** The kubelet starts with what user data gives it: the claim's labels and taints, and the boot taint. */
function bootMachine(kubelets: Kubelets, { claim, lot, nodeName, instance }: SimulatedInstance): void {
  kubelets.join({
    nodeName,
    providerId: instance.providerId,
    labels: {
      ...lotLabels(lot, nodeName),
      ...claim.spec.labels,
      [LABEL.provisioner]: claim.spec.provisioner,
      [LABEL.capacityType]: instance.capacityType,
    },
    taints: [...claim.spec.taints, { key: UNREGISTERED_TAINT_KEY, value: '', effect: 'NoExecute' }],
    startupTaints: claim.spec.startupTaints,
    capacity: instance.capacity,
    allocatable: instance.allocatable,
  });
}

/** Puts a node of that type into the cluster; throws when the catalogue has no such type or zone. */
export function joinStaticNode(
  kubelets: Kubelets,
  types: readonly InstanceType[],
  { name, instanceType, zone, labels }: StaticNode,
): void {
  const type = types.find((one) => one.name === instanceType);
  if (type === undefined) {
    throw new Error(`static node ${name}: the catalogue has no ${instanceType}; name a type that it has`);
  }
  const offering = { zone, capacityType: 'on-demand', usdPerHour: 0, available: true } as const;
  kubelets.joinReady({
    nodeName: name,
    providerId: `aws:///${zone}/i-static-${name}`,
    labels: { ...lotLabels({ type, offering }, name), ...labels },
    taints: [],
    startupTaints: [],
    capacity: type.capacity,
    allocatable: type.allocatable,
  });
}
