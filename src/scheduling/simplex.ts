// A small dense simplex for packing duals: what a unit of each covering row is worth at most.

export interface PackingSolution {
  /** By row: the price of one unit of its demand. Never negative. */
  readonly prices: Float64Array;
  /** What all demands are worth together at these prices. */
  readonly value: number;
}

/** Columns as a matrix: what column `at` holds of each row begins at `at * demands.length`. */
export interface PackingProblem {
  /** By row: how much is asked for. */
  readonly demands: Float64Array;
  readonly columns: Float64Array;
  /** By column: what one costs. */
  readonly costs: Float64Array;
}

const TINY = 1e-9;
/** A column worth this much more than it costs is one that the prices have not heard of yet. */
const OVERPRICED = 1 + 1e-9;
/** So many of the columns that break the prices most are added at a time. */
const ADDED = 6;

/**
 * Maximises the worth of all demands such that no column holds more worth than it costs: the dual of the covering
 * LP, so its value is a lower bound on the cost of any cover. Most columns never bind: the LP is solved over a few,
 * and those that its prices break are added until there are none. Prices are scaled down at the end until every
 * column obeys, so the bound holds whatever rounding did.
 * Source: Gilmore and Gomory's column generation (1961) around Dantzig's simplex.
 */
export function packingPrices(problem: PackingProblem): PackingSolution {
  const { demands, columns, costs } = problem;
  const scales = rowScales(demands.length, columns);
  const chosen = cheapestByRow(problem);
  let prices: Float64Array = new Float64Array(demands.length);
  for (let round = 0; round < costs.length; round++) {
    prices = solved(problem, chosen, scales);
    const broken = mostOverpriced(prices, problem, chosen);
    if (broken.length === 0) break;
    for (const column of broken) chosen.add(column);
  }
  return madeFeasible(prices, problem);
}

/** For each row that is asked for, the column that gives most of it for its cost: without one prices had no end. */
function cheapestByRow({ demands, columns, costs }: PackingProblem): Set<number> {
  const chosen = new Set<number>();
  const size = demands.length;
  for (let row = 0; row < size; row++) {
    let best = -1;
    let most = 0;
    for (let column = 0; column < costs.length; column++) {
      const given = (columns[column * size + row] as number) / (costs[column] as number);
      if (given > most) {
        best = column;
        most = given;
      }
    }
    if (best >= 0) chosen.add(best);
  }
  return chosen;
}

/** The LP over the chosen columns alone. */
function solved(
  { demands, columns, costs }: PackingProblem,
  chosen: ReadonlySet<number>,
  scales: Float64Array,
): Float64Array {
  const size = demands.length;
  const tableau: Float64Array[] = [];
  for (const column of chosen) {
    const row = new Float64Array(size + 1);
    for (let at = 0; at < size; at++)
      row[at] = (columns[column * size + at] as number) * (scales[at] as number);
    row[size] = costs[column] as number;
    tableau.push(row);
  }
  const objective = new Float64Array(size + 1);
  for (let at = 0; at < size; at++) objective[at] = -(demands[at] as number) * (scales[at] as number);
  const basis = pivotToOptimum(tableau, objective, size);
  const prices = new Float64Array(size);
  for (const [row, variable] of basis.entries()) {
    if (variable < size) {
      prices[variable] = Math.max(0, tableau[row]?.[size] ?? 0) * (scales[variable] as number);
    }
  }
  return prices;
}

/** Columns that hold more worth than they cost, by how much more, at most ADDED of them. */
function mostOverpriced(
  prices: Float64Array,
  { columns, costs }: PackingProblem,
  chosen: ReadonlySet<number>,
): readonly number[] {
  const worst: { readonly column: number; readonly excess: number }[] = [];
  for (let column = 0; column < costs.length; column++) {
    const excess = worthOf(prices, columns, column) / (costs[column] as number);
    if (!(excess > OVERPRICED) || chosen.has(column)) continue;
    if (worst.length === ADDED && excess <= (worst[ADDED - 1]?.excess ?? 0)) continue;
    let at = worst.length;
    while (at > 0 && (worst[at - 1]?.excess ?? 0) < excess) at--;
    worst.splice(at, 0, { column, excess });
    if (worst.length > ADDED) worst.pop();
  }
  return worst.map(({ column }) => column);
}

function worthOf(prices: Float64Array, columns: Float64Array, column: number): number {
  const start = column * prices.length;
  let worth = 0;
  for (let at = 0; at < prices.length; at++)
    worth += (prices[at] as number) * (columns[start + at] as number);
  return worth;
}

/** One over the largest entry of each row, so that bytes and cores are of one size. */
function rowScales(rows: number, columns: Float64Array): Float64Array {
  const largest = new Float64Array(rows);
  for (let at = 0; at < columns.length; at += rows) {
    for (let row = 0; row < rows; row++) {
      const amount = columns[at + row] as number;
      if (amount > (largest[row] as number)) largest[row] = amount;
    }
  }
  return largest.map((amount) => (amount > 0 ? 1 / amount : 1));
}

/** The tableau keeps only columns of variables outside the basis: a pivot swaps one in and one out. */
function pivotToOptimum(tableau: Float64Array[], objective: Float64Array, variables: number): Int32Array {
  const basis = Int32Array.from(tableau, (_, row) => variables + row);
  const outside = Int32Array.from({ length: variables }, (_, at) => at);
  const most = 50 * (variables + 4);
  for (let step = 0; step < most; step++) {
    const entering = enteringColumn(objective, outside, step > most / 2);
    if (entering < 0) break;
    const leaving = leavingRow(tableau, basis, entering);
    if (leaving < 0) break;
    pivot(tableau, objective, { leaving, entering });
    const swapped = basis[leaving] as number;
    basis[leaving] = outside[entering] as number;
    outside[entering] = swapped;
  }
  return basis;
}

function enteringColumn(objective: Float64Array, outside: Int32Array, careful: boolean): number {
  let best = -1;
  for (let at = 0; at < outside.length; at++) {
    if ((objective[at] as number) >= -TINY) continue;
    const better = careful
      ? (outside[at] as number) < (outside[best] as number)
      : (objective[at] as number) < (objective[best] as number);
    if (best < 0 || better) best = at;
  }
  return best;
}

function leavingRow(tableau: readonly Float64Array[], basis: Int32Array, entering: number): number {
  let best = -1;
  let bestRatio = Number.POSITIVE_INFINITY;
  for (let row = 0; row < tableau.length; row++) {
    const entries = tableau[row] as Float64Array;
    const entry = entries[entering] as number;
    if (entry <= TINY) continue;
    const ratio = (entries[entries.length - 1] as number) / entry;
    const tied = Math.abs(ratio - bestRatio) < 1e-12;
    if (ratio < bestRatio - 1e-12 || (tied && (basis[row] as number) < (basis[best] as number))) {
      best = row;
      bestRatio = Math.min(ratio, bestRatio);
    }
  }
  return best;
}

function pivot(
  tableau: Float64Array[],
  objective: Float64Array,
  { leaving, entering }: { readonly leaving: number; readonly entering: number },
): void {
  const pivotRow = tableau[leaving] as Float64Array;
  const inverse = 1 / (pivotRow[entering] as number);
  for (let at = 0; at < pivotRow.length; at++) pivotRow[at] = (pivotRow[at] as number) * inverse;
  pivotRow[entering] = inverse;
  for (const row of tableau) if (row !== pivotRow) eliminate(row, pivotRow, entering);
  eliminate(objective, pivotRow, entering);
}

function eliminate(row: Float64Array, pivotRow: Float64Array, entering: number): void {
  const factor = row[entering] as number;
  if (factor === 0) return;
  row[entering] = 0;
  for (let at = 0; at < row.length; at++) row[at] = (row[at] as number) - factor * (pivotRow[at] as number);
}

/** Scales the prices down until no column is worth more than it costs. */
function madeFeasible(prices: Float64Array, { demands, columns, costs }: PackingProblem): PackingSolution {
  let factor = 1;
  for (let column = 0; column < costs.length; column++) {
    const worth = worthOf(prices, columns, column);
    const cost = costs[column] as number;
    if (worth > cost) factor = Math.min(factor, cost / worth);
  }
  if (factor < 1) factor *= 1 - 1e-12;
  let value = 0;
  for (let at = 0; at < prices.length; at++) {
    prices[at] = (prices[at] as number) * factor;
    value += (prices[at] as number) * (demands[at] as number);
  }
  return { prices, value };
}
