// Stops consolidation that pays on paper only: pods that the kube-scheduler puts elsewhere may cost what was saved.
import {
  type ActionLedger,
  type ActionTaken,
  ledgerOf,
  netSavingUsdPerHour,
  stayingUsdPerHour,
} from '../disruption/rebought.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';

const FIRST_PAUSE_MS = 600_000;
const LONGEST_PAUSE_MS = 24 * 3_600_000;
/** Below this a difference is rounding. */
const ROUNDING = 1e-9;

interface Before {
  readonly usdPerHour: number;
  readonly ledger: ActionLedger;
}

/** Compares what the cluster costs before an action with what it costs when the next is due. */
export class ConsolidationBrake {
  #before: Before | null = null;
  #vain = 0;

  /**
   * How long to leave the cluster alone instead of the next action, in milliseconds: 0 when the last one was not in
   * vain, else twice as long each time, up to a day. In vain is one after which the cluster costs as much as before,
   * unless all of that was bought for pods that the action has not moved.
   * @param snapshot the cluster as the next action is due
   */
  pauseMs(snapshot: ClusterSnapshot): number {
    const before = this.#before;
    this.#before = null;
    if (before === null) return 0;
    const isCheaper = stayingUsdPerHour(snapshot) < before.usdPerHour - ROUNDING;
    if (isCheaper || netSavingUsdPerHour(before.ledger, snapshot) > ROUNDING) {
      this.#vain = 0;
      return 0;
    }
    const pauseMs = FIRST_PAUSE_MS * 2 ** this.#vain;
    this.#vain += 1;
    return Math.min(LONGEST_PAUSE_MS, pauseMs);
  }

  /** Notes the cluster as it is right before an action. */
  acting(snapshot: ClusterSnapshot, action: ActionTaken): void {
    this.#before = { usdPerHour: stayingUsdPerHour(snapshot), ledger: ledgerOf(snapshot, action) };
  }
}
