// Capacity that is there already: nodes, and claims on their way to become nodes.

import type { InstanceType } from '../model/instanceType.ts';
import { DISRUPTED_TAINT_KEY, LABEL, normalizeLabel, UNREGISTERED_TAINT_KEY } from '../model/labels.ts';
import type { Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { hasCondition } from '../model/nodeClaim.ts';
import { isOwnedByDaemonSet, isTerminal, type Pod, type PodSpec } from '../model/pod.ts';
import { allows, allowsAbsence, type RequirementSet, requirementSet } from '../model/requirementSet.ts';
import { addResources, type Resources, subtractResources } from '../model/resources.ts';
import type { Catalogue, ClusterSnapshot } from '../model/snapshot.ts';
import { type Taint, untoleratedTaint } from '../model/taint.ts';
import { compareText } from './compiledProvisioner.ts';
import { requirementAlternatives } from './terms.ts';
import { attachmentName, type VolumeIndex, volumeNeeds } from './volumes.ts';

/** The values a label may turn out to have; one for a node that is there, perhaps more for a claim. */
export type PossibleLabels = ReadonlyMap<string, ReadonlySet<string>>;

export interface Target {
  readonly kind: 'node' | 'nodeClaim';
  readonly name: string;
  readonly labels: PossibleLabels;
  readonly taints: readonly Taint[];
  /** What is left for pods; a resource that is absent has none, except places to attach volumes. */
  readonly available: Resources;
  /** Pods on it that count, for rules that look at other pods. */
  readonly pods: readonly Pod[];
  /** Daemons whose pods are not there yet. */
  readonly daemonsToCome: readonly PodSpec[];
  /** False for nodes that take no pods but whose pods still count (cordoned, leaving). */
  readonly open: boolean;
}

const UNLIMITED = 1e9;

/** Taints of a node that is still coming up; the kubelet or cloud controller takes them off. */
const EPHEMERAL_TAINTS: ReadonlySet<string> = new Set([
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.cloudprovider.kubernetes.io/uninitialized',
  UNREGISTERED_TAINT_KEY,
]);

/** All nodes and claims in flight, sorted by name: claims first, since they were bought for pods that wait. */
export function targetsOf(snapshot: ClusterSnapshot, catalogue: Catalogue, volumes: VolumeIndex): Target[] {
  const podsByNode = Map.groupBy(
    snapshot.pods.filter((pod) => pod.nodeName !== '' && !isTerminal(pod)),
    (pod) => pod.nodeName,
  );
  const claimOfNode = claimsByNode(snapshot);
  const nodeNames = new Set(snapshot.nodes.map((node) => node.name));
  const linked = new Set([...claimOfNode.values()].map((claim) => claim.name));
  const claims = snapshot.nodeClaims
    .filter((claim) => claim.deletionRequestedAtMs === null)
    .filter((claim) => !linked.has(claim.name) && !nodeNames.has(claim.status.nodeName))
    .map((claim) => claimTarget(claim, { snapshot, catalogue }));
  const nodes = snapshot.nodes.map((node) => {
    const pods = podsByNode.get(node.name) ?? [];
    const claim = claimOfNode.get(node.name) ?? null;
    return nodeTarget({ node, claim, pods }, { snapshot, catalogue, volumes });
  });
  const byName = (left: Target, right: Target): number => compareText(left.name, right.name);
  return [...claims.sort(byName), ...nodes.sort(byName)];
}

function claimsByNode(snapshot: ClusterSnapshot): Map<string, NodeClaim> {
  const byProvider = new Map<string, NodeClaim>();
  const byNodeName = new Map<string, NodeClaim>();
  for (const claim of snapshot.nodeClaims) {
    if (claim.status.providerId !== '') byProvider.set(claim.status.providerId, claim);
    if (claim.status.nodeName !== '') byNodeName.set(claim.status.nodeName, claim);
  }
  const linked = new Map<string, NodeClaim>();
  for (const node of snapshot.nodes) {
    const claim =
      byNodeName.get(node.name) ?? (node.providerId === '' ? undefined : byProvider.get(node.providerId));
    if (claim !== undefined) linked.set(node.name, claim);
  }
  return linked;
}

interface NodeWithPods {
  readonly node: Node;
  readonly claim: NodeClaim | null;
  readonly pods: readonly Pod[];
}

interface NodeWorld {
  readonly snapshot: ClusterSnapshot;
  readonly catalogue: Catalogue;
  readonly volumes: VolumeIndex;
}

function nodeTarget(
  { node, claim, pods }: NodeWithPods,
  { snapshot, catalogue, volumes }: NodeWorld,
): Target {
  const comingUp = isComingUp(node, claim);
  const provisioner = snapshot.provisioners.find((one) => one.name === node.labels[LABEL.provisioner]);
  const startup = claim?.spec.startupTaints ?? provisioner?.startupTaints ?? [];
  const taints = comingUp ? taintsToStay(node, claim, startup) : node.taints;
  const allocatable = comingUp
    ? { ...claim?.status.allocatable, ...nonZero(node.allocatable) }
    : node.allocatable;
  const own = single({ [LABEL.hostname]: node.name, ...node.labels });
  const labels = comingUp && claim !== null ? new Map([...promisedLabels(claim, catalogue), ...own]) : own;
  const used = pods.map((pod) => pod.spec.requests).reduce(addResources, {});
  const missing = comingUp ? missingDaemons(snapshot, { labels, taints }, pods) : [];
  const leaving =
    node.deletionRequestedAtMs !== null ||
    claim?.deletionRequestedAtMs != null ||
    node.taints.some((taint) => taint.key === DISRUPTED_TAINT_KEY);
  return {
    kind: 'node',
    name: node.name,
    labels,
    taints,
    available: {
      ...subtractResources(subtractResources(allocatable, used), sumOf(missing)),
      ...attachPlaces(node.name, pods, { snapshot, volumes }),
    },
    pods,
    daemonsToCome: missing,
    open: !leaving && !node.unschedulable && !isUnclaimed(node, claim),
  };
}

/** What registering will have written on the node: labels of its type are not in the user data of its launch. */
function promisedLabels(claim: NodeClaim, catalogue: Catalogue): PossibleLabels {
  if (claim.status.instanceType === '') return single(claim.spec.labels);
  return claimLabels(claim, typesOf(claim, catalogue));
}

/** The taints that pods will meet: those of booting gone, those of the claim written. */
function taintsToStay(node: Node, claim: NodeClaim | null, startup: readonly Taint[]): readonly Taint[] {
  const lasting = node.taints.filter((taint) => !isPassing(taint, startup));
  const missing = (claim?.spec.taints ?? []).filter((one) => !lasting.some((taint) => sameTaint(one, taint)));
  return [...lasting, ...missing];
}

function sameTaint(left: Taint, right: Taint): boolean {
  return left.key === right.key && left.effect === right.effect;
}

function isComingUp(node: Node, claim: NodeClaim | null): boolean {
  if (claim === null && node.labels[LABEL.provisioner] === undefined) return false;
  const initialized = claim !== null && hasCondition(claim, 'Initialized');
  return !initialized && node.labels[LABEL.initialized] !== 'true';
}

/** A node that joined before its launch was answered: its claim, still in flight, stands for it. */
function isUnclaimed(node: Node, claim: NodeClaim | null): boolean {
  return claim === null && node.taints.some((taint) => taint.key === UNREGISTERED_TAINT_KEY);
}

/** Daemons whose pod on the node is not there yet. */
function missingDaemons(
  snapshot: ClusterSnapshot,
  place: { readonly labels: PossibleLabels; readonly taints: readonly Taint[] },
  pods: readonly Pod[],
): PodSpec[] {
  const running = new Set(
    pods.filter(isOwnedByDaemonSet).map((pod) => `${pod.namespace}/${pod.owner?.name}`),
  );
  return snapshot.daemonSets
    .filter((daemon) => !running.has(`${daemon.namespace}/${daemon.name}`))
    .filter(({ spec }) => untoleratedTaint(place.taints, spec.tolerations) === null)
    .filter(({ spec }) => requirementAlternatives(spec, []).some((one) => possibly(place.labels, one)))
    .map(({ spec }) => spec);
}

function sumOf(specs: readonly PodSpec[]): Resources {
  return specs.map((spec) => spec.requests).reduce(addResources, {});
}

function isPassing(taint: Taint, startupTaints: readonly Taint[]): boolean {
  if (EPHEMERAL_TAINTS.has(taint.key)) return true;
  return startupTaints.some((one) => sameTaint(one, taint));
}

/** A kubelet that has not registered a device plugin yet reports 0 of it. */
function nonZero(resources: Resources): Resources {
  return Object.fromEntries(Object.entries(resources).filter(([, amount]) => amount !== 0));
}

function single(labels: Readonly<Record<string, string>>): PossibleLabels {
  const possible = new Map<string, ReadonlySet<string>>();
  for (const key in labels) {
    const name = normalizeLabel(key);
    if (name === key || !(name in labels)) possible.set(name, new Set([labels[key] ?? '']));
  }
  return possible;
}

function attachPlaces(
  nodeName: string,
  pods: readonly Pod[],
  { snapshot, volumes }: { readonly snapshot: ClusterSnapshot; readonly volumes: VolumeIndex },
): Resources {
  const limits = snapshot.csiNodes.find((one) => one.name === nodeName)?.volumeLimits ?? {};
  const places: Record<string, number> = {};
  for (const driver in limits) places[attachmentName(driver)] = limits[driver] ?? UNLIMITED;
  if (Object.keys(places).length === 0) return places;
  const attached = new Map<string, string>();
  for (const pod of pods) {
    if (pod.spec.volumes.length === 0) continue;
    for (const [claim, driver] of volumeNeeds(pod, volumes).attachments) attached.set(claim, driver);
  }
  for (const driver of attached.values()) {
    const name = attachmentName(driver);
    const left = places[name];
    if (left !== undefined) places[name] = left - 1;
  }
  return places;
}

function claimTarget(
  claim: NodeClaim,
  { snapshot, catalogue }: { readonly snapshot: ClusterSnapshot; readonly catalogue: Catalogue },
): Target {
  const { spec, status } = claim;
  const types = typesOf(claim, catalogue);
  const launched = hasCondition(claim, 'Launched') || status.instanceType !== '';
  const known = launched && Object.keys(status.allocatable).length > 0;
  const allocatable = known ? status.allocatable : smallest(types.map((type) => type.allocatable));
  const labels = claimLabels(claim, types);
  const daemons = missingDaemons(snapshot, { labels, taints: spec.taints }, []);
  return {
    kind: 'nodeClaim',
    name: claim.name,
    labels,
    taints: spec.taints,
    available: subtractResources(allocatable, sumOf(daemons)),
    pods: [],
    daemonsToCome: daemons,
    open: true,
  };
}

/** What the claim was launched as, or may be. */
function typesOf({ spec, status }: NodeClaim, catalogue: Catalogue): readonly InstanceType[] {
  const names = new Set(status.instanceType === '' ? spec.instanceTypes : [status.instanceType]);
  return (catalogue.get(spec.provisioner) ?? []).filter((type) => names.has(type.name));
}

/** What every one of the amounts has at least. */
function smallest(amounts: readonly Resources[]): Resources {
  const names = new Set(amounts.flatMap((one) => Object.keys(one)));
  return Object.fromEntries(
    [...names].map((name) => [name, Math.min(...amounts.map((one) => one[name] ?? 0))]),
  );
}

function claimLabels({ name, spec, status }: NodeClaim, types: readonly InstanceType[]): PossibleLabels {
  return typeLabels(types, spec, {
    [LABEL.instanceType]: status.instanceType,
    [LABEL.zone]: status.zone,
    [LABEL.capacityType]: status.capacityType,
    [LABEL.hostname]: name,
    [LABEL.provisioner]: spec.provisioner,
  });
}

/**
 * Labels that a node of one of the types may have.
 * @param settled what is known already; null or '' where it is not
 */
export function typeLabels(
  types: readonly InstanceType[],
  spec: Pick<NodeClaim['spec'], 'requirements' | 'labels'>,
  settled: Readonly<Record<string, string | null>>,
): PossibleLabels {
  const labels = new Map<string, ReadonlySet<string>>();
  for (const set of types.map((type) => requirementSet(type.requirements))) {
    for (const [key, values] of set) {
      if (!values.complement) labels.set(key, new Set([...(labels.get(key) ?? []), ...values.values]));
    }
  }
  for (const [key, values] of requirementSet(spec.requirements)) {
    if (values.complement || values.values.size === 0) continue;
    const shared = [...(labels.get(key) ?? values.values)].filter((value) => values.values.has(value));
    labels.set(key, shared.length > 0 ? new Set(shared) : values.values);
  }
  for (const [key, value] of Object.entries(spec.labels)) labels.set(normalizeLabel(key), new Set([value]));
  for (const [key, value] of Object.entries(settled)) if (value) labels.set(key, new Set([value]));
  return labels;
}

/** True when the conditions hold whatever the labels turn out to be. */
export function surely(labels: PossibleLabels, conditions: RequirementSet): boolean {
  for (const [key, set] of conditions) {
    const values = labels.get(key);
    if (values === undefined ? !allowsAbsence(set) : ![...values].every((value) => allows(set, value)))
      return false;
  }
  return true;
}

/** True when the conditions hold for some outcome. */
export function possibly(labels: PossibleLabels, conditions: RequirementSet): boolean {
  for (const [key, set] of conditions) {
    const values = labels.get(key);
    if (values === undefined ? !allowsAbsence(set) : ![...values].some((value) => allows(set, value)))
      return false;
  }
  return true;
}
