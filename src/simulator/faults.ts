// What can go wrong, and how often: rates by concern, drawn from the seed.
import type { Random } from './random.ts';

/** Probabilities per call, or per instance. */
export interface CloudFaults {
  readonly throttled: number;
  /** The call went through, its answer did not come back. */
  readonly answerLost: number;
  readonly listFails: number;
  /** Describe calls answer as of some seconds ago. */
  readonly staleList: number;
  readonly neverBoots: number;
  /** Of the launches asked for together, only the first few get an instance. */
  readonly partialFleet: number;
  /** A call goes through twice, as when a client repeats a request whose answer it has lost. */
  readonly repeated: number;
  /** The kubelet registers, and its Node never becomes Ready. */
  readonly neverReady: number;
  /** The Node is deleted under its kubelet, or joins under a second name, and registers once more. */
  readonly registersTwice: number;
}

export interface WatchFaults {
  /** Share of events that come late, and by how much at most. */
  readonly late: number;
  readonly latestMs: number;
  readonly repeated: number;
  /** Share of events that may overtake those of other objects of their kind; never those of their own. */
  readonly reordered: number;
}

export interface KubeFaults {
  /** A write whose answer is a conflict although nothing else wrote. */
  readonly conflict: number;
  /** A call that fails outright, with or without having gone through. */
  readonly failed: number;
  readonly answerLost: number;
  /** A write that goes through twice; the second answer is the one that comes back. */
  readonly repeated: number;
}

/** Things that happen by themselves, mean times between them for the whole cluster; Infinity for never. */
export interface MishapRates {
  readonly crashMs: number;
  readonly relistMs: number;
  /** A spot instance gets its two-minute notice. */
  readonly interruptionMs: number;
  /** An instance ends without notice: a failed host, or someone at the console. */
  readonly hostFailureMs: number;
  readonly silenceMs: number;
  /** A running pod stops being ready for some minutes. */
  readonly unreadyPodMs: number;
  readonly shortageMs: number;
  readonly apiOutageMs: number;
  /** The machine's wall clock jumps, forward or back, and is put right later. */
  readonly clockJumpMs: number;
  /** A second leader starts while the first goes on for a lease's length. */
  readonly twoLeadersMs: number;
  /** The watch of one kind stands still for a while, and everything else goes on. */
  readonly staleWatchMs: number;
}

export interface FaultPlan {
  readonly cloud: CloudFaults;
  readonly watch: WatchFaults;
  readonly kube: KubeFaults;
  readonly mishaps: MishapRates;
}

const NEVER = Number.POSITIVE_INFINITY;

/** Nothing goes wrong. */
export const CALM: FaultPlan = {
  cloud: {
    throttled: 0,
    answerLost: 0,
    listFails: 0,
    staleList: 0,
    neverBoots: 0,
    partialFleet: 0,
    repeated: 0,
    neverReady: 0,
    registersTwice: 0,
  },
  watch: { late: 0, latestMs: 0, repeated: 0, reordered: 0 },
  kube: { conflict: 0, failed: 0, answerLost: 0, repeated: 0 },
  mishaps: {
    crashMs: NEVER,
    relistMs: NEVER,
    interruptionMs: NEVER,
    hostFailureMs: NEVER,
    silenceMs: NEVER,
    unreadyPodMs: NEVER,
    shortageMs: NEVER,
    apiOutageMs: NEVER,
    clockJumpMs: NEVER,
    twoLeadersMs: NEVER,
    staleWatchMs: NEVER,
  },
};

/** A plan in which each fault is absent, rare or common: few at a time find more than all at once. */
export function drawFaults(random: Random): FaultPlan {
  const rate = (most: number): number => (random.chance(0.4) ? most * random.fraction() : 0);
  const everyMs = (leastMs: number): number =>
    random.chance(0.35) ? leastMs * (1 + 4 * random.fraction()) : NEVER;
  const minuteMs = 60_000;
  return {
    cloud: {
      throttled: rate(0.3),
      answerLost: rate(0.3),
      listFails: rate(0.2),
      staleList: rate(0.5),
      neverBoots: rate(0.1),
      partialFleet: rate(0.5),
      repeated: rate(0.3),
      neverReady: rate(0.1),
      registersTwice: rate(0.2),
    },
    watch: {
      late: rate(0.2),
      latestMs: random.integer(100, 5000),
      repeated: rate(0.2),
      reordered: rate(0.3),
    },
    kube: { conflict: rate(0.1), failed: rate(0.1), answerLost: rate(0.1), repeated: rate(0.2) },
    mishaps: {
      crashMs: everyMs(minuteMs / 2),
      relistMs: everyMs(minuteMs),
      interruptionMs: everyMs(2 * minuteMs),
      hostFailureMs: everyMs(3 * minuteMs),
      silenceMs: everyMs(3 * minuteMs),
      unreadyPodMs: everyMs(2 * minuteMs),
      shortageMs: everyMs(2 * minuteMs),
      apiOutageMs: everyMs(5 * minuteMs),
      clockJumpMs: everyMs(5 * minuteMs),
      twoLeadersMs: everyMs(4 * minuteMs),
      staleWatchMs: everyMs(3 * minuteMs),
    },
  };
}
