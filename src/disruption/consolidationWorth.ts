// What room on a node is worth to the pods of the cluster, by a linear program, and the order in which nodes go by it.
import type { Consolidation } from '../model/consolidation.ts';
import type { Resources } from '../model/resources.ts';
import type { Candidate } from './consolidationCandidates.ts';
import type { Offers } from './consolidationOutlook.ts';
import { evictionUsd } from './consolidationTrial.ts';

/** A node as it could be kept or bought. */
export interface Ware {
  readonly usdPerHour: number;
  readonly allocatable: Resources;
}

/** USD an hour for a unit of each. */
export interface RoomPrices {
  readonly cpu: number;
  readonly memory: number;
}

/** Pods do not fill nodes to the brim. */
const SLACK = 1.03;
/** How much a node counts that is dear for its room, beside its price for each eviction. */
const DEARNESS = 1.5;
/** Beyond, it counts no more: spot prices of like nodes lie far apart. */
const DEAREST = 1.5;
/** Ratios of the two prices that are tried, and how often the interval of their height is narrowed for each. */
const RATIOS = 24;
const NARROWINGS = 16;
/** Where the golden section divides an interval. */
const LOWER_PART = 0.382;
const UPPER_PART = 0.618;

/** What the candidates are worth to a cheapest cluster for the same pods. */
export interface Worth {
  /** Those that cost much for each eviction, and more than their room is worth, first. */
  readonly wastefulFirst: readonly Candidate[];
  readonly prices: RoomPrices;
  /** What moving one plain pod has to save at least, if the cluster were the cheapest. */
  readonly evictionUsdPerHour: number;
  /** By candidate: its price less that of its evictions and of its room, in USD an hour. */
  readonly wasteUsd: ReadonlyMap<Candidate, number>;
}

/** @param candidates those alike keep their order */
export function worthOf(
  { snapshot }: Consolidation,
  candidates: readonly Candidate[],
  offers: Offers,
): Worth {
  const nodes = new Map(snapshot.nodes.map((node) => [node.name, node.allocatable]));
  const wares = candidates.map((candidate) => {
    const allocatable = nodes.get(candidate.claim.status.nodeName) ?? {};
    return { candidate, allocatable, usdPerHour: candidate.usdPerHour };
  });
  const { totalUsd } = roomPrices(neededBy(candidates), wares, offers.all());
  const pods = candidates.reduce((sum, one) => sum + one.pods.length, 0);
  const evictionUsdPerHour = evictionUsd(totalUsd, pods);
  const spared = wares.map((one) => ({
    ...one,
    usdPerHour: one.usdPerHour - evictionUsdPerHour * one.candidate.hurt,
  }));
  const { prices } = roomPrices(neededBy(candidates), spared, offers.all());
  const ranked = wares.map(({ candidate, allocatable, usdPerHour }) => {
    const roomIsWorthUsd = roomUsd(allocatable, prices);
    const dearness = roomIsWorthUsd > 0 ? Math.min(DEAREST, usdPerHour / roomIsWorthUsd) : 1;
    const rank = (usdPerHour * dearness ** DEARNESS) / candidate.hurt;
    const wasteUsd = usdPerHour - candidate.hurt * evictionUsdPerHour - roomIsWorthUsd;
    return { candidate, rank, wasteUsd };
  });
  const wasteUsd = new Map(ranked.map((one) => [one.candidate, one.wasteUsd]));
  ranked.sort((left, right) => right.rank - left.rank);
  const wastefulFirst = ranked.map(({ candidate }) => candidate);
  return { wastefulFirst, prices, evictionUsdPerHour, wasteUsd };
}

function neededBy(candidates: readonly Candidate[]): RoomPrices {
  let [cpu, memory] = [0, 0];
  for (const { pods } of candidates)
    for (const { requests } of pods.map(({ spec }) => spec)) {
      cpu += SLACK * (requests.cpu ?? 0);
      memory += SLACK * (requests.memory ?? 0);
    }
  return { cpu, memory };
}

/** What so much CPU and memory is worth, in USD an hour. */
export function roomUsd({ cpu = 0, memory = 0 }: Resources, prices: RoomPrices): number {
  return cpu * prices.cpu + memory * prices.memory;
}

/**
 * Shadow prices of the cover of what is needed: each node is kept or not, in part too, and any number of those on
 * offer can be bought. The dual is concave: for some ratios of the two prices its height is found by golden section.
 * @param needed CPU in millicores and memory in bytes
 * @param kept nodes at hand; their price may be less than that of the room, or below zero
 * @param offered at most what these cost is paid for room
 */
export function roomPrices(
  needed: RoomPrices,
  kept: readonly Ware[],
  offered: readonly Ware[],
): { readonly prices: RoomPrices; readonly totalUsd: number } {
  const cpuUsd = leastOf(offered, ({ cpu = 0 }) => cpu);
  const memoryUsd = leastOf(offered, ({ memory = 0 }) => memory);
  const dual = (prices: RoomPrices): number => {
    let total = roomUsd({ cpu: needed.cpu, memory: needed.memory }, prices);
    for (const { usdPerHour, allocatable } of kept)
      total += Math.min(0, usdPerHour - roomUsd(allocatable, prices));
    return total;
  };
  let best = { prices: { cpu: 0, memory: 0 }, totalUsd: Number.NEGATIVE_INFINITY };
  for (let step = 0; step <= RATIOS; step++) {
    const share = step / RATIOS;
    const ratio = { cpu: cpuUsd * (1 - share), memory: memoryUsd * share };
    const height = highest(
      leastOf(offered, (room) => roomUsd(room, ratio)),
      (at) => dual(times(ratio, at)),
    );
    const prices = times(ratio, height);
    const totalUsd = dual(prices);
    if (totalUsd > best.totalUsd) best = { prices, totalUsd };
  }
  return best;
}

function times({ cpu, memory }: RoomPrices, factor: number): RoomPrices {
  return { cpu: cpu * factor, memory: memory * factor };
}

/** The least price of a unit of something; 0 when nothing offers any. */
function leastOf(offered: readonly Ware[], unitsOf: (room: Resources) => number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { usdPerHour, allocatable } of offered) {
    const units = unitsOf(allocatable);
    if (units > 0) least = Math.min(least, usdPerHour / units);
  }
  return least === Number.POSITIVE_INFINITY ? 0 : least;
}

/** Where between 0 and `most` a concave function is highest. */
function highest(most: number, of: (at: number) => number): number {
  let [low, high] = [0, most];
  for (let narrowing = 0; narrowing < NARROWINGS; narrowing++) {
    const lower = low + LOWER_PART * (high - low);
    const upper = low + UPPER_PART * (high - low);
    if (of(lower) < of(upper)) low = lower;
    else high = upper;
  }
  return (low + high) / 2;
}
