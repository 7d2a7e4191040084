// What makes a random cluster one of real life: nodes that nobody owns, nodes in trouble, pods that wait or leave.
import fc from 'fast-check';
import type { ConsolidationView } from '../../src/model/consolidation.ts';
import { ANNOTATION, LABEL } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import { isOwnedByDaemonSet, type Pod } from '../../src/model/pod.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import type { Taint } from '../../src/model/taint.ts';
import { aBoundPod, aNode, aPod, GIB, ZONES } from '../builders.ts';
import { BATCH, RACK } from './consolidationApps.ts';

const MINUTE_MS = 60_000;
const SETTLING_EVERY = 4;
const HOUR_MS = 60 * MINUTE_MS;
const NOT_READY: Taint = { key: 'node.kubernetes.io/not-ready', value: '', effect: 'NoSchedule' };
const UNSCHEDULABLE: Taint = { key: 'node.kubernetes.io/unschedulable', value: '', effect: 'NoSchedule' };
const STARTUP: Taint = { key: 'example.com/cni', value: '', effect: 'NoSchedule' };

/** A node that no NodeClaim stands for. */
export interface StaticNode {
  readonly zone: string;
  readonly rack: string | null;
  readonly team: 'none' | 'batch' | 'tainted';
  /** What a pod of its own takes of it, in thousandths. */
  readonly usedPerMille: number;
  /** It has the label of a Provisioner, and counts towards its limits. */
  readonly isLabelled: boolean;
  readonly isCordoned: boolean;
}

export const aStaticNode: fc.Arbitrary<StaticNode> = fc.record({
  zone: fc.constantFrom(...ZONES, 'us-east-1d'),
  rack: fc.constantFrom(null, 'r1', 'r2', 'r3'),
  team: fc.constantFrom('none', 'none', 'batch', 'tainted'),
  usedPerMille: fc.constantFrom(0, 500, 960, 960, 1000, 1000),
  isLabelled: fc.boolean(),
  isCordoned: fc.nat({ max: 5 }).map((one) => one === 0),
});

/** With the pods that run on them already. */
export function staticNodes(
  drawn: readonly StaticNode[],
  prefix: string,
): Pick<ClusterSnapshot, 'nodes' | 'pods'> {
  const nodes = drawn.map(({ zone, rack, team, isLabelled, isCordoned }, index) =>
    aNode({
      name: `${prefix}-${index}`,
      labels: {
        [LABEL.zone]: zone,
        [LABEL.capacityType]: 'on-demand',
        ...(rack !== null && { [RACK]: rack }),
        ...(team !== 'none' && { team: 'batch' }),
        ...(isLabelled && { [LABEL.provisioner]: 'default', [LABEL.initialized]: 'true' }),
      },
      taints: [...(team === 'tainted' ? [BATCH] : []), ...(isCordoned ? [UNSCHEDULABLE] : [])],
      unschedulable: isCordoned,
    }),
  );
  const pods = drawn.flatMap(({ usedPerMille }, index) => {
    const owner = { kind: 'ReplicaSet', name: 'filler', uid: 'filler' };
    const fields = { name: `filler-of-${prefix}-${index}`, labels: { app: 'filler' }, owner };
    const amounts = { cpuMillis: 2 * usedPerMille, memoryBytes: usedPerMille * ((8 * GIB) / 1000) };
    return usedPerMille === 0 ? [] : [aBoundPod(`${prefix}-${index}`, { ...fields, ...amounts })];
  });
  return { nodes, pods };
}

const ODDITIES = [
  ...(['unready', 'cordoned', 'startup', 'marked', 'marked-while', 'stuck', 'terminating'] as const),
  ...(['orphaned', 'unpriced', 'expected', 'left-alone', 'gated', 'hopeless', 'ended'] as const),
  ...(['tainted', 'waiting', 'rising'] as const),
];

/** Something that has happened to a node or a pod: which one is by number. */
export interface Oddity {
  readonly what: (typeof ODDITIES)[number];
  readonly at: number;
}

/** Those that halt all consolidation are rare. */
export const anOddity: fc.Arbitrary<Oddity> = fc.record({
  what: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...ODDITIES.slice(0, -2)) },
    { weight: 1, arbitrary: fc.constantFrom(...ODDITIES.slice(-2)) },
  ),
  at: fc.nat({ max: 40 }),
});

export interface OddCluster {
  readonly snapshot: ClusterSnapshot;
  readonly view: ConsolidationView;
}

export function withOddities(first: ClusterSnapshot, oddities: readonly Oddity[]): OddCluster {
  const nominatedUntilMs = new Map<string, number>();
  // Every few nodes have had a pod come or go: where that counts, they have to wait.
  const settling = first.nodes.filter((_, index) => index % SETTLING_EVERY === 0);
  const changedAtMs = first.takenAtMs - 10 * MINUTE_MS;
  const podsChangedAtMs = new Map(settling.map(({ name }) => [name, changedAtMs]));
  const leftAlone = new Map<string, string>();
  let snapshot = first;
  for (const { what, at } of oddities) {
    const claim = snapshot.nodeClaims[at % Math.max(1, snapshot.nodeClaims.length)];
    const nodeName = claim?.status.nodeName ?? '';
    if (what === 'expected') nominatedUntilMs.set(nodeName, first.takenAtMs + 2.5 * HOUR_MS);
    else if (what === 'left-alone') leftAlone.set(claim?.name ?? '', 'it was replaced before');
    else if (what === 'gated' || what === 'hopeless' || what === 'waiting')
      snapshot = { ...snapshot, pods: [...snapshot.pods, waitingPod(what, at, first.takenAtMs)] };
    else if (claim !== undefined) snapshot = withTrouble(snapshot, claim, what);
  }
  return { snapshot, view: { nominatedUntilMs, podsChangedAtMs, leftAlone } };
}

/** It counts nowhere, but is there. */
function waitingPod(what: 'gated' | 'hopeless' | 'waiting', at: number, nowMs: number): Pod {
  return aPod({
    ...{ name: `${what}-${at}`, labels: { app: `app${at % 3}`, tier: 'web' }, cpuMillis: 90_000 },
    schedulingGated: what === 'gated',
    createdAtMs: what === 'waiting' ? nowMs - MINUTE_MS : 0,
  });
}

type Trouble = Exclude<Oddity['what'], 'expected' | 'left-alone' | 'gated' | 'hopeless' | 'waiting'>;

function withTrouble(snapshot: ClusterSnapshot, claim: NodeClaim, what: Trouble): ClusterSnapshot {
  const { nodeName } = claim.status;
  const sinceMs = snapshot.takenAtMs - 20 * MINUTE_MS;
  const nodes = (change: (node: Node) => Partial<Node>): ClusterSnapshot => ({
    ...snapshot,
    nodes: snapshot.nodes.map((one) => (one.name === nodeName ? { ...one, ...change(one) } : one)),
  });
  const claims = (change: Partial<NodeClaim>, from = snapshot): ClusterSnapshot => ({
    ...from,
    nodeClaims: from.nodeClaims.map((one) => (one.name === claim.name ? { ...one, ...change } : one)),
  });
  const pods = (change: Partial<Pod>, most: number, from = snapshot): ClusterSnapshot => {
    const own = from.pods
      .filter((pod) => pod.nodeName === nodeName && !isOwnedByDaemonSet(pod))
      .slice(0, most);
    return { ...from, pods: from.pods.map((pod) => (own.includes(pod) ? { ...pod, ...change } : pod)) };
  };
  const tainted = (...taints: readonly Taint[]) => nodes((node) => ({ taints: [...node.taints, ...taints] }));
  const annotated = (key: string, value: string) => nodes(() => ({ annotations: { [key]: value } }));
  switch (what) {
    case 'unready':
      return nodes(({ taints }) => ({
        taints: [...taints, NOT_READY],
        conditions: [{ type: 'Ready', status: 'False', sinceMs }],
      }));
    case 'cordoned':
      return nodes(({ taints }) => ({ taints: [...taints, UNSCHEDULABLE], unschedulable: true }));
    case 'startup':
      return claims({ spec: { ...claim.spec, startupTaints: [STARTUP] } }, tainted(STARTUP));
    case 'tainted':
      return tainted({ key: 'example.com/quarantine', value: 'yes', effect: 'NoSchedule' });
    case 'marked':
      return annotated(ANNOTATION.doNotConsolidate, 'true');
    case 'marked-while':
      return annotated(ANNOTATION.doNotDisrupt, '3h30m');
    case 'stuck': {
      const kept = pods({ annotations: { [ANNOTATION.doNotEvict]: 'true' } }, 100);
      return claims({ deletionRequestedAtMs: sinceMs }, kept);
    }
    case 'terminating':
      return pods({ deletionRequestedAtMs: snapshot.takenAtMs - MINUTE_MS }, 1);
    case 'ended':
      return pods({ phase: 'Succeeded', ready: false }, 2);
    case 'orphaned':
      return { ...snapshot, nodeClaims: snapshot.nodeClaims.filter((one) => one !== claim) };
    case 'unpriced':
      return claims({ status: { ...claim.status, usdPerHour: null } });
    case 'rising':
      return claims({ status: { ...claim.status, conditions: [] } });
  }
}
