// A small dense simplex for packing duals: what a unit of each covering row is worth at most.

export interface PackingSolution {
  /** By row: the price of one unit of its demand. Never negative. */
  readonly prices: Float64Array;
  /** What all demands are worth together at these prices. */
  readonly value: number;
}

export interface PackingProblem {
  /** By row: how much is asked for. */
  readonly demands: Float64Array;
  /** By column: what it holds of each row. */
  readonly columns: readonly Float64Array[];
  /** By column: what one costs. */
  readonly costs: Float64Array;
}

const TINY = 1e-9;

/**
 * Maximises the worth of all demands such that no column holds more worth than it costs: the dual of the covering
 * LP, so its value is a lower bound on the cost of any cover. Prices are scaled down until every column obeys, so
 * the bound holds whatever rounding did. Source: Dantzig's simplex with Bland's rule (1977) once it stalls.
 */
export function packingPrices({ demands, columns, costs }: PackingProblem): PackingSolution {
  const scale = rowScales(demands, columns);
  const tableau = columns.map((column, index) => {
    const row = new Float64Array(demands.length + 1);
    for (let at = 0; at < demands.length; at++) row[at] = (column[at] as number) * (scale[at] as number);
    row[demands.length] = costs[index] as number;
    return row;
  });
  const objective = new Float64Array(demands.length + 1);
  for (let at = 0; at < demands.length; at++)
    objective[at] = -(demands[at] as number) * (scale[at] as number);
  const basis = pivotToOptimum(tableau, objective, demands.length);
  const prices = new Float64Array(demands.length);
  for (const [row, variable] of basis.entries()) {
    if (variable < demands.length) {
      prices[variable] = Math.max(0, tableau[row]?.[demands.length] ?? 0) * (scale[variable] as number);
    }
  }
  return madeFeasible(prices, { demands, columns, costs });
}

/** One over the largest entry of each row, so that bytes and cores are of one size. */
function rowScales(demands: Float64Array, columns: readonly Float64Array[]): Float64Array {
  const scales = new Float64Array(demands.length).fill(1);
  for (let at = 0; at < demands.length; at++) {
    let largest = 0;
    for (const column of columns) largest = Math.max(largest, column[at] as number);
    if (largest > 0) scales[at] = 1 / largest;
  }
  return scales;
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
  for (const [row, entries] of tableau.entries()) {
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
  for (const [index, column] of columns.entries()) {
    let worth = 0;
    for (let at = 0; at < prices.length; at++) worth += (prices[at] as number) * (column[at] as number);
    const cost = costs[index] as number;
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
