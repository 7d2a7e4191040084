// Joins cloud and cluster: an instance that boots becomes a machine, one that ends takes its Node with it.
import type { InstanceType } from '../model/instanceType.ts';
import { LABEL, UNREGISTERED_TAINT_KEY } from '../model/labels.ts';
import { lotLabels } from './cloudMarket.ts';
import type { Kubelets, MachineDescription } from './kubelets.ts';
import type { NodeLifecycle } from './nodeLifecycle.ts';
import type { ObjectStore } from './objectStore.ts';
import type { SimulatedCloud, SimulatedInstance } from './simulatedCloud.ts';
import type { VirtualClock } from './virtualClock.ts';

/** A node that Cooper does not own: it is there, Ready, from the start. */
export interface StaticNode {
  readonly name: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface MachineRoom {
  readonly clock: VirtualClock;
  readonly store: ObjectStore;
  readonly cloud: SimulatedCloud;
  readonly kubelets: Kubelets;
  readonly lifecycle: NodeLifecycle;
}

/** How long a kubelet takes to come back after its Node is gone, or under its new name. */
const REJOIN_MS = 3000;

/** From now on instances that change state do so to their machines. */
export function connectMachines(room: MachineRoom): void {
  const { cloud, store, kubelets, lifecycle } = room;
  /** A machine that has registered twice may have two Nodes. */
  const nodesOf = ({ nodeName, instance }: SimulatedInstance): ReadonlySet<string> => {
    const joined = [...store.values('node')].filter(({ providerId }) => providerId === instance.providerId);
    return new Set([nodeName, ...joined.map(({ name }) => name)]);
  };
  cloud.observe({
    changed: (held) => {
      switch (held.instance.state) {
        case 'running':
          kubelets.join(machineOf(held), { becomesReady: !held.mishaps.isNeverReady });
          if (held.mishaps.again !== null) registerAgainLater(room, held, held.mishaps.again);
          break;
        case 'shutting-down':
          for (const name of nodesOf(held)) {
            kubelets.halt(name);
            lifecycle.fellSilent(name);
          }
          break;
        case 'terminated':
          for (const name of nodesOf(held)) lifecycle.instanceTerminated(name);
          break;
        default:
          break;
      }
    },
  });
}

/** The Node is removed under its kubelet, or the machine restarts under a new name: either way it joins once more. */
function registerAgainLater(
  { clock, store, kubelets, lifecycle }: MachineRoom,
  held: SimulatedInstance,
  { kind, afterMs }: NonNullable<SimulatedInstance['mishaps']['again']>,
): void {
  clock.after(afterMs, () => {
    if (held.instance.state !== 'running') return;
    const before = held.nodeName;
    kubelets.forget(before);
    if (kind === 'deleted') store.remove('node', before);
    else {
      lifecycle.fellSilent(before);
      held.nodeName = `${before}-again`;
    }
    clock.after(REJOIN_MS, () => {
      if (held.instance.state !== 'running') return;
      kubelets.join(machineOf(held), { becomesReady: !held.mishaps.isNeverReady });
    });
  });
}

/** What user data gives the kubelet: the claim's labels and taints, and the boot taint. */
function machineOf({ claim, lot, nodeName, instance }: SimulatedInstance): MachineDescription {
  return {
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
  };
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
