// Which pods are on their way to which node or claim, so that nothing is taken away under them.
import type { Nomination } from '../model/plan.ts';

/** v0.16: a nominated node counts as in use for at least this long. */
const NOMINATION_LEAST_MS = 10_000;

/** How long a nomination holds: the larger of 10 s and 1.5 batch windows (Karpenter v0.16's rule). */
export function nominationMs(batchMaxMs: number): number {
  return Math.max(NOMINATION_LEAST_MS, 1.5 * batchMaxMs);
}

interface Target {
  untilMs: number;
  /** Pods still on their way to it. */
  readonly pods: Set<string>;
}

/** Nominations in memory only: after a restart the next planning pass makes them again. */
export class Nominations {
  readonly #targets = new Map<string, Target>();
  readonly #targetOfPod = new Map<string, string>();

  /** Replaces what is known of these pods. A target's `name` is a node's or a NodeClaim's. */
  nominate(nominations: readonly Nomination[], nowMs: number, holdMs: number): void {
    for (const { pod, target } of nominations) {
      this.forgetPod(pod);
      const held = this.#targets.get(target.name) ?? { untilMs: 0, pods: new Set() };
      held.untilMs = Math.max(held.untilMs, nowMs + holdMs);
      held.pods.add(pod);
      this.#targets.set(target.name, held);
      this.#targetOfPod.set(pod, target.name);
    }
  }

  /** How many pods are remembered to be on their way. */
  get size(): number {
    return this.#targetOfPod.size;
  }

  /** Until when pods are on their way to the node or claim of that name; 0 when none is. */
  endsAtMs(name: string): number {
    return this.#targets.get(name)?.untilMs ?? 0;
  }

  /** Where these pods were sent last: target names by pod key, for those that were sent anywhere. */
  targetsOf(pods: readonly string[]): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const pod of pods) {
      const name = this.#targetOfPod.get(pod);
      if (name !== undefined) found.set(pod, name);
    }
    return found;
  }

  /** Pods on their way to the node or claim of that name. */
  podsOf(name: string): readonly string[] {
    return [...(this.#targets.get(name)?.pods ?? [])];
  }

  /** Forgets a pod that was bound or deleted; a target that waits for no other is free again. */
  forgetPod(pod: string): void {
    const name = this.#targetOfPod.get(pod);
    if (name === undefined) return;
    this.#targetOfPod.delete(pod);
    const target = this.#targets.get(name);
    target?.pods.delete(pod);
    if (target?.pods.size === 0) this.#targets.delete(name);
  }

  /** Drops what has run out, so that memory stays flat. */
  prune(nowMs: number): void {
    for (const { untilMs, pods } of [...this.#targets.values()]) {
      if (untilMs <= nowMs) for (const pod of [...pods]) this.forgetPod(pod);
    }
  }
}
