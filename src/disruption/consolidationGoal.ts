// Which nodes a cheapest cluster would do without, with nothing bought: taken away and put back on paper.
import type { RandomDraws } from '../scheduling/randomDraws.ts';
import type { Board, Standing } from './consolidationBoard.ts';
import type { Deciding } from './consolidationSearch.ts';

/** The search ends after so many changes, */
const CHANGES_MOST = 2048;
/** or so many in vain, fewer where there are fewer nodes, */
const IN_VAIN_MOST = 512;
/** or when its changes have taken so many looks at seats: a quarter of a second. */
const LOOKS_MOST = 12e6;
/** Nodes put back at most in one change, and nodes that are then tried in their place. */
const PUT_BACK_MOST = 4;
const TRIED = 20;
/** How far chance shifts the order in which they are tried, as a share of a node's mean price. */
const SHIFT = 0.05;
/** Looks between two pauses: some ten milliseconds. */
export const LOOKS_A_TURN = 400_000;
/** Gains that differ by less are the same. */
const ROUNDING_USD = 1e-9;

/**
 * Takes away what can go, the most wasteful first. Then, over and over, puts a few nodes back and takes others away
 * where they were, as long as that gains: large neighbourhood search (Shaw 1998), by the gain of each node.
 * @param board on which nothing has gone yet; afterwards what goes is gone there
 */
export function* seekGoal(board: Board, draws: RandomDraws): Deciding<void> {
  const paying = board.standings.filter(({ gainUsd }) => gainUsd > 0);
  const byWaste = [...paying].sort((left, right) => right.wasteUsd - left.wasteUsd);
  let turnEndsAt = 0;
  const isTurnOver = (): boolean => {
    if (board.looks < turnEndsAt) return false;
    turnEndsAt = board.looks + LOOKS_A_TURN;
    return true;
  };
  for (const one of byWaste) {
    if (isTurnOver()) yield;
    board.remove(one);
  }
  board.settle();
  const looksMost = board.looks + LOOKS_MOST;
  const shiftUsd =
    (SHIFT * paying.reduce((sum, { candidate }) => sum + candidate.usdPerHour, 0)) / paying.length;
  const inVainMost = Math.min(IN_VAIN_MOST, 0.75 * paying.length);
  let inVain = 0;
  for (let change = 0; change < CHANGES_MOST && inVain < inVainMost; change++) {
    if (board.looks > looksMost) return;
    if (isTurnOver()) yield;
    const gone = byWaste.filter((one) => board.isGone(one));
    const there = byWaste.filter((one) => !board.isGone(one));
    if (gone.length === 0 || there.length === 0) return;
    const putBack = drawn(gone, 1 + draws.below(PUT_BACK_MOST), draws);
    const tried = drawn(there, TRIED, draws);
    const gainedUsd = changed(board, { putBack, tried, shiftUsd }, draws);
    if (gainedUsd >= 0) board.settle();
    else board.undo();
    inVain = gainedUsd > ROUNDING_USD ? 0 : inVain + 1;
  }
}

interface Change {
  readonly putBack: ReadonlySet<Standing>;
  readonly tried: ReadonlySet<Standing>;
  readonly shiftUsd: number;
}

/** Puts some back, takes others away, and tells what that gains in USD an hour. */
function changed(board: Board, { putBack, tried, shiftUsd }: Change, draws: RandomDraws): number {
  let gainedUsd = 0;
  for (const one of putBack) {
    board.restore(one);
    gainedUsd -= one.gainUsd;
  }
  const order = [...tried, ...putBack].map((one) => ({
    one,
    rank: one.wasteUsd + shiftUsd * (2 * draws.next() - 1),
  }));
  order.sort((left, right) => right.rank - left.rank);
  for (const { one } of order) if (board.remove(one)) gainedUsd += one.gainUsd;
  return gainedUsd > -ROUNDING_USD ? Math.max(0, gainedUsd) : gainedUsd;
}

function drawn(from: readonly Standing[], count: number, draws: RandomDraws): ReadonlySet<Standing> {
  const found = new Set<Standing>();
  for (let draw = 0; draw < count; draw++) found.add(from[draws.below(from.length)] as Standing);
  return found;
}
