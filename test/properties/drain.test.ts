// What holds of the drain of any node, played to its end: who goes when, who is left alone, and that it ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DrainStep, isDrained, keptDaemons, nextDrainStep } from '../../src/disruption/drainStep.ts';
import { DISRUPTED_TAINT_KEY } from '../../src/model/labels.ts';
import type { Pod } from '../../src/model/pod.ts';
import { aBoundPod } from '../builders.ts';

const RUNS = Math.max(1, Math.round(Number(process.env.COOPER_PROPERTY_RUNS ?? 2000) / 4));
const SECOND_MS = 1000;
const STEP_MS = 10 * SECOND_MS;
/** Longer than anything that is drawn, one after the other. */
const STEPS_MOST = 2000;
const CRITICAL = 2_000_001_000;
/** Who refuses to stop is given up so long after its grace period; a daemon whose eviction is refused, so soon. */
const PATIENCE_MS = 60 * SECOND_MS;

interface DrawnPod {
  readonly isDaemon: boolean;
  readonly isCritical: boolean;
  readonly graceSeconds: number;
  readonly nature: 'plain' | 'forbids' | 'forbids-while' | 'tolerates' | 'static' | 'ended';
  /** How its eviction is answered: done, refused for some seconds, or for good. */
  readonly refusedSeconds: number;
  /** How long it takes to stop; it may hang for ever. */
  readonly stopSeconds: number;
}

interface Drawn {
  readonly pods: readonly DrawnPod[];
  /** Of the drain, from its start; null for none. */
  readonly endSeconds: number | null;
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  pods: fc.array(
    fc.record({
      isDaemon: fc.boolean(),
      isCritical: fc.boolean(),
      graceSeconds: fc.constantFrom(0, 1, 30, 45, 300),
      nature: fc.constantFrom<DrawnPod['nature'][]>(
        ...(['plain', 'plain', 'plain', 'plain', 'forbids', 'forbids-while'] as const),
        ...(['tolerates', 'static', 'ended'] as const),
      ),
      refusedSeconds: fc.constantFrom(0, 0, 0, 25, 200, Number.POSITIVE_INFINITY),
      stopSeconds: fc.constantFrom(0, 5, 29, Number.POSITIVE_INFINITY),
    }),
    { maxLength: 8 },
  ),
  endSeconds: fc.option(fc.constantFrom(0, 20, 100, 400, 1000), { nil: null }),
});

/** Opt-outs for a while end in the course of the drain. */
const WHILE_SECONDS = 180;

const ANNOTATIONS: Partial<Readonly<Record<DrawnPod['nature'], Readonly<Record<string, string>>>>> = {
  forbids: { 'karpenter.sh/do-not-evict': 'true' },
  'forbids-while': { 'karpenter.sh/do-not-disrupt': `${WHILE_SECONDS}s` },
};

function podOf({ isDaemon, isCritical, graceSeconds, nature }: DrawnPod, index: number): Pod {
  const kind = isDaemon ? 'DaemonSet' : 'ReplicaSet';
  const toleration = { key: DISRUPTED_TAINT_KEY, operator: 'Exists' as const, value: '' };
  return aBoundPod('n', {
    ...{ name: `p${index}`, uid: `${index}`, owner: { kind, name: kind, uid: kind } },
    annotations: ANNOTATIONS[nature] ?? {},
    mirror: nature === 'static',
    phase: nature === 'ended' ? 'Failed' : 'Running',
    spec: {
      priority: isCritical ? CRITICAL : 0,
      terminationGraceSeconds: graceSeconds,
      tolerations: nature === 'tolerates' ? [{ ...toleration, effect: null, tolerationSeconds: null }] : [],
    },
  });
}

/** A node's pods in the course of its drain, and what the API server and the kubelet do to them. */
class Play {
  readonly draw: Drawn;
  nowMs = 0;
  pods: readonly Pod[];
  /** By uid: since when evictions have been refused. */
  readonly refusals = new Map<string, number>();

  constructor(draw: Drawn) {
    this.draw = draw;
    this.pods = draw.pods.map(podOf);
  }

  get endMs(): number | null {
    return this.draw.endSeconds === null ? null : this.draw.endSeconds * SECOND_MS;
  }

  of({ uid }: Pod): DrawnPod {
    const found = this.draw.pods[Number(uid)];
    assert.ok(found);
    return found;
  }

  step(): DrainStep {
    const kept = keptDaemons(this.pods, this.refusals, this.nowMs);
    return nextDrainStep(this.pods, this.nowMs, this.endMs, kept);
  }

  /** Carries the step out, and lets time go on to whatever comes next. */
  carryOut({ evict, remove, nextEndMs }: DrainStep): void {
    const going = new Set(remove.map(({ pod }) => pod));
    for (const pod of evict) {
      const sinceMs = this.refusals.get(pod.uid) ?? this.nowMs;
      if (this.nowMs - sinceMs < this.of(pod).refusedSeconds * SECOND_MS) this.refusals.set(pod.uid, sinceMs);
      else going.add(pod);
    }
    const pods = this.pods.map((pod) =>
      going.has(pod) ? { ...pod, deletionRequestedAtMs: this.nowMs } : pod,
    );
    const next = this.nowMs + STEP_MS;
    this.nowMs = nextEndMs > this.nowMs ? Math.min(next, nextEndMs) : next;
    this.pods = pods.filter((pod) => !this.#hasStopped(pod));
  }

  /** A kubelet stops a pod by force once its grace period is over, unless it hangs itself. */
  #hasStopped(pod: Pod): boolean {
    const { stopSeconds, graceSeconds } = this.of(pod);
    if (pod.deletionRequestedAtMs === null || stopSeconds === Number.POSITIVE_INFINITY) return false;
    return this.nowMs >= pod.deletionRequestedAtMs + Math.min(stopSeconds, graceSeconds) * SECOND_MS;
  }

  /** By hand: those that the drain has to see off, and may not forget. */
  awaited(): readonly Pod[] {
    return this.pods.filter((pod) => {
      const { nature, isDaemon, graceSeconds } = this.of(pod);
      if (nature === 'tolerates' || nature === 'static' || nature === 'ended') return false;
      if (isDaemon && this.#forbids(pod)) return false;
      if (isDaemon && this.nowMs >= (this.refusals.get(pod.uid) ?? this.nowMs) + PATIENCE_MS) return false;
      const { deletionRequestedAtMs } = pod;
      const stuckMs = (deletionRequestedAtMs ?? 0) + graceSeconds * SECOND_MS + PATIENCE_MS;
      return deletionRequestedAtMs === null || this.nowMs <= stuckMs;
    });
  }

  #forbids(pod: Pod): boolean {
    const { nature } = this.of(pod);
    return nature === 'forbids' || (nature === 'forbids-while' && this.nowMs < WHILE_SECONDS * SECOND_MS);
  }

  /** What is wrong with the step, in sentences. */
  faults(step: DrainStep): readonly string[] {
    const { evict, leaving, forbidding, remove, later, nextEndMs } = step;
    const removed = remove.map(({ pod }) => pod);
    const named = [...evict, ...leaving, ...forbidding.map(({ pod }) => pod), ...removed, ...later];
    const awaited = this.awaited();
    const group = (pod: Pod): number => (this.of(pod).isCritical ? 2 : 0) + (this.of(pod).isDaemon ? 1 : 0);
    const first = Math.min(...awaited.map(group));
    const dueMs = (pod: Pod): number =>
      (this.endMs ?? Number.POSITIVE_INFINITY) - this.of(pod).graceSeconds * SECOND_MS;
    const faults = awaited
      .filter((pod) => !named.includes(pod))
      .map(({ name }) => `${name} is forgotten at ${this.nowMs}`);
    if (new Set(named).size < named.length) faults.push('a pod is named twice');
    for (const { name } of named.filter((pod) => !awaited.includes(pod)))
      faults.push(`${name} is none to go`);
    for (const pod of evict) {
      if (group(pod) !== first) faults.push(`${pod.name} goes before its turn`);
      if (this.#forbids(pod)) faults.push(`${pod.name} is evicted though it forbids it`);
    }
    for (const pod of later) if (group(pod) === first) faults.push(`${pod.name} waits though it is its turn`);
    for (const { pod } of forbidding) if (!this.#forbids(pod)) faults.push(`${pod.name} forbids nothing`);
    for (const { pod, graceSeconds } of remove) {
      const leftSeconds = Math.floor(((this.endMs ?? 0) - this.nowMs) / SECOND_MS);
      if (this.nowMs < dueMs(pod)) faults.push(`${pod.name} is deleted before it has to be`);
      if (graceSeconds !== Math.max(1, leftSeconds)) faults.push(`${pod.name} is given ${graceSeconds} s`);
    }
    const dues = awaited.filter(({ deletionRequestedAtMs }) => deletionRequestedAtMs === null).map(dueMs);
    const nextMs = Math.min(
      this.endMs ?? Number.POSITIVE_INFINITY,
      ...dues.filter((dueMs) => dueMs > this.nowMs),
    );
    if (nextEndMs !== nextMs) faults.push(`it is next looked at at ${nextEndMs}, not ${nextMs}`);
    const isLate = (pod: Pod): boolean => pod.deletionRequestedAtMs === null && this.nowMs >= dueMs(pod);
    for (const pod of awaited)
      if (isLate(pod) && !removed.includes(pod)) faults.push(`${pod.name} has to be deleted by now`);
    return faults;
  }
}

/** True for one that only an end could move: its pod forbids it, or evictions of it are refused for good. */
function neverEnds({ pods, endSeconds }: Drawn): boolean {
  if (endSeconds !== null) return false;
  return pods.some(
    ({ isDaemon, nature, refusedSeconds }) =>
      !isDaemon &&
      (nature === 'forbids' ||
        (refusedSeconds === Number.POSITIVE_INFINITY && (nature === 'plain' || nature === 'forbids-while'))),
  );
}

test('a drain sees off who has to go, in turn, leaves alone who may stay, keeps its end, and comes to one', () => {
  let [ended, removed] = [0, 0];
  fc.assert(
    fc.property(drawn, (draw) => {
      const play = new Play(draw);
      let step = play.step();
      for (let steps = 0; !isDrained(step) && steps < STEPS_MOST; steps++) {
        assert.deepEqual(play.faults(step), []);
        removed += step.remove.length;
        play.carryOut(step);
        step = play.step();
      }
      assert.equal(isDrained(step), !neverEnds(draw));
      if (isDrained(step)) {
        ended += 1;
        assert.deepEqual(play.awaited(), []);
      }
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
  assert.ok(ended > RUNS / 3 && removed > RUNS / 20, `${ended} drains ended, ${removed} pods were deleted`);
});
