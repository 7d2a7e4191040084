// Stops consolidation that pays on paper only: pods that the kube-scheduler puts elsewhere may cost what was saved.

const FIRST_PAUSE_MS = 600_000;
const LONGEST_PAUSE_MS = 24 * 3_600_000;
/** Below this a difference is rounding. */
const ROUNDING = 1e-9;

/** Compares what the cluster costs before an action with what it costs when the next is due. */
export class ConsolidationBrake {
  #beforeUsdPerHour: number | null = null;
  #vain = 0;

  /**
   * How long to leave the cluster alone instead of the next action, in milliseconds: 0 when the last one has made it
   * cheaper, else twice as long each time, up to a day.
   * @param usdPerHour what all nodes cost now
   */
  pauseMs(usdPerHour: number): number {
    const before = this.#beforeUsdPerHour;
    this.#beforeUsdPerHour = null;
    if (before === null) return 0;
    if (usdPerHour < before - ROUNDING) {
      this.#vain = 0;
      return 0;
    }
    const pauseMs = FIRST_PAUSE_MS * 2 ** this.#vain;
    this.#vain += 1;
    return Math.min(LONGEST_PAUSE_MS, pauseMs);
  }

  /** Notes what all nodes cost right before an action. */
  acting(usdPerHour: number): void {
    this.#beforeUsdPerHour = usdPerHour;
  }
}
