// NodeClaims as they are stored, turned into the model and back.
import { formatDuration, parseDurationMs } from '../model/duration.ts';
import { ANNOTATION, CLAIM_ANNOTATION, LABEL, TERMINATION_FINALIZER } from '../model/labels.ts';
import type { NodeClaim, NodeClaimCondition, NodeClaimSpec, NodeClaimStatus } from '../model/nodeClaim.ts';
import type { Requirement } from '../model/requirement.ts';
import { formatResources } from '../model/resources.ts';
import type { Taint } from '../model/taint.ts';
import { checkManifest } from './manifest.ts';
import { objectIn, type Raw, textIn, timeMsIn } from './objects/raw.ts';
import type { Parsed } from './parsed.ts';
import { readAmounts, readKubelet, readTaint, writeKubelet } from './parts.ts';
import { AWS_NODE_TEMPLATE } from './schemas/awsNodeTemplate.ts';
import { NODE_CLAIM } from './schemas/nodeClaim.ts';
import { PROVISIONER } from './schemas/provisioner.ts';
import { apiVersionOf } from './schemas/schema.ts';
import type {
  WireCondition,
  WireNodeClaimSpec,
  WireNodeClaimStatus,
  WireRequirement,
  WireTaint,
} from './wire.ts';

/** Parses a NodeClaim as `nodeClaimManifest` writes it. Never throws, whatever the JSON. */
export function parseNodeClaim(manifest: unknown): Parsed<NodeClaim> {
  const checked = checkManifest<WireNodeClaimSpec, WireNodeClaimStatus>(NODE_CLAIM, manifest, 'read');
  if (checked.kind === 'invalid') return checked;
  const { metadata, spec, status } = checked.value;
  const { name, uid, resourceVersion, finalizers, createdAtMs, deletionRequestedAtMs } = metadata;
  const annotations = objectIn(metadata.raw, 'annotations');
  return {
    kind: 'valid',
    value: {
      name,
      uid,
      resourceVersion,
      finalizers,
      createdAtMs,
      deletionRequestedAtMs,
      emptySinceMs: timeMsIn(annotations, ANNOTATION.emptinessTimestamp),
      ...ourAnnotations(annotations),
      spec: readSpec(spec),
      status: readStatus(status),
    },
  };
}

function ourAnnotations(annotations: Raw | null): Pick<NodeClaim, 'annotations'> {
  const ours = Object.values(CLAIM_ANNOTATION).flatMap((name): [string, string][] => {
    const value = textIn(annotations, name);
    return value === '' ? [] : [[name, value]];
  });
  return ours.length === 0 ? {} : { annotations: Object.fromEntries(ours) };
}

function readSpec(spec: WireNodeClaimSpec): NodeClaimSpec {
  return {
    provisioner: spec.provisioner,
    nodeClassRef: { kind: spec.nodeClassRef.kind, name: spec.nodeClassRef.name },
    labels: spec.labels ?? {},
    annotations: spec.annotations ?? {},
    taints: (spec.taints ?? []).map(readTaint),
    startupTaints: (spec.startupTaints ?? []).map(readTaint),
    kubelet: readKubelet(spec.kubelet),
    requirements: spec.requirements.map(readStoredRequirement),
    instanceTypes: spec.instanceTypes,
    requests: readAmounts(spec.resources?.requests),
    ...readGracePeriod(spec),
    ...(spec.launchGroup === undefined ? {} : { launchGroup: spec.launchGroup }),
  };
}

function readGracePeriod({
  terminationGracePeriod,
}: WireNodeClaimSpec): Pick<NodeClaimSpec, 'terminationGracePeriodMs'> {
  const terminationGracePeriodMs = parseDurationMs(terminationGracePeriod ?? '');
  return terminationGracePeriodMs === null ? {} : { terminationGracePeriodMs };
}

/** What we stored comes back as it was: keys have their modern name since the Provisioner was read. */
function readStoredRequirement({ values = [], ...requirement }: WireRequirement): Requirement {
  return { ...requirement, values };
}

function readStatus(status: WireNodeClaimStatus): NodeClaimStatus {
  return {
    providerId: status.providerID ?? '',
    nodeName: status.nodeName ?? '',
    instanceType: status.instanceType ?? '',
    zone: status.zone ?? '',
    capacityType: status.capacityType ?? null,
    imageId: status.imageID ?? '',
    usdPerHour: status.usdPerHour ?? null,
    capacity: readAmounts(status.capacity),
    allocatable: readAmounts(status.allocatable),
    conditions: (status.conditions ?? []).filter(isOurs).map(readCondition),
  };
}

const CONDITION_TYPES: readonly string[] = [
  'Launched',
  'Registered',
  'Initialized',
  'Drained',
  'VolumesDetached',
  'InstanceTerminating',
  'Drifted',
] satisfies NodeClaimCondition['type'][];

type OurCondition = WireCondition & Pick<NodeClaimCondition, 'type'>;

/** Conditions that others put there are theirs: left alone when the status is read, gone when it is written. */
function isOurs(condition: WireCondition): condition is OurCondition {
  return CONDITION_TYPES.includes(condition.type);
}

function readCondition({
  type,
  status,
  reason,
  message,
  lastTransitionTime,
}: OurCondition): NodeClaimCondition {
  const sinceMs = Date.parse(lastTransitionTime ?? '');
  return {
    type,
    status,
    reason: reason ?? '',
    message: message ?? '',
    sinceMs: Number.isNaN(sinceMs) ? 0 : sinceMs,
  };
}

/** What a new NodeClaim is made from: its name, its spec and the uid of the Provisioner that owns it. */
export interface NewNodeClaim {
  readonly name: string;
  readonly spec: NodeClaimSpec;
  readonly ownerUid: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * The manifest of a new NodeClaim, without a status. Deleting its Provisioner deletes it, and its finalizer keeps
 * it until the instance is gone.
 */
export function nodeClaimManifest({ name, spec, ownerUid, annotations }: NewNodeClaim): object {
  return {
    apiVersion: apiVersionOf(NODE_CLAIM),
    kind: NODE_CLAIM.kind,
    metadata: {
      name,
      labels: { [LABEL.provisioner]: spec.provisioner },
      ...(annotations === undefined ? {} : { annotations }),
      finalizers: [TERMINATION_FINALIZER],
      ownerReferences: [
        {
          apiVersion: apiVersionOf(PROVISIONER),
          kind: PROVISIONER.kind,
          name: spec.provisioner,
          uid: ownerUid,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: writeSpec(spec),
  };
}

function writeSpec(spec: NodeClaimSpec): WireNodeClaimSpec {
  const { kind, name } = spec.nodeClassRef;
  const { group } = kind === 'Provisioner' ? PROVISIONER : AWS_NODE_TEMPLATE;
  return {
    provisioner: spec.provisioner,
    nodeClassRef: { group, kind, name },
    labels: spec.labels,
    annotations: spec.annotations,
    taints: spec.taints.map(writeTaint),
    startupTaints: spec.startupTaints.map(writeTaint),
    kubelet: writeKubelet(spec.kubelet),
    requirements: spec.requirements,
    instanceTypes: spec.instanceTypes,
    resources: { requests: formatResources(spec.requests) },
    ...(spec.terminationGracePeriodMs === undefined
      ? {}
      : { terminationGracePeriod: formatDuration(spec.terminationGracePeriodMs) }),
    ...(spec.launchGroup === undefined ? {} : { launchGroup: spec.launchGroup }),
  };
}

function writeTaint({ key, value, effect }: Taint): WireTaint {
  return value === '' ? { key, effect } : { key, value, effect };
}

/** The status section of a NodeClaim, complete; what is not known yet is left out. */
export function nodeClaimStatusManifest(status: NodeClaimStatus): object {
  const { capacityType, usdPerHour } = status;
  return {
    ...writeKnownTexts({
      providerID: status.providerId,
      nodeName: status.nodeName,
      instanceType: status.instanceType,
      zone: status.zone,
      imageID: status.imageId,
    }),
    ...(capacityType === null ? {} : { capacityType }),
    ...(usdPerHour === null ? {} : { usdPerHour }),
    capacity: formatResources(status.capacity),
    allocatable: formatResources(status.allocatable),
    conditions: status.conditions.map(writeCondition),
  };
}

function writeKnownTexts(texts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ''));
}

function writeCondition({ type, status, reason, message, sinceMs }: NodeClaimCondition): WireCondition {
  return { type, status, reason, message, lastTransitionTime: new Date(sinceMs).toISOString() };
}
