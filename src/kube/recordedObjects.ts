// What a recording keeps of each object: named fields only. Whatever is not named here never gets past this file.
import { asRaw, objectIn, type Raw, textIn } from '../api/objects/raw.ts';
import { ANNOTATION, CLAIM_ANNOTATION } from '../model/labels.ts';

/** A field that is kept whole, an object of kept fields, or a list of such. */
type Shape = 'whole' | FieldShapes | ListShape;

interface FieldShapes {
  readonly [field: string]: Shape;
}

/** A list whose members are kept by one shape; with `only`, those alone that have one of these fields. */
class ListShape {
  readonly member: Shape;
  readonly only: readonly string[] | null;

  constructor(member: Shape, only: readonly string[] | null = null) {
    this.member = member;
    this.only = only;
  }

  keeps(raw: Raw | null): boolean {
    return this.only === null || this.only.some((field) => asRaw(raw?.[field]) !== null);
  }
}

function listOf(member: Shape): ListShape {
  return new ListShape(member);
}

/** Environment, commands, arguments, images, probes, mounts and security contexts are not among them. */
const CONTAINER: Shape = {
  name: 'whole',
  resources: { requests: 'whole', limits: 'whole' },
  ports: listOf({ containerPort: 'whole', hostPort: 'whole', hostIP: 'whole', protocol: 'whole' }),
  restartPolicy: 'whole',
};

const CONTAINER_STATUS: Shape = {
  name: 'whole',
  resources: { requests: 'whole', limits: 'whole' },
  allocatedResources: 'whole',
};

/** Of the volumes only those that tie a pod to a place: no Secret, ConfigMap or host path is even named. */
const VOLUME: Shape = {
  name: 'whole',
  persistentVolumeClaim: { claimName: 'whole' },
  ephemeral: { volumeClaimTemplate: { spec: { storageClassName: 'whole' } } },
};

const POD_SPEC: Shape = {
  nodeName: 'whole',
  nodeSelector: 'whole',
  affinity: 'whole',
  tolerations: 'whole',
  topologySpreadConstraints: 'whole',
  schedulerName: 'whole',
  schedulingGates: 'whole',
  priority: 'whole',
  preemptionPolicy: 'whole',
  overhead: 'whole',
  hostNetwork: 'whole',
  terminationGracePeriodSeconds: 'whole',
  resources: { requests: 'whole', limits: 'whole' },
  containers: listOf(CONTAINER),
  initContainers: listOf(CONTAINER),
  volumes: new ListShape(VOLUME, ['persistentVolumeClaim', 'ephemeral']),
};

const CONDITION: Shape = { type: 'whole', status: 'whole', reason: 'whole', lastTransitionTime: 'whole' };

/** By kind, beside metadata. */
const SHAPES: Readonly<Record<string, Shape>> = {
  Pod: {
    spec: POD_SPEC,
    status: {
      phase: 'whole',
      nominatedNodeName: 'whole',
      resources: { requests: 'whole', limits: 'whole' },
      conditions: listOf(CONDITION),
      containerStatuses: listOf(CONTAINER_STATUS),
      initContainerStatuses: listOf(CONTAINER_STATUS),
    },
  },
  DaemonSet: { spec: { selector: 'whole', template: { metadata: { labels: 'whole' }, spec: POD_SPEC } } },
  Node: {
    spec: { providerID: 'whole', taints: 'whole', unschedulable: 'whole' },
    status: { capacity: 'whole', allocatable: 'whole', conditions: listOf(CONDITION) },
  },
  Namespace: {},
  PodDisruptionBudget: {
    spec: { selector: 'whole', minAvailable: 'whole', maxUnavailable: 'whole' },
    status: { disruptionsAllowed: 'whole', currentHealthy: 'whole', desiredHealthy: 'whole' },
  },
  PersistentVolume: {
    spec: {
      nodeAffinity: 'whole',
      storageClassName: 'whole',
      csi: { driver: 'whole' },
      awsElasticBlockStore: { fsType: 'whole' },
    },
  },
  PersistentVolumeClaim: { spec: { volumeName: 'whole', storageClassName: 'whole' } },
  StorageClass: { provisioner: 'whole', volumeBindingMode: 'whole', allowedTopologies: 'whole' },
  CSINode: { spec: { drivers: listOf({ name: 'whole', allocatable: { count: 'whole' } }) } },
  Provisioner: {
    spec: {
      requirements: 'whole',
      labels: 'whole',
      taints: 'whole',
      startupTaints: 'whole',
      ttlSecondsAfterEmpty: 'whole',
      ttlSecondsUntilExpired: 'whole',
      limits: 'whole',
      weight: 'whole',
      consolidation: 'whole',
      disruption: 'whole',
      terminationGracePeriod: 'whole',
      suspend: 'whole',
      schedule: 'whole',
      kubeletConfiguration: 'whole',
      providerRef: 'whole',
      provider: nodeClassSpec(),
    },
    // Without the hint: an excerpt of a console may say anything.
    status: {
      launchFailures: {
        configuration: 'whole',
        imageIDs: 'whole',
        nodes: 'whole',
        pauses: 'whole',
        pausedAt: 'whole',
        retryAt: 'whole',
      },
    },
  },
  AWSNodeTemplate: { spec: nodeClassSpec() },
  NodeClaim: {
    spec: {
      provisioner: 'whole',
      nodeClassRef: 'whole',
      labels: 'whole',
      taints: 'whole',
      startupTaints: 'whole',
      kubelet: 'whole',
      requirements: 'whole',
      instanceTypes: 'whole',
      resources: 'whole',
      terminationGracePeriod: 'whole',
      launchGroup: 'whole',
    },
    status: {
      providerID: 'whole',
      nodeName: 'whole',
      instanceType: 'whole',
      zone: 'whole',
      capacityType: 'whole',
      imageID: 'whole',
      usdPerHour: 'whole',
      capacity: 'whole',
      allocatable: 'whole',
      conditions: listOf(CONDITION),
    },
  },
};

/** User data may hold credentials, and tags what they please. */
function nodeClassSpec(): Shape {
  return {
    apiVersion: 'whole',
    kind: 'whole',
    subnetSelector: 'whole',
    securityGroupSelector: 'whole',
    instanceProfile: 'whole',
    amiFamily: 'whole',
    amiSelector: 'whole',
    launchTemplate: 'whole',
    metadataOptions: 'whole',
    blockDeviceMappings: 'whole',
    detailedMonitoring: 'whole',
    instanceStorePolicy: 'whole',
  };
}

const METADATA: Shape = {
  name: 'whole',
  namespace: 'whole',
  uid: 'whole',
  generation: 'whole',
  labels: 'whole',
  creationTimestamp: 'whole',
  deletionTimestamp: 'whole',
  deletionGracePeriodSeconds: 'whole',
  ownerReferences: listOf({
    apiVersion: 'whole',
    kind: 'whole',
    name: 'whole',
    uid: 'whole',
    controller: 'whole',
  }),
};

/** Their values decide, and can only be what is listed; every other annotation loses its value and name. */
const DECIDING: ReadonlySet<string> = new Set([
  ...Object.values(ANNOTATION),
  'controller.kubernetes.io/pod-deletion-cost',
  'storageclass.kubernetes.io/is-default-class',
]);
/** Yes or no, a number, a duration, an instant. */
const HARMLESS_VALUE = /^(true|false|-?\d{1,10}|(\d{1,9}(ms|s|m|h|d)){1,4}|\d{4}-\d\d-\d\dT[\d:.]{5,18}Z)$/;
/** Written by Cooper itself: names of claims, and why they go. */
const OUR_OWN: ReadonlySet<string> = new Set(Object.values(CLAIM_ANNOTATION));
/** That it is there says that the pod is a static one; its value is a hash. */
const MIRROR = 'kubernetes.io/config.mirror';

/**
 * A manifest with nothing in it but what decisions look at.
 * @param kind as in manifests
 * @param object as the API server sent it
 */
export function recordedObject(kind: string, apiVersion: string, object: Raw): Raw {
  const kept = keptFields(object, SHAPES[kind] ?? {}) as Raw;
  const metadata = keptFields(objectIn(object, 'metadata') ?? {}, METADATA) as Raw;
  const annotations = keptAnnotations(objectIn(objectIn(object, 'metadata'), 'annotations'));
  return {
    apiVersion,
    kind,
    metadata: annotations === null ? metadata : { ...metadata, annotations },
    ...kept,
  };
}

function keptFields(value: unknown, shape: Shape): unknown {
  if (shape === 'whole') return value;
  if (shape instanceof ListShape) {
    const members = Array.isArray(value) ? value : [];
    return members.filter((member) => shape.keeps(asRaw(member))).map((one) => keptFields(one, shape.member));
  }
  const raw = asRaw(value);
  if (raw === null) return {};
  const fields = Object.entries(shape).filter(([field]) => raw[field] !== undefined && raw[field] !== null);
  return Object.fromEntries(fields.map(([field, inner]) => [field, keptFields(raw[field], inner)]));
}

function keptAnnotations(annotations: Raw | null): Raw | null {
  if (annotations === null) return null;
  const kept = Object.keys(annotations).flatMap((name): [string, string][] => {
    if (name === MIRROR) return [[name, '']];
    const value = textIn(annotations, name);
    if (OUR_OWN.has(name)) return [[name, value]];
    return DECIDING.has(name) && HARMLESS_VALUE.test(value) ? [[name, value]] : [];
  });
  return kept.length === 0 ? null : Object.fromEntries(kept);
}
