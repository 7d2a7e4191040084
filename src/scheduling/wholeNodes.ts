// Nodes are bought whole: covering rows divided by what one node gives, and rounded up.
import type { PackingProblem } from './simplex.ts';

/** Columns this much dearer than their worth, as a share, may still be bought by a good plan. */
const NEAR_WORTH = 0.05;
/** Rows that take more nodes than this gain next to nothing from rounding. */
const MOST_NODES = 60;
/** Rounding must raise what is asked for by this factor. */
const LEAST_GAIN = 1.003;
/** Rows added at most. */
const MOST_ROWS = 40;
/** Sums of demands are exact; quotients may be off by this much. */
const ROUNDING = 1e-9;

interface Rounding {
  readonly row: number;
  readonly divisor: number;
  readonly gain: number;
}

/**
 * The problem with rows that hold for whole nodes only: a row's demand and entries divided by what one likely node
 * gives, each rounded up. Source: Chvatal-Gomory cuts (Gomory 1958, Chvatal 1973).
 * @param prices of the rows, which say what is worth rounding
 * @param whole what a whole node gives, laid out as the columns are
 */
export function withWholeNodes(
  problem: PackingProblem,
  prices: Float64Array,
  whole: Float64Array,
): PackingProblem {
  const roundings = worthwhile(problem, prices, whole);
  if (roundings.length === 0) return problem;
  const { demands, columns, costs } = problem;
  const ceilings = roundings.map(({ row, divisor }) =>
    Math.ceil((demands[row] as number) / divisor - ROUNDING),
  );
  const size = demands.length;
  const wider = size + roundings.length;
  const extended = new Float64Array(costs.length * wider);
  for (let column = 0; column < costs.length; column++) {
    extended.set(columns.subarray(column * size, (column + 1) * size), column * wider);
    for (const [at, { row, divisor }] of roundings.entries()) {
      const given = Math.min(whole[column * size + row] as number, demands[row] as number);
      const nodes = Math.min(Math.ceil(given / divisor), ceilings[at] as number);
      extended[column * wider + size + at] = nodes;
    }
  }
  return { demands: Float64Array.from([...demands, ...ceilings]), columns: extended, costs };
}

/** Rows with a price, by what each node gives that is nearly worth its price; those that gain most first. */
function worthwhile(
  { demands, columns, costs }: PackingProblem,
  prices: Float64Array,
  whole: Float64Array,
): Rounding[] {
  const size = demands.length;
  const priced = [...prices.keys()].filter((row) => (prices[row] as number) > 0);
  const found = new Map<string, Rounding>();
  for (let column = 0; column < costs.length; column++) {
    let worth = 0;
    for (const row of priced) worth += (prices[row] as number) * (columns[column * size + row] as number);
    if (worth < (costs[column] as number) * (1 - NEAR_WORTH)) continue;
    for (const row of priced) {
      const demand = demands[row] as number;
      const divisor = Math.min(whole[column * size + row] as number, demand);
      if (divisor <= 0 || demand > MOST_NODES * divisor) continue;
      const gain = Math.ceil(demand / divisor - ROUNDING) / (demand / divisor);
      if (gain >= LEAST_GAIN) found.set(`${row}|${divisor}`, { row, divisor, gain });
    }
  }
  return [...found.values()]
    .sort((left, right) => right.gain - left.gain || left.row - right.row || left.divisor - right.divisor)
    .slice(0, MOST_ROWS);
}
