// Drift: nodes that are not what their Provisioner and node class would launch today.
import { CLAIM_ANNOTATION, isWellKnownLabel, LABEL } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { type NodeClass, type NodeClassTargets, nodeClassKey } from '../model/nodeClass.ts';
import type { Provisioner } from '../model/provisioner.ts';
import { allows, allowsAbsence, requirementSet, valueSet } from '../model/requirementSet.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { textHash } from '../model/textHash.ts';

/** Where an instance is in the network. */
export interface InstanceNetwork {
  readonly subnetId: string;
  readonly securityGroupIds: readonly string[];
}

/** What the snapshot cannot say; what is missing is not judged. */
export interface DriftFacts {
  /** By node class key. */
  readonly targets: ReadonlyMap<string, NodeClassTargets>;
  /** By node class key: the generation that the targets are of; absent for that of now. */
  readonly generations?: ReadonlyMap<string, number>;
  /** By provider id. */
  readonly networks: ReadonlyMap<string, InstanceNetwork>;
}

export const DRIFT_FACTS_NONE: DriftFacts = { targets: new Map(), networks: new Map() };

export type DriftReason =
  | 'TemplateDrifted'
  | 'NodeClassDrifted'
  | 'RequirementsDrifted'
  | 'ImageDrifted'
  | 'SubnetDrifted'
  | 'SecurityGroupsDrifted';

export interface Drift {
  readonly reason: DriftReason;
  /** One sentence: what differs. */
  readonly message: string;
}

export interface DriftDecision {
  /** By claim name. */
  readonly drifted: ReadonlyMap<string, Drift>;
  /** Claims that do not say what they were made from, or say it in another version's words: they are stamped anew. */
  readonly stamps: readonly { readonly claim: NodeClaim; readonly madeFrom: string }[];
}

/** Goes up whenever the hashes below are of something else: a hash of another version is never taken for drift. */
const VERSION = 'v1';
const HASH_LENGTH = 10;

/**
 * Which nodes have drifted, of Provisioners that want to know. What changes nothing about nodes that run (limits,
 * weight, disruption, lifetimes) is no drift, nor is an instance type that is sold no more.
 */
export function decideDrift(snapshot: ClusterSnapshot, facts: DriftFacts): DriftDecision {
  const provisioners = new Map(snapshot.provisioners.map((one) => [one.name, one]));
  const classes = new Map(snapshot.nodeClasses.map((one) => [one.key, one]));
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node]));
  const drifted = new Map<string, Drift>();
  const stamps: { claim: NodeClaim; madeFrom: string }[] = [];
  for (const claim of snapshot.nodeClaims) {
    const provisioner = provisioners.get(claim.spec.provisioner);
    if (provisioner === undefined || claim.deletionRequestedAtMs !== null) continue;
    const nodeClass = classes.get(nodeClassKey(provisioner.nodeClassRef));
    if (nodeClass === undefined || provisioner.disruption.drift.policy === 'Never') continue;
    if (!isOfThisVersion(claim)) stamps.push({ claim, madeFrom: madeFrom(provisioner, nodeClass) });
    if (claim.status.providerId === '') continue;
    const node = nodes.get(claim.status.nodeName);
    const drift =
      templateDrift(claim, provisioner, nodeClass) ??
      requirementsDrift(claim, node, provisioner) ??
      targetsDrift(claim, facts.targets.get(nodeClass.key), facts.networks.get(claim.status.providerId));
    if (drift !== null) drifted.set(claim.name, drift);
  }
  return { drifted, stamps };
}

/** What is written on a claim at its creation: version, hash of the Provisioner's template, hash of the node class. */
export function madeFrom(provisioner: Provisioner, nodeClass: NodeClass): string {
  return `${VERSION}/${cachedHash(provisioner, templateFields)}/${cachedHash(nodeClass, staticFields)}`;
}

function isOfThisVersion({ annotations }: NodeClaim): boolean {
  return annotations?.[CLAIM_ANNOTATION.madeFrom]?.startsWith(`${VERSION}/`) ?? false;
}

function templateDrift(claim: NodeClaim, provisioner: Provisioner, nodeClass: NodeClass): Drift | null {
  if (!isOfThisVersion(claim)) return null;
  const [, template, ofClass] = (claim.annotations?.[CLAIM_ANNOTATION.madeFrom] ?? '').split('/');
  const [, templateNow, ofClassNow] = madeFrom(provisioner, nodeClass).split('/');
  if (template !== templateNow) {
    const what = 'labels, annotations, taints, kubelet settings or node template have changed';
    return {
      reason: 'TemplateDrifted',
      message: `Provisioner ${provisioner.name}: ${what} since its launch`,
    };
  }
  if (ofClass === ofClassNow) return null;
  return { reason: 'NodeClassDrifted', message: `${nodeClass.key} has changed since its launch` };
}

/** What makes a node, and can be changed by launching another only. Requirements are compared by themselves. */
function templateFields(provisioner: Provisioner): object {
  const { labels, annotations, taints, startupTaints, kubelet, nodeClassRef } = provisioner;
  return {
    labels,
    annotations,
    taints: sorted(taints),
    startupTaints: sorted(startupTaints),
    kubelet,
    nodeClassRef,
  };
}

/** All but what stands for something else, which is compared as what it stands for: selectors of the account. */
function staticFields(nodeClass: NodeClass): object {
  const {
    key: _key,
    generation: _generation,
    subnetSelector: _subnets,
    securityGroupSelector: _groups,
    amiSelector: _images,
    capacityReservationSelector: _reservations,
    ...fields
  } = nodeClass;
  return fields;
}

const HASHES = new WeakMap<object, string>();

/** Objects of the state are replaced, never changed: each is hashed once. */
function cachedHash<T extends object>(object: T, fieldsOf: (object: T) => object): string {
  const held = HASHES.get(object);
  if (held !== undefined) return held;
  const hash = textHash(stableJson(fieldsOf(object)), HASH_LENGTH);
  HASHES.set(object, hash);
  return hash;
}

/** JSON with keys in order, so that the order in which a user wrote them changes nothing. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, held: unknown) => {
    if (typeof held !== 'object' || held === null || Array.isArray(held)) return held;
    return Object.fromEntries(Object.entries(held).sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}

function sorted(taints: Provisioner['taints']): Provisioner['taints'] {
  const keyOf = ({ key, effect, value }: (typeof taints)[number]): string => `${key}/${effect}/${value}`;
  return [...taints].sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}

/** A label that the node was never given is drift only where the requirement is new and nobody else sets the label. */
function requirementsDrift(
  { spec, status }: NodeClaim,
  node: Node | undefined,
  { name, requirements }: Provisioner,
): Drift | null {
  const known: Readonly<Record<string, string | undefined>> = {
    ...node?.labels,
    [LABEL.instanceType]: status.instanceType || undefined,
    [LABEL.zone]: status.zone || undefined,
    [LABEL.capacityType]: status.capacityType ?? undefined,
  };
  const planned = requirementSet(spec.requirements);
  for (const { key, operator, values } of requirements) {
    const set = valueSet(operator, values);
    const value = known[key];
    const isKept =
      value !== undefined
        ? allows(set, value)
        : allowsAbsence(set) || node === undefined || isWellKnownLabel(key) || planned.has(key);
    if (isKept) continue;
    const what = value === undefined ? `has no label ${key}` : `has ${key}=${value}`;
    const message = `Provisioner ${name}: its requirements have changed: the node ${what}`;
    return { reason: 'RequirementsDrifted', message };
  }
  return null;
}

function targetsDrift(
  { spec, status }: NodeClaim,
  targets: NodeClassTargets | undefined,
  network: InstanceNetwork | undefined,
): Drift | null {
  if (targets === undefined) return null;
  const key = nodeClassKey(spec.nodeClassRef);
  const { imageIds, subnetIds, securityGroupIds } = targets;
  if (imageIds !== null && status.imageId !== '' && !imageIds.includes(status.imageId)) {
    return { reason: 'ImageDrifted', message: `${key}: image ${status.imageId} is launched no more` };
  }
  if (network === undefined) return null;
  if (network.subnetId !== '' && !subnetIds.includes(network.subnetId)) {
    return {
      reason: 'SubnetDrifted',
      message: `${key}: subnet ${network.subnetId} is not selected any more`,
    };
  }
  if (securityGroupIds === null || network.securityGroupIds.length === 0) return null;
  const wanted = new Set(securityGroupIds);
  const held = new Set(network.securityGroupIds);
  if (wanted.symmetricDifference(held).size === 0) return null;
  const message = `${key}: security groups are ${list(held)}, and ${list(wanted)} are selected`;
  return { reason: 'SecurityGroupsDrifted', message };
}

function list(ids: ReadonlySet<string>): string {
  return [...ids].sort().join(', ');
}
