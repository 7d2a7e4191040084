// Builds the hosts of a plan: the cluster as it will be once the plan is carried out.
import type { InstanceType } from '../../model/instanceType.ts';
import { LABEL, UNREGISTERED_TAINT_KEY } from '../../model/labels.ts';
import type { Node } from '../../model/node.ts';
import { hasCondition, type NodeClaim, type NodeClaimSpec } from '../../model/nodeClaim.ts';
import type { SchedulingPlan } from '../../model/plan.ts';
import { isTerminal, type Pod } from '../../model/pod.ts';
import type { Resources } from '../../model/resources.ts';
import type { ClusterSnapshot } from '../../model/snapshot.ts';
import type { Taint } from '../../model/taint.ts';
import { FaceTable } from './faces.ts';
import type { Face, Host } from './host.ts';
import { keysOf } from './labelMatch.ts';

/** Taints of a booting node that Kubernetes, the cloud controller or we take off again. */
const PASSING_TAINTS: ReadonlySet<string> = new Set([
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.kubernetes.io/network-unavailable',
  'node.cloudprovider.kubernetes.io/uninitialized',
  UNREGISTERED_TAINT_KEY,
]);

const UNKNOWN_FACE: Face = { instanceType: '', zone: '', labels: {}, capacity: {}, allocatable: {} };

export interface World {
  readonly snapshot: ClusterSnapshot;
  /** Types on sale by Provisioner, then by name. */
  readonly types: ReadonlyMap<string, ReadonlyMap<string, InstanceType>>;
  readonly pods: readonly Pod[];
  /** Those pods by their keys. */
  readonly byKey: ReadonlyMap<string, Pod>;
  readonly plan: SchedulingPlan;
}

/** The hosts by kind, planned ones in the order of the plan. */
export interface Hosts {
  readonly nodes: ReadonlyMap<string, Host>;
  readonly claims: ReadonlyMap<string, Host>;
  readonly planned: readonly Host[];
  /** Claims that have become nodes. */
  readonly joined: ReadonlySet<string>;
}

/** Every host there will be, with its bound and its newly placed pods. */
export function buildHosts(world: World): Hosts {
  const { snapshot, byKey, plan } = world;
  const table = new FaceTable(decidingKeys(world));
  const bound = Map.groupBy(
    snapshot.pods.filter((pod) => pod.nodeName !== '' && !isTerminal(pod)),
    (pod) => pod.nodeName,
  );
  const nominated = Map.groupBy(plan.nominations, ({ target }) => `${target.kind}/${target.name}`);
  const placedOn = (name: string): Pod[] =>
    (nominated.get(name) ?? []).flatMap(({ pod }) => byKey.get(pod) ?? []);
  const claimByNode = claimsByNode(snapshot.nodeClaims);
  const joined = new Set<string>();
  const nodes = new Map<string, Host>();
  for (const node of snapshot.nodes) {
    const claim = claimByNode.get(node.name) ?? claimByNode.get(node.providerId) ?? null;
    if (claim !== null) joined.add(claim.name);
    const placed = [...placedOn(`node/${node.name}`), ...(claim ? placedOn(`nodeClaim/${claim.name}`) : [])];
    const startup = claim?.spec.startupTaints ?? provisionerStartupTaints(snapshot, node);
    const promised = claim === null ? {} : promisedLabels(claim, world, table);
    const host = nodeHost(node, claim, { startup, promised });
    nodes.set(node.name, { ...host, bound: bound.get(node.name) ?? [], placed });
  }
  const claims = new Map<string, Host>();
  for (const claim of snapshot.nodeClaims) {
    if (joined.has(claim.name)) continue;
    const faces = claimFaces(claim, world, table);
    const host = launchHost(`node claim "${claim.name}"`, claim.spec, faces);
    const open = claim.deletionRequestedAtMs === null;
    claims.set(claim.name, { ...host, open, placed: placedOn(`nodeClaim/${claim.name}`) });
  }
  const planned = plan.nodeClaims.map((claim, index): Host => {
    const faces = specFaces(claim.spec, world, table, 'now');
    const host = launchHost(`planned node ${index}`, claim.spec, faces);
    const stated = faces.find((face) => isStated(face, claim)) ?? host.stated;
    return { ...host, stated, placed: claim.pods.flatMap((key) => byKey.get(key) ?? []) };
  });
  return { nodes, claims, planned, joined };
}

function specFaces(
  spec: NodeClaimSpec,
  world: World,
  table: FaceTable,
  sale: 'now' | 'any',
): readonly Face[] {
  return table.facesOf(spec, (name) => typeNamed(world, spec.provisioner, name), sale);
}

/** The type of that name that the Provisioner may buy, or null. */
export function typeNamed(world: World, provisioner: string, name: string): InstanceType | null {
  return world.types.get(provisioner)?.get(name) ?? null;
}

/** Claims by the name and the provider id of the node that each has become. */
function claimsByNode(claims: readonly NodeClaim[]): ReadonlyMap<string, NodeClaim> {
  const names = claims.flatMap((claim) => {
    const { nodeName, providerId } = claim.status;
    return [nodeName, providerId].filter((name) => name !== '').map((name) => [name, claim] as const);
  });
  return new Map(names);
}

function isStated(
  face: Face,
  claim: { readonly instanceType: string; readonly zone: string; readonly capacityType: string },
): boolean {
  return (
    face.instanceType === claim.instanceType &&
    face.zone === claim.zone &&
    face.labels[LABEL.capacityType] === claim.capacityType
  );
}

function decidingKeys({ snapshot, pods }: World): ReadonlySet<string> {
  const specs = new Set([...pods, ...snapshot.pods, ...snapshot.daemonSets].map(({ spec }) => spec));
  return new Set([...specs].flatMap(keysOf));
}

/** A node without a claim was made by an earlier version of us: its Provisioner says what it waits for. */
function provisionerStartupTaints({ provisioners }: ClusterSnapshot, { labels }: Node): readonly Taint[] {
  return provisioners.find(({ name }) => name === labels[LABEL.provisioner])?.startupTaints ?? [];
}

/** Labels that registering writes: those of the claim, and of its type once that is known. */
function promisedLabels(claim: NodeClaim, world: World, table: FaceTable): Readonly<Record<string, string>> {
  const [face] = claim.status.instanceType === '' ? [] : claimFaces(claim, world, table);
  return face?.labels ?? claim.spec.labels;
}

interface Arrival {
  readonly startup: readonly Taint[];
  readonly promised: Readonly<Record<string, string>>;
}

function nodeHost(node: Node, claim: NodeClaim | null, { startup, promised }: Arrival): Host {
  const initialized =
    claim === null
      ? node.labels[LABEL.provisioner] === undefined || node.labels[LABEL.initialized] === 'true'
      : hasCondition(claim, 'Initialized') || node.labels[LABEL.initialized] === 'true';
  const lasting = (taint: Taint): boolean =>
    !(PASSING_TAINTS.has(taint.key) || startup.some((one) => sameTaint(one, taint)));
  const face: Face = {
    instanceType: node.labels[LABEL.instanceType] ?? '',
    zone: node.labels[LABEL.zone] ?? '',
    labels: {
      ...(initialized ? {} : promised),
      ...node.labels,
      [LABEL.hostname]: node.labels[LABEL.hostname] ?? node.name,
    },
    capacity: node.capacity,
    allocatable: initialized ? node.allocatable : expectedAllocatable(node, claim),
  };
  return {
    title: `node "${node.name}"`,
    hostname: node.labels[LABEL.hostname] ?? node.name,
    provisioner: node.labels[LABEL.provisioner] ?? '',
    faces: [face],
    stated: face,
    taints: initialized ? node.taints : [...node.taints.filter(lasting), ...taintsToCome(node, claim)],
    open:
      !node.unschedulable &&
      node.deletionRequestedAtMs === null &&
      !(claim?.deletionRequestedAtMs ?? null) &&
      !(claim === null && node.taints.some(({ key }) => key === UNREGISTERED_TAINT_KEY)),
    daemonsToCome: !initialized,
    bound: [],
    placed: [],
  };
}

/** Until the kubelet and its device plugins have reported, the claim says what the node will have. */
function expectedAllocatable(node: Node, claim: NodeClaim | null): Resources {
  const reported = Object.entries(node.allocatable).filter(([, amount]) => amount > 0);
  return { ...claim?.status.allocatable, ...Object.fromEntries(reported) };
}

/** Taints of the claim that are not on the node yet: registering writes them. */
function taintsToCome({ taints }: Node, claim: NodeClaim | null): readonly Taint[] {
  return (claim?.spec.taints ?? []).filter((one) => !taints.some((taint) => sameTaint(one, taint)));
}

function sameTaint(left: Taint, right: Taint): boolean {
  return left.key === right.key && left.effect === right.effect;
}

function launchHost(title: string, spec: NodeClaimSpec, faces: readonly Face[]): Host {
  return {
    title,
    hostname: title,
    provisioner: spec.provisioner,
    faces,
    stated: faces[0] ?? UNKNOWN_FACE,
    taints: spec.taints,
    open: true,
    daemonsToCome: true,
    bound: [],
    placed: [],
  };
}

/** A claim in flight: what it was launched as once that is known, else all that it may become. */
function claimFaces(claim: NodeClaim, world: World, table: FaceTable): readonly Face[] {
  const { spec, status } = claim;
  if (status.instanceType === '') return specFaces(spec, world, table, 'any');
  const type = typeNamed(world, spec.provisioner, status.instanceType);
  const known = { instanceType: status.instanceType, zone: status.zone };
  const labels = {
    ...Object.fromEntries(
      (type?.requirements ?? []).flatMap(({ key, operator, values }) =>
        operator === 'In' && values[0] !== undefined ? [[key, values[0]]] : [],
      ),
    ),
    ...spec.labels,
    [LABEL.provisioner]: spec.provisioner,
    [LABEL.instanceType]: status.instanceType,
    [LABEL.zone]: status.zone,
    ...(status.capacityType === null ? {} : { [LABEL.capacityType]: status.capacityType }),
    [LABEL.hostname]: '',
  };
  const reported = Object.keys(status.allocatable).length > 0;
  return [
    {
      ...known,
      labels,
      capacity: reported ? status.capacity : (type?.capacity ?? {}),
      allocatable: reported ? status.allocatable : (type?.allocatable ?? {}),
    },
  ];
}
