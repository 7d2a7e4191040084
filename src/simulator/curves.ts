// How many replicas a workload wants over time: written out as steps before the simulation starts.
import type { ReplicaStep } from './workloads.ts';

/** Office hours: `base` at night and on days off, `peak` in the middle of the day, a straight ramp between. */
export interface DailyCurve {
  readonly base: number;
  readonly peak: number;
  /** Since midnight UTC. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly rampMs: number;
  readonly weekdaysOnly: boolean;
}

/** A HorizontalPodAutoscaler over a demand: one pod carries `perPod` of it. */
export interface AutoscaledCurve {
  readonly demand: readonly { readonly atMs: number; readonly units: number }[];
  readonly perPod: number;
  readonly least: number;
  readonly most: number;
}

export interface BurstCurve {
  readonly everyMs: number;
  readonly pods: number;
}

export interface Window {
  readonly startMs: number;
  readonly endMs: number;
}

const DAY_MS = 86_400_000;
const DAILY_STEP_MS = 300_000;
/** Source: Kubernetes, "Horizontal Pod Autoscaling": sync period, and how long a lower wish must have stood. */
const AUTOSCALER_SYNC_MS = 15_000;
const SCALE_DOWN_WINDOW_MS = 300_000;
/** Changes below a tenth are left alone. */
const AUTOSCALER_TOLERANCE = 0.1;

/** The daily curve in five-minute steps, steps without a change left out. */
export function dailySteps(curve: DailyCurve, { startMs, endMs }: Window): readonly ReplicaStep[] {
  const steps: ReplicaStep[] = [];
  for (let atMs = startMs; atMs < endMs; atMs += DAILY_STEP_MS) {
    const replicas = dailyReplicas(curve, atMs);
    if (steps.at(-1)?.replicas !== replicas) steps.push({ atMs, replicas });
  }
  return steps;
}

function dailyReplicas(curve: DailyCurve, atMs: number): number {
  const weekday = new Date(atMs).getUTCDay();
  if (curve.weekdaysOnly && (weekday === 0 || weekday === 6)) return curve.base;
  const timeOfDayMs = atMs % DAY_MS;
  const sinceStartMs = timeOfDayMs - curve.fromMs;
  const untilEndMs = curve.untilMs - timeOfDayMs;
  const share = Math.min(1, Math.max(0, Math.min(sinceStartMs, untilEndMs) / Math.max(1, curve.rampMs)));
  return Math.round(curve.base + (curve.peak - curve.base) * share);
}

/** What the autoscaler would ask for as the demand changes; at most a doubling, or four pods, each sync. */
export function autoscaledSteps(curve: AutoscaledCurve, { startMs, endMs }: Window): readonly ReplicaStep[] {
  let replicas = curve.least;
  const steps: ReplicaStep[] = [{ atMs: startMs, replicas }];
  const wishes: { atMs: number; replicas: number }[] = [];
  for (let atMs = startMs; atMs < endMs; atMs += AUTOSCALER_SYNC_MS) {
    const wish = wishedReplicas(curve, atMs, replicas);
    wishes.push({ atMs, replicas: wish });
    while ((wishes[0]?.atMs ?? atMs) < atMs - SCALE_DOWN_WINDOW_MS) wishes.shift();
    const held = Math.max(...wishes.map((one) => one.replicas));
    const fastest = Math.max(replicas + 4, 2 * replicas);
    const next = wish > replicas ? Math.min(wish, fastest) : Math.min(replicas, held);
    if (next !== replicas) steps.push({ atMs, replicas: next });
    replicas = next;
  }
  return steps;
}

function wishedReplicas(curve: AutoscaledCurve, atMs: number, replicas: number): number {
  const units = curve.demand.findLast((one) => one.atMs <= atMs)?.units ?? 0;
  const ratio = replicas === 0 ? Number.POSITIVE_INFINITY : units / (replicas * curve.perPod);
  if (Math.abs(ratio - 1) <= AUTOSCALER_TOLERANCE) return replicas;
  return Math.min(curve.most, Math.max(curve.least, Math.ceil(units / curve.perPod)));
}

/** A burst of so many pods every so often, the first one period after the start. */
export function burstSteps(
  { everyMs, pods }: BurstCurve,
  { startMs, endMs }: Window,
): readonly ReplicaStep[] {
  const steps: ReplicaStep[] = [];
  for (let atMs = startMs + everyMs; atMs < endMs; atMs += everyMs) steps.push({ atMs, replicas: pods });
  return steps;
}
