// Which nodes to buy, by totals alone: whole numbers of columns that cover all rows together, searched by chance.
import type { RandomDraws } from './randomDraws.ts';

/** Rows to cover, and what each column costs and gives to them. */
export interface CoverProblem {
  readonly demands: Float64Array;
  /** By row: what a unit is worth. */
  readonly prices: Float64Array;
  /** Column after column: what it gives to each row. */
  readonly given: Float64Array;
  readonly costs: Float64Array;
}

/** How many covers are drawn. */
const SAMPLES = 10;
/** Covers of more nodes than this are not looked for: whole numbers matter little there. */
const MOST_NODES = 40;
/** How far chance may change what a column looks like costing. */
const NOISE = 0.4;
/** Rows without a price count this share of the whole, so that they are covered too. */
const LEAST_SHARE = 0.02;

/** Draws covers, and keeps the cheapest. */
export class CoverSearch {
  readonly #problem: CoverProblem;
  readonly #draws: RandomDraws;
  readonly #weights: Float64Array;
  readonly #left: Float64Array;
  #best: readonly number[] = [];
  #leastUsd = Number.POSITIVE_INFINITY;
  /** Columns looked at so far. */
  work = 0;

  constructor(problem: CoverProblem, draws: RandomDraws) {
    this.#problem = problem;
    this.#draws = draws;
    const { demands, prices } = problem;
    let total = 0;
    for (let at = 0; at < demands.length; at++) total += (demands[at] as number) * (prices[at] as number);
    this.#weights = prices.map(
      (price, at) => price + (LEAST_SHARE * Math.max(total, 1e-9)) / (demands[at] as number),
    );
    this.#left = new Float64Array(demands.length);
  }

  /**
   * Columns to buy, one entry for each node; empty when no cover was found.
   * @param slack by how much totals are raised, since pods never fill nodes to the brim
   */
  cheapest(slack: number): readonly number[] {
    this.#best = [];
    this.#leastUsd = Number.POSITIVE_INFINITY;
    for (let sample = 0; sample < SAMPLES; sample++) this.#sample(slack, sample === 0 ? 0 : NOISE);
    return this.#best;
  }

  #sample(slack: number, noise: number): void {
    const { demands, costs } = this.#problem;
    const left = this.#left;
    for (let at = 0; at < left.length; at++) left[at] = (demands[at] as number) * (1 + slack);
    const picked: number[] = [];
    let usd = 0;
    while (picked.length < MOST_NODES) {
      const { next, last } = this.#look(noise);
      if (last >= 0 && usd + (costs[last] as number) < this.#leastUsd) {
        this.#best = [...picked, last];
        this.#leastUsd = usd + (costs[last] as number);
      }
      if (next < 0) return;
      picked.push(next);
      usd += costs[next] as number;
      if (usd >= this.#leastUsd || this.#take(next)) return;
    }
  }

  /** The column that costs least for its worth now, chance aside, and the cheapest that covers all that is left. */
  #look(noise: number): { readonly next: number; readonly last: number } {
    const { costs, given } = this.#problem;
    const left = this.#left;
    const rows = left.length;
    let next = -1;
    let last = -1;
    let bestScore = Number.POSITIVE_INFINITY;
    this.work += costs.length;
    for (let column = 0; column < costs.length; column++) {
      let worth = 0;
      let covers = true;
      for (let at = 0, entry = column * rows; at < rows; at++, entry++) {
        const asked = left[at] as number;
        const there = given[entry] as number;
        if (there < asked) {
          covers = false;
          worth += there * (this.#weights[at] as number);
        } else worth += asked * (this.#weights[at] as number);
      }
      const usd = costs[column] as number;
      if (covers && (last < 0 || usd < (costs[last] as number))) last = column;
      const score = (usd / worth) * (noise === 0 ? 1 : 1 + noise * this.#draws.next());
      if (worth > 0 && score < bestScore) {
        bestScore = score;
        next = column;
      }
    }
    return { next, last };
  }

  /** True when nothing is left to cover. */
  #take(column: number): boolean {
    const { given } = this.#problem;
    const rows = this.#left.length;
    let done = true;
    for (let at = 0; at < rows; at++) {
      const rest = Math.max(0, (this.#left[at] as number) - (given[column * rows + at] as number));
      this.#left[at] = rest;
      if (rest > 0) done = false;
    }
    return done;
  }
}
