// Node and Lease objects as a kubelet and the cloud controller write them.
import { type Kube, KubeError, type NodeObject } from './kube.ts';
import type { Taint } from './userData.ts';

export interface NodeSpec {
  readonly name: string;
  readonly providerId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly capacity: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly ready: boolean;
}

export interface Place {
  readonly zone: string;
  readonly region: string;
  readonly instanceType: string;
  readonly arch: 'amd64' | 'arm64';
}

/** Labels that the kubelet and the cloud controller set by themselves. */
export function ownLabels(name: string, place: Place): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': place.arch,
    'beta.kubernetes.io/instance-type': place.instanceType,
    'beta.kubernetes.io/os': 'linux',
    'failure-domain.beta.kubernetes.io/region': place.region,
    'failure-domain.beta.kubernetes.io/zone': place.zone,
    'kubernetes.io/arch': place.arch,
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'node.kubernetes.io/instance-type': place.instanceType,
    'topology.kubernetes.io/region': place.region,
    'topology.kubernetes.io/zone': place.zone,
  };
}

function conditions(ready: boolean): object[] {
  const at = new Date().toISOString();
  const pressures = ['MemoryPressure', 'DiskPressure', 'PIDPressure'];
  const condition = (type: string, status: string, reason: string): object => ({
    type,
    status,
    reason,
    message: reason,
    lastHeartbeatTime: at,
    lastTransitionTime: at,
  });
  return [
    ...pressures.map((type) => condition(type, 'False', `KubeletHasNo${type}`)),
    condition('Ready', ready ? 'True' : 'False', ready ? 'KubeletReady' : 'KubeletNotReady'),
  ];
}

/** Creates the Node and its Lease. A Node of that name that is there already is taken over, as a kubelet does. */
export async function registerNode(kube: Kube, spec: NodeSpec): Promise<void> {
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: spec.name,
      labels: { ...spec.labels },
      // Kubelets leave volumes to the controller-manager, which attaches them only where they say so.
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: { providerID: spec.providerId, taints: spec.taints },
    status: {
      capacity: spec.capacity,
      allocatable: spec.allocatable,
      conditions: conditions(spec.ready),
      nodeInfo: {
        architecture: spec.labels['kubernetes.io/arch'] ?? 'amd64',
        operatingSystem: 'linux',
        osImage: 'Amazon Linux 2023',
        kubeletVersion: 'v1.36.3',
        kernelVersion: '6.12',
        containerRuntimeVersion: 'containerd://2.1',
        kubeProxyVersion: '',
        machineID: spec.name,
        systemUUID: spec.name,
        bootID: spec.name,
      },
    },
  };
  await unlessThere(kube.create('/api/v1/nodes', node));
  await unlessThere(
    kube.create('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: spec.name },
      spec: leaseSpec(spec.name),
    }),
  );
}

async function unlessThere(creation: Promise<unknown>): Promise<void> {
  await creation.catch((error: unknown) => {
    if (!(error instanceof KubeError && error.status === 409)) throw error;
  });
}

function leaseSpec(name: string): object {
  const renewTime = new Date().toISOString().replace('Z', '000Z'); // microseconds, as the API wants them
  return { holderIdentity: name, leaseDurationSeconds: 40, renewTime };
}

/** Heartbeat. A Lease that has gone is left alone. */
export async function renewLease(kube: Kube, nodeName: string): Promise<void> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${nodeName}`;
  await kube.patch(path, { spec: leaseSpec(nodeName) });
}

export async function reportReadiness(kube: Kube, nodeName: string, ready: boolean): Promise<void> {
  await kube.patch(
    `/api/v1/nodes/${nodeName}/status`,
    { status: { conditions: conditions(ready) } },
    'strategic',
  );
}

/** Takes taints off by key, as the daemon does that put them there as startup taints. */
export async function removeTaints(kube: Kube, nodeName: string, keys: readonly string[]): Promise<void> {
  const node = await kube.get<NodeObject>(`/api/v1/nodes/${nodeName}`);
  if (node === null) return;
  const taints = (node.spec.taints ?? []).filter((taint) => !keys.includes(taint.key));
  const metadata = { resourceVersion: node.metadata.resourceVersion };
  await kube.patch(`/api/v1/nodes/${nodeName}`, { metadata, spec: { taints } });
}
