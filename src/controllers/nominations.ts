// Which pods are on their way to which node or claim, so that nothing is taken away under them.
import type { Nomination } from '../model/plan.ts';

/** v0.16: a nominated node counts as in use for at least this long. */
const NOMINATION_LEAST_MS = 10_000;

/** How long a nomination holds: the larger of 10 s and 1.5 batch windows (Karpenter v0.16's rule). */
export function nominationMs(batchMaxMs: number): number {
  return Math.max(NOMINATION_LEAST_MS, 1.5 * batchMaxMs);
}

/** Nominations in memory only: after a restart the next planning pass makes them again. */
export class Nominations {
  readonly #untilMs = new Map<string, number>();
  readonly #targetOfPod = new Map<string, string>();

  /** Replaces what is known of these pods. `name` is a node's or a NodeClaim's. */
  nominate(nominations: readonly Nomination[], nowMs: number, holdMs: number): void {
    for (const { pod, target } of nominations) {
      this.#untilMs.set(target.name, nowMs + holdMs);
      this.#targetOfPod.set(pod, target.name);
    }
  }

  /** True while the node or claim of that name has pods on their way. */
  isNominated(name: string, nowMs: number): boolean {
    return (this.#untilMs.get(name) ?? 0) > nowMs;
  }

  /** When the nomination of that name ends, 0 when there is none. */
  endsAtMs(name: string): number {
    return this.#untilMs.get(name) ?? 0;
  }

  /** Where the pod was sent last, null when nowhere. */
  targetOf(pod: string): string | null {
    return this.#targetOfPod.get(pod) ?? null;
  }

  /** Forgets a pod that was bound or deleted. */
  forgetPod(pod: string): void {
    this.#targetOfPod.delete(pod);
  }

  /** Drops what has run out, so that memory stays flat. */
  prune(nowMs: number): void {
    for (const [name, untilMs] of this.#untilMs) if (untilMs <= nowMs) this.#untilMs.delete(name);
  }
}
