// Consolidation of clusters that a scale-down has left fragmented, held against Karpenter's on the same clusters.
import { consolidate } from '../src/disruption/consolidation.ts';
import { decided } from '../src/disruption/consolidationSearch.ts';
import type { Catalogue, ClusterSnapshot } from '../src/model/snapshot.ts';
import { schedule } from '../src/scheduling/scheduler.ts';
import { consolidated, QUIET, totalUsdPerHour } from '../test/disruption/consolidated.ts';
import { benchDecisionInThread } from './decision.ts';
import { type Bench, boundedFigure, type Figure, peerFigure, plainFigure, type Report } from './figure.ts';
import { type FragmentedKind, fragmentedCluster } from './fragmented.ts';
import { karpenterPeer, type PeerEnding } from './karpenterPeer.ts';

const HOUR_MS = 3_600_000;
const DECISIONS_MOST = 2_000;
/**
 * About so many nodes each, and what has to be asked for to have the peer take part: Karpenter takes minutes for the
 * second size, hours for the third.
 */
const SIZES = [
  { nodes: 100, named: '' },
  { nodes: 1_000, named: 'consolidation' },
  { nodes: 5_000, named: 'consolidation/5000' },
] as const;
/** Held against Karpenter. */
const COMPARED = ['generic', 'deployments', 'capacity-types', 'diverse'] as const;
/** Price over the bound, for either kind of mix. */
const BOUND_RATIO = 1.1;
/** Our share of the peer's time. */
const TIME_SHARE = 1 / 50;

/** How a cluster ends up, and what it took. */
interface Ending {
  readonly nodes: number;
  readonly usdPerHour: number;
  readonly evictions: number;
  /** Of each decision, the last one too, which finds nothing more. */
  readonly wallMs: readonly number[];
  readonly cpuMs: readonly number[];
}

interface Compared {
  readonly name: string;
  readonly before: ClusterSnapshot;
  readonly boundUsdPerHour: number;
  readonly ours: Ending;
  readonly theirs: Ending | null;
}

/**
 * The benchmarks `consolidation/NODES/MIX`, `consolidation/decision` and `consolidation/thread`.
 * @param only what was asked for
 * @param peerMinutes CPU time that the peer's decisions on one cluster may take
 */
export function consolidationBenches(only: string, peerMinutes: number): Readonly<Record<string, Bench>> {
  const benches: Record<string, Bench> = {};
  for (const { nodes, named } of SIZES) {
    const minutes = only.startsWith(named) ? peerMinutes : null;
    for (const kind of COMPARED)
      benches[`consolidation/${nodes}/${kind}`] = (report) => benchOne({ kind, nodes, minutes }, report);
  }
  benches['consolidation/decision'] = benchDecision;
  benches['consolidation/thread'] = benchDecisionInThread;
  return benches;
}

interface Case {
  readonly kind: FragmentedKind;
  readonly nodes: number;
  /** Null leaves the peer out. */
  readonly minutes: number | null;
}

async function benchOne({ kind, nodes, minutes }: Case, report: Report): Promise<void> {
  const { snapshot: before, catalogue, peer } = fragmentedCluster(kind, nodes);
  const runs = [toRest(before, catalogue)];
  while (!isWarm(runs)) runs.push(toRest(before, catalogue));
  const ours = runs.reduce((least, one) => (cpuOf(one) < cpuOf(least) ? one : least));
  const boundUsdPerHour = lowerBound(before, catalogue);
  const answer =
    minutes === null
      ? null
      : await (await karpenterPeer(report)).consolidate(peer, { minutes, spotToSpot: true });
  const name = `consolidation/${nodes}/${kind}`;
  if (answer !== null && !answer.finished)
    report.note(
      `${name}: the peer was stopped after ${minutes} minutes of CPU time; its figures are those until then`,
    );
  const gaveUp = answer?.decisions.filter(({ timedOut }) => timedOut).length ?? 0;
  if (gaveUp > 0) report.note(`${name}: the peer has reached a time limit of its own in ${gaveUp} decisions`);
  const theirs = answer === null ? null : endingOf(answer);
  reportCompared({ name, before, boundUsdPerHour, ours, theirs }, report);
}

/** A controller decides all day: runs are repeated until the code is warm, and the one of least CPU time counts. */
const RUNS_MOST = 10;
const RUN_FOR_MS = 5_000;

function isWarm(runs: readonly Ending[]): boolean {
  return runs.length >= RUNS_MOST || runs.reduce((total, one) => total + cpuOf(one), 0) >= RUN_FOR_MS;
}

function cpuOf({ cpuMs }: Ending): number {
  return cpuMs.reduce((total, one) => total + one, 0);
}

function endingOf({ nodes, usdPerHour, evictions, decisions }: PeerEnding): Ending {
  const wallMs = decisions.map((one) => one.wallMs);
  return { nodes, usdPerHour, evictions, wallMs, cpuMs: decisions.map(({ cpuMs }) => cpuMs) };
}

/** Ours, until nothing more pays; an hour passes between two decisions. */
function toRest(before: ClusterSnapshot, catalogue: Catalogue): Ending {
  const wallMs: number[] = [];
  const cpuMs: number[] = [];
  let snapshot = before;
  let evictions = 0;
  while (wallMs.length < DECISIONS_MOST) {
    const spent = stopwatch();
    const { action } = decided(consolidate({ snapshot, catalogue, view: QUIET }));
    const { wall, cpu } = spent();
    wallMs.push(wall);
    cpuMs.push(cpu);
    if (action === null) break;
    evictions += action.evicted.length;
    snapshot = { ...consolidated(snapshot, catalogue, action), takenAtMs: snapshot.takenAtMs + HOUR_MS };
  }
  return {
    nodes: snapshot.nodes.length,
    usdPerHour: totalUsdPerHour(snapshot),
    evictions,
    wallMs,
    cpuMs,
  };
}

const REPEATS = 5;

/** The first decision on a large cluster, the fastest of several. */
async function benchDecision({ figure, note }: Report): Promise<void> {
  const { snapshot, catalogue } = fragmentedCluster('crowded', 5_000);
  const name = 'consolidation/decision';
  note(`${name}: ${snapshot.nodes.length} nodes, ${snapshot.pods.length} pods`);
  const wallMs: number[] = [];
  const cpuMs: number[] = [];
  for (let i = 0; i < REPEATS; i += 1) {
    const spent = stopwatch();
    decided(consolidate({ snapshot, catalogue, view: QUIET }));
    const { wall, cpu } = spent();
    wallMs.push(wall);
    cpuMs.push(cpu);
  }
  for (const [what, ms] of [
    ['time', wallMs],
    ['CPU time', cpuMs],
  ] as const)
    figure(
      boundedFigure({ name: `${name}, ${what}`, value: Math.min(...ms), unit: 'ms' }, { atMost: 1_000 }),
    );
  figure(plainFigure(`${name}, time in a process just started`, wallMs[0] ?? Number.NaN, 'ms'));
}

/** Tells what has been spent since it was started, in milliseconds. */
function stopwatch(): () => { readonly wall: number; readonly cpu: number } {
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  return () => {
    const wall = performance.now() - startedMs;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { wall, cpu: (user + system) / 1000 };
  };
}

/** No cluster for these pods can cost less. */
function lowerBound(snapshot: ClusterSnapshot, catalogue: Catalogue): number {
  const pods = snapshot.pods.map((pod) => ({
    ...pod,
    nodeName: '',
    phase: 'Pending' as const,
    ready: false,
  }));
  const empty = { ...snapshot, nodes: [], nodeClaims: [], pods };
  return schedule(empty, catalogue, pods).lowerBoundUsdPerHour;
}

function reportCompared({ name, before, boundUsdPerHour, ours, theirs }: Compared, report: Report): void {
  const beforeUsd = totalUsdPerHour(before);
  const both = (
    what: string,
    unit: string,
    { of, atMost }: { readonly of: (ending: Ending) => number; readonly atMost?: number },
  ): Figure => {
    const goal = atMost === undefined ? null : { atMost };
    const figure = { name: `${name} ${what}`, value: of(ours), unit };
    return peerFigure(figure, theirs === null ? null : of(theirs), goal);
  };
  const toBound = ({ usdPerHour }: Ending): number => usdPerHour / boundUsdPerHour;
  const overBound = { name: `${name} price to bound`, value: toBound(ours), unit: '' };
  report.figure({
    ...boundedFigure(overBound, { atMost: BOUND_RATIO }),
    peer: theirs === null ? null : toBound(theirs),
  });
  report.figure(plainFigure(`${name} price before`, beforeUsd, '$/h'));
  report.figure(both('price', '$/h', { of: ({ usdPerHour }) => usdPerHour, atMost: 1 }));
  report.figure(plainFigure(`${name} nodes before`, before.nodes.length, ''));
  report.figure(both('nodes', '', { of: ({ nodes }) => nodes }));
  report.figure(both('evictions', 'pods', { of: ({ evictions }) => evictions, atMost: 1 }));
  const perSaving = ({ evictions, usdPerHour }: Ending): number => evictions / (beforeUsd - usdPerHour);
  report.figure(both('evictions for each $/h saved', 'pods', { of: perSaving }));
  report.figure(both('decisions', '', { of: ({ wallMs }) => wallMs.length }));
  for (const [what, of] of [
    ['time', ({ wallMs }: Ending) => wallMs],
    ['CPU time', ({ cpuMs }: Ending) => cpuMs],
  ] as const) {
    const sum = (ending: Ending): number => of(ending).reduce((total, one) => total + one, 0);
    const mean = (ending: Ending): number => sum(ending) / of(ending).length;
    report.figure(both(`${what} of all decisions`, 'ms', { of: sum, atMost: TIME_SHARE }));
    report.figure(both(`${what} of a decision`, 'ms', { of: mean, atMost: TIME_SHARE }));
    report.figure(both(`${what} of the slowest decision`, 'ms', { of: (one) => Math.max(...of(one)) }));
  }
}
