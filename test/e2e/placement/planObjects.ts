// Objects that the plan scenarios are made of, each from few words.
import { type RawObject, type RawPodFields, rawNode, rawPod } from '../harness/rawObjects.ts';
import { zoneAffinity } from '../harness/volumeProvisioner.ts';

export type Fields = Omit<RawPodFields, 'namespace' | 'name'>;

export const ZONE = 'topology.kubernetes.io/zone';
export const HOSTNAME = 'kubernetes.io/hostname';
export const CAPACITY_TYPE = 'karpenter.sh/capacity-type';
export const FAMILY = 'karpenter.k8s.aws/instance-family';
export const CATEGORY = 'karpenter.k8s.aws/instance-category';
export const CPUS = 'karpenter.k8s.aws/instance-cpu';
export const ARCH = 'kubernetes.io/arch';
export const GPU = 'nvidia.com/gpu';
export const [A, B, C] = ['us-east-1a', 'us-east-1b', 'us-east-1c'];

export const isIn = (key: string, ...values: string[]): object => ({ key, operator: 'In', values });
export const requests = (cpu: string, memory: string): Record<string, string> => ({ cpu, memory });
export const app = (name: string): Record<string, string> => ({ app: name });
export const matching = (name: string): object => ({ matchLabels: app(name) });

export function replicas(namespace: string, name: string, count: number, fields: Fields = {}): RawObject[] {
  const labels = { ...app(name), ...fields.labels };
  return Array.from({ length: count }, (_, index) =>
    rawPod({ requests: requests('500m', '512Mi'), ...fields, namespace, name: `${name}-${index}`, labels }),
  );
}

/** A Provisioner of on-demand amd64 nodes of the families c5, m5 and r5 unless told otherwise. */
export function provisioner(name: string, spec: Readonly<Record<string, unknown>> = {}): RawObject {
  const { requirements, ...rest } = spec as { readonly requirements?: readonly object[] };
  const given = new Set((requirements ?? []).map((one) => (one as { readonly key: string }).key));
  const usual = [isIn(CAPACITY_TYPE, 'on-demand'), isIn(ARCH, 'amd64'), isIn(ZONE, A, B, C)];
  const families = given.has(CATEGORY) ? [] : [isIn(FAMILY, 'c5', 'm5', 'r5')];
  const all = [...usual, ...families].filter((one) => !given.has((one as { readonly key: string }).key));
  return {
    kind: 'Provisioner',
    metadata: { name },
    spec: { providerRef: { name: 'default' }, requirements: [...all, ...(requirements ?? [])], ...rest },
  };
}

/** A node that Cooper does not own. */
export function oldNode(
  name: string,
  zone: string,
  cpu: string,
  more: { taints?: object[]; labels?: object } = {},
) {
  return rawNode({
    name,
    labels: {
      [ZONE]: zone,
      [ARCH]: 'amd64',
      'node.kubernetes.io/instance-type': 'm5.xlarge',
      ...more.labels,
    },
    taints: more.taints ?? [],
    allocatable: { cpu, memory: '14Gi', pods: '58', 'ephemeral-storage': '50Gi' },
  });
}

export const onNode = (pods: readonly RawObject[], nodeName: string): RawObject[] =>
  pods.map((pod) => ({ ...pod, spec: { ...(pod.spec as object), nodeName } }));

export const nodeAffinity = (...nodeSelectorTerms: object[][]): object => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: nodeSelectorTerms.map((matchExpressions) => ({ matchExpressions })),
    },
  },
});
export const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
export const near = (name: string, topologyKey: string, more: object = {}): object => ({
  podAffinity: { [REQUIRED]: [{ labelSelector: matching(name), topologyKey, ...more }] },
});
export const apart = (name: string, topologyKey: string, more: object = {}): object => ({
  podAntiAffinity: { [REQUIRED]: [{ labelSelector: matching(name), topologyKey, ...more }] },
});
export const spread = (name: string, topologyKey: string, more: object = {}): object => ({
  topologyKey,
  maxSkew: 1,
  whenUnsatisfiable: 'DoNotSchedule',
  labelSelector: matching(name),
  ...more,
});
export const tolerates = (key: string, value: string): object => ({ key, operator: 'Equal', value });
export const taint = (key: string, value: string, effect = 'NoSchedule'): object => ({ key, value, effect });
export const claimVolume = (claimName: string): Record<string, unknown> => ({
  volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
});

export function storageClass(name: string, zones: readonly string[]): RawObject {
  const allowedTopologies = [{ matchLabelExpressions: [{ key: ZONE, values: zones }] }];
  return {
    kind: 'StorageClass',
    metadata: { name },
    provisioner: 'ebs.csi.aws.com',
    volumeBindingMode: 'WaitForFirstConsumer',
    ...(zones.length === 0 ? {} : { allowedTopologies }),
  };
}

export function claim(
  namespace: string,
  name: string,
  storageClassName: string,
  volumeName?: string,
): RawObject {
  const resources = { requests: { storage: '1Gi' } };
  const bound = volumeName === undefined ? {} : { volumeName };
  return {
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace },
    spec: { accessModes: ['ReadWriteOnce'], resources, storageClassName, ...bound },
  };
}

export function volume(
  name: string,
  claimed: { readonly namespace: string; readonly name: string },
  zone: string,
) {
  return {
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      storageClassName: 'by-hand',
      persistentVolumeReclaimPolicy: 'Retain',
      claimRef: { kind: 'PersistentVolumeClaim', ...claimed },
      csi: { driver: 'ebs.csi.aws.com', volumeHandle: name },
      nodeAffinity: zoneAffinity(zone),
    },
  };
}

export function daemonSet(namespace: string, name: string, fields: Fields): RawObject {
  const pod = rawPod({ ...fields, namespace, name });
  return {
    kind: 'DaemonSet',
    metadata: { name, namespace },
    spec: {
      selector: { matchLabels: { daemon: name } },
      template: {
        metadata: { labels: { daemon: name } },
        spec: { ...(pod.spec as object), terminationGracePeriodSeconds: 0 },
      },
    },
  };
}

export const container = (name: string, cpu: string, memory: string, more: object = {}): object => ({
  name,
  image: 'app',
  resources: { requests: requests(cpu, memory) },
  ...more,
});
