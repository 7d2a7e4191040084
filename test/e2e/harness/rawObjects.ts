// Kubernetes objects as plain JSON for tests: where each kind is created, and pods and nodes built from few words.

export type RawObject = Readonly<Record<string, unknown>> & {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
};

const COLLECTIONS: Readonly<Record<string, readonly [path: string, apiVersion: string]>> = {
  Namespace: ['/api/v1/namespaces', 'v1'],
  Node: ['/api/v1/nodes', 'v1'],
  Pod: ['/api/v1/namespaces/*/pods', 'v1'],
  PersistentVolume: ['/api/v1/persistentvolumes', 'v1'],
  PersistentVolumeClaim: ['/api/v1/namespaces/*/persistentvolumeclaims', 'v1'],
  LimitRange: ['/api/v1/namespaces/*/limitranges', 'v1'],
  DaemonSet: ['/apis/apps/v1/namespaces/*/daemonsets', 'apps/v1'],
  StorageClass: ['/apis/storage.k8s.io/v1/storageclasses', 'storage.k8s.io/v1'],
  CSINode: ['/apis/storage.k8s.io/v1/csinodes', 'storage.k8s.io/v1'],
  RuntimeClass: ['/apis/node.k8s.io/v1/runtimeclasses', 'node.k8s.io/v1'],
  PriorityClass: ['/apis/scheduling.k8s.io/v1/priorityclasses', 'scheduling.k8s.io/v1'],
  Provisioner: ['/apis/karpenter.sh/v1alpha5/provisioners', 'karpenter.sh/v1alpha5'],
};

/** Path of the collection that the object belongs to, and the object with its apiVersion. */
export function creationOf(object: RawObject): { readonly path: string; readonly body: object } {
  const [path, apiVersion] = COLLECTIONS[object.kind] ?? ['', ''];
  if (path === '') throw new Error(`no path is known for ${object.kind}`);
  return {
    path: path.replace('*', object.metadata.namespace ?? 'default'),
    body: { ...object, apiVersion },
  };
}

export function pathOf(object: RawObject): string {
  return `${creationOf(object).path}/${object.metadata.name}`;
}

export interface RawPodFields {
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Quantities by resource; names with a slash become limits too, as the API server asks. */
  readonly requests?: Readonly<Record<string, string>>;
  readonly ports?: readonly object[];
  /** Anything else of the pod's spec. */
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** A pod of one container. */
export function rawPod({ namespace, name, labels, requests, ports, spec }: RawPodFields): RawObject {
  const limits = Object.fromEntries(
    Object.entries(requests ?? {}).filter(([key]) => key.includes('/') || key.startsWith('hugepages-')),
  );
  const resources = { requests: requests ?? {}, limits };
  const container = { name: 'main', image: 'app', resources, ...(ports === undefined ? {} : { ports }) };
  return {
    kind: 'Pod',
    metadata: { name, namespace, ...(labels === undefined ? {} : { labels }) },
    spec: { containers: [container], terminationGracePeriodSeconds: 0, ...spec },
  };
}

export interface RawNodeFields {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints?: readonly object[];
  readonly unschedulable?: boolean;
  /** Quantities by resource. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** A Node that is Ready and has its host name as label. */
export function rawNode({ name, labels, taints, unschedulable, allocatable }: RawNodeFields): RawObject {
  return {
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...labels } },
    spec: { taints: taints ?? [], unschedulable: unschedulable ?? false },
    status: {
      capacity: allocatable,
      allocatable,
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
    },
  };
}
