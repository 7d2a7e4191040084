// Builders of model objects for tests: each one gives a valid, boring object, and takes what the test is about.
import { NO_CONSOLIDATION } from '../src/model/disruptionPolicy.ts';
import type { InstanceType, Offering } from '../src/model/instanceType.ts';
import { LABEL } from '../src/model/labels.ts';
import type { Node } from '../src/model/node.ts';
import type { NodeClaim } from '../src/model/nodeClaim.ts';
import { NO_STATUS } from '../src/model/nodeClaim.ts';
import type { NodeClass } from '../src/model/nodeClass.ts';
import type { Pod, PodSpec } from '../src/model/pod.ts';
import type { Provisioner } from '../src/model/provisioner.ts';
import type { Resources } from '../src/model/resources.ts';
import type { ClusterSnapshot } from '../src/model/snapshot.ts';
import type { DaemonSet } from '../src/model/workloads.ts';

export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;

/** What tests usually say of a pod, flattened; anything else goes into `spec` or the pod itself. */
export type PodFields = Partial<Omit<Pod, 'spec'>> & {
  readonly cpuMillis?: number;
  readonly memoryBytes?: number;
  /** Further resources beside cpu, memory and pods. */
  readonly requests?: Resources;
  readonly spec?: Partial<PodSpec>;
};

/** A spec that asks for nothing but the resources given. */
export function aPodSpec(fields: Partial<PodSpec> = {}): PodSpec {
  return {
    requests: { cpu: 100, memory: 128 * MIB, pods: 1 },
    nodeSelector: {},
    nodeAffinity: null,
    preferredNodeAffinity: [],
    tolerations: [],
    podAffinity: [],
    podAntiAffinity: [],
    preferredPodAffinity: [],
    preferredPodAntiAffinity: [],
    topologySpread: [],
    hostPorts: [],
    volumes: [],
    schedulerName: 'default-scheduler',
    priority: 0,
    terminationGraceSeconds: 30,
    ...fields,
  };
}

/** A pending pod that the scheduler has marked unschedulable; 100m and 128Mi unless told. */
export function aPod(fields: PodFields = {}): Pod {
  const { cpuMillis, memoryBytes, requests, spec, ...rest } = fields;
  const name = rest.name ?? 'pod';
  return {
    namespace: 'default',
    name,
    uid: `uid-${name}`,
    labels: {},
    annotations: {},
    owner: null,
    createdAtMs: 0,
    phase: 'Pending',
    ready: false,
    nodeName: '',
    nominatedNodeName: '',
    unschedulableSinceMs: 0,
    schedulingGated: false,
    deletionRequestedAtMs: null,
    mirror: false,
    ...rest,
    spec: aPodSpec({
      requests: { cpu: cpuMillis ?? 100, memory: memoryBytes ?? 128 * MIB, pods: 1, ...requests },
      ...spec,
    }),
  };
}

/** `count` pods that share one spec, as a ReplicaSet makes them: named `<name>-0`, `<name>-1`, … */
export function somePods(count: number, fields: PodFields = {}): Pod[] {
  const one = aPod(fields);
  return Array.from({ length: count }, (_, index) => ({
    ...one,
    name: `${one.name}-${index}`,
    uid: `${one.uid}-${index}`,
  }));
}

/** A running pod on that node. */
export function aBoundPod(nodeName: string, fields: PodFields = {}): Pod {
  return aPod({ phase: 'Running', ready: true, unschedulableSinceMs: null, ...fields, nodeName });
}

/** The Provisioner `default`, on-demand, amd64, linux, without limits, taints or time to live. */
export function aProvisioner(fields: Partial<Provisioner> = {}): Provisioner {
  const name = fields.name ?? 'default';
  return {
    name,
    uid: `uid-${name}`,
    generation: 1,
    labels: {},
    annotations: {},
    taints: [],
    startupTaints: [],
    requirements: [
      { key: LABEL.capacityType, operator: 'In', values: ['on-demand'] },
      { key: LABEL.arch, operator: 'In', values: ['amd64'] },
      { key: LABEL.os, operator: 'In', values: ['linux'] },
    ],
    kubelet: {},
    nodeClassRef: { kind: 'AWSNodeTemplate', name: 'default' },
    ttlAfterEmptyMs: null,
    ttlUntilExpiredMs: null,
    disruption: NO_CONSOLIDATION,
    terminationGracePeriodMs: null,
    suspended: false,
    limits: null,
    weight: 0,
    deletionRequestedAtMs: null,
    ...fields,
  };
}

export const ZONES = ['us-east-1a', 'us-east-1b', 'us-east-1c'] as const;

/** What tests usually say of an instance type; the rest follows from it. */
export type InstanceTypeFields = Partial<InstanceType> & {
  readonly cpuMillis?: number;
  readonly memoryBytes?: number;
  readonly pods?: number;
  readonly arch?: string;
  /** On-demand price in all zones; spot costs 40 % of it. */
  readonly usdPerHour?: number;
  readonly zones?: readonly string[];
};

/** `m5.large`-like: 2 vCPU, 8 GiB, 29 pods, 0.096 $/h on demand in three zones, nothing kept back. */
export function anInstanceType(fields: InstanceTypeFields = {}): InstanceType {
  const { cpuMillis, memoryBytes, pods, arch, usdPerHour, zones, ...rest } = fields;
  const name = rest.name ?? 'm5.large';
  const [family = '', size = ''] = name.split('.');
  const capacity = rest.capacity ?? {
    cpu: cpuMillis ?? 2000,
    memory: memoryBytes ?? 8 * GIB,
    pods: pods ?? 29,
    'ephemeral-storage': 20 * GIB,
  };
  const label = (key: string, value: string) => ({ key, operator: 'In' as const, values: [value] });
  return {
    name,
    requirements: [
      label(LABEL.instanceType, name),
      label(LABEL.arch, arch ?? 'amd64'),
      label(LABEL.os, 'linux'),
      label(LABEL.instanceCategory, family.slice(0, 1)),
      label(LABEL.instanceFamily, family),
      label(LABEL.instanceSize, size),
      label(LABEL.instanceCpu, String(Math.round((capacity['cpu'] ?? 0) / 1000))),
    ],
    capacity,
    allocatable: capacity,
    offerings: (zones ?? ZONES).flatMap((zone) => offeringsIn(zone, usdPerHour ?? 0.096)),
    ...rest,
  };
}

function offeringsIn(zone: string, usdPerHour: number): Offering[] {
  return [
    { zone, capacityType: 'on-demand', usdPerHour, available: true },
    { zone, capacityType: 'spot', usdPerHour: usdPerHour * 0.4, available: true },
  ];
}

/** A ready, empty, unowned node of 2 vCPU and 8 GiB in us-east-1a. */
export function aNode(fields: Partial<Node> = {}): Node {
  const name = fields.name ?? 'node';
  const capacity = { cpu: 2000, memory: 8 * GIB, pods: 29, 'ephemeral-storage': 20 * GIB };
  return {
    name,
    uid: `uid-${name}`,
    resourceVersion: '1',
    providerId: `aws:///us-east-1a/i-${name}`,
    annotations: {},
    taints: [],
    unschedulable: false,
    capacity,
    allocatable: capacity,
    conditions: [{ type: 'Ready', status: 'True', sinceMs: 0 }],
    finalizers: [],
    createdAtMs: 0,
    deletionRequestedAtMs: null,
    ...fields,
    labels: {
      [LABEL.hostname]: name,
      [LABEL.zone]: 'us-east-1a',
      [LABEL.arch]: 'amd64',
      [LABEL.os]: 'linux',
      ...fields.labels,
    },
  };
}

/** A node of the Provisioner `default`, initialized. */
export function anOwnedNode(fields: Partial<Node> = {}): Node {
  return aNode({
    ...fields,
    labels: {
      [LABEL.provisioner]: 'default',
      [LABEL.initialized]: 'true',
      [LABEL.capacityType]: 'on-demand',
      [LABEL.instanceType]: 'm5.large',
      ...fields.labels,
    },
  });
}

/** A claim of the Provisioner `default` for an m5.large, stored and not yet launched. */
export function aNodeClaim(fields: Partial<NodeClaim> = {}): NodeClaim {
  const name = fields.name ?? 'claim';
  return {
    name,
    uid: `uid-${name}`,
    resourceVersion: '1',
    finalizers: ['karpenter.sh/termination'],
    createdAtMs: 0,
    deletionRequestedAtMs: null,
    emptySinceMs: null,
    spec: {
      provisioner: 'default',
      nodeClassRef: { kind: 'AWSNodeTemplate', name: 'default' },
      labels: { [LABEL.provisioner]: 'default' },
      annotations: {},
      taints: [],
      startupTaints: [],
      kubelet: {},
      requirements: [
        { key: LABEL.instanceType, operator: 'In', values: ['m5.large'] },
        { key: LABEL.zone, operator: 'In', values: ['us-east-1a'] },
        { key: LABEL.capacityType, operator: 'In', values: ['on-demand'] },
        { key: LABEL.arch, operator: 'In', values: ['amd64'] },
        { key: LABEL.os, operator: 'In', values: ['linux'] },
      ],
      instanceTypes: ['m5.large'],
      requests: { cpu: 100, memory: 128 * MIB, pods: 1 },
    },
    status: NO_STATUS,
    ...fields,
  };
}

/** The AWSNodeTemplate `default`. */
export function aNodeClass(fields: Partial<NodeClass> = {}): NodeClass {
  return {
    key: 'AWSNodeTemplate/default',
    generation: 1,
    subnetSelector: { 'karpenter.sh/discovery': 'test' },
    securityGroupSelector: { 'karpenter.sh/discovery': 'test' },
    instanceProfile: 'node-profile',
    amiFamily: null,
    amiSelector: {},
    userData: null,
    launchTemplate: null,
    tags: {},
    metadataOptions: null,
    blockDevices: [],
    detailedMonitoring: false,
    context: null,
    ...fields,
  };
}

/** A DaemonSet of 100m and 128Mi that tolerates nothing. */
export function aDaemonSet(
  fields: Partial<Omit<DaemonSet, 'spec'>> & { spec?: Partial<PodSpec> } = {},
): DaemonSet {
  const { spec, ...rest } = fields;
  return { namespace: 'kube-system', name: 'daemon', labels: {}, ...rest, spec: aPodSpec(spec) };
}

/** A cluster with the Provisioner `default` and nothing else. */
export function aSnapshot(fields: Partial<ClusterSnapshot> = {}): ClusterSnapshot {
  return {
    takenAtMs: 0,
    provisioners: [aProvisioner()],
    nodeClasses: [aNodeClass()],
    nodes: [],
    nodeClaims: [],
    pods: [],
    daemonSets: [],
    namespaces: [{ name: 'default', labels: { 'kubernetes.io/metadata.name': 'default' } }],
    disruptionBudgets: [],
    persistentVolumes: [],
    persistentVolumeClaims: [],
    storageClasses: [],
    csiNodes: [],
    ...fields,
  };
}
