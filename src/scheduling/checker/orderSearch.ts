// Tries orders of binding one after the other, with steps back, where the simple ones get stuck.
import { RandomDraws } from '../randomDraws.ts';
import { AffinityGroup } from './affinityGroup.ts';
import type { Standing } from './interPod.ts';
import type { SpreadGroup } from './spreadGroup.ts';

/** Most looks at whether one pod may be bound now; a fraction of a second. */
const MOST_LOOKS = 300_000;

/** Sums of so many for each pod of a large batch are still whole numbers. */
const WEIGHTS = 2 ** 32;

/** Pods on one host that have yet to be bound, with the groups that rule and that count them. */
export interface Pile {
  readonly standing: Standing;
  left: number;
  readonly affinity: AffinityGroup | null;
  readonly spread: readonly SpreadGroup[];
  readonly counting: readonly (AffinityGroup | SpreadGroup)[];
}

interface Step {
  readonly moves: readonly Pile[];
  /** The move that was made, by its index. */
  made: number;
}

/**
 * True when an order is found that binds all pods that rules decide on. Depth first: pods that are in nobody's way
 * are bound at once, of the others the one that raises its domains least is tried first.
 * @param piles pods that are ruled or counted; groups hold the pods that run, and are left in any state
 */
export function findsOrder(piles: readonly Pile[]): boolean {
  return new OrderSearch(piles).run();
}

class OrderSearch {
  readonly #piles: readonly Pile[];
  /** By group: pods to come that it rules. */
  readonly #ruled = new Map<AffinityGroup | SpreadGroup, number>();
  /** States that were looked at; none of them leads anywhere, or is on the way here. */
  readonly #seen = new Set<number>();
  /** By pile: what one of its pods adds to the number of a state. Two states of one number are all but impossible. */
  readonly #weights: ReadonlyMap<Pile, number>;
  #state = 0;
  readonly #steps: Step[] = [];
  #looks = 0;
  #ruledLeft = 0;

  constructor(piles: readonly Pile[]) {
    this.#piles = alikeTogether(piles);
    const draws = new RandomDraws(1);
    this.#weights = new Map(this.#piles.map((pile) => [pile, draws.below(WEIGHTS)]));
    for (const pile of this.#piles) this.#expect(pile, pile.left);
  }

  run(): boolean {
    while (this.#ruledLeft > 0) {
      if (this.#looks > MOST_LOOKS) return false;
      const moves = this.#isNew() && !this.#isDoomed() ? this.#moves() : [];
      if (moves.length > 0) {
        this.#steps.push({ moves, made: 0 });
        this.#bind(moves[0], 1);
      } else if (!this.#stepBack()) return false;
    }
    return true;
  }

  /** Undoes moves up to one that has an alternative, and takes that. */
  #stepBack(): boolean {
    for (let step = this.#steps.at(-1); step !== undefined; step = this.#steps.at(-1)) {
      this.#bind(step.moves[step.made], -1);
      step.made += 1;
      if (step.made < step.moves.length) {
        this.#bind(step.moves[step.made], 1);
        return true;
      }
      this.#steps.pop();
    }
    return false;
  }

  #bind(pile: Pile | undefined, pods: 1 | -1): void {
    if (pile === undefined) return;
    pile.left -= pods;
    this.#state += pods * (this.#weights.get(pile) ?? 0);
    this.#expect(pile, -pods);
    for (const group of pile.counting) group.add(pile.standing.host, pods);
  }

  #expect({ affinity, spread }: Pile, pods: number): void {
    const groups = affinity === null ? spread : [affinity, ...spread];
    if (groups.length > 0) this.#ruledLeft += pods;
    for (const group of groups) this.#ruled.set(group, (this.#ruled.get(group) ?? 0) + pods);
  }

  #isNew(): boolean {
    if (this.#seen.has(this.#state)) return false;
    this.#seen.add(this.#state);
    return true;
  }

  /** What may be bound now: one pile if that can do no harm, else all, best first. */
  #moves(): readonly Pile[] {
    const open: Pile[] = [];
    for (const pile of this.#piles) {
      if (pile.left === 0 || !this.#allows(pile)) continue;
      if (this.#isHarmless(pile)) return [pile];
      open.push(pile);
    }
    const costs = new Map(open.map((pile) => [pile, this.#cost(pile)]));
    return open.sort((left, right) => (costs.get(left) ?? 0) - (costs.get(right) ?? 0));
  }

  #allows({ standing: { kind, host }, affinity, spread }: Pile): boolean {
    this.#looks += 1;
    return (
      (affinity === null || affinity.allows(kind, host)) && spread.every((group) => group.allows(kind, host))
    );
  }

  /** Whatever is possible without one more such pod is possible with it. */
  #isHarmless(pile: Pile): boolean {
    return pile.counting.every((group) => {
      if (this.#othersRuledBy(group, pile) === 0) return true;
      if (group instanceof AffinityGroup) return !group.isEmpty;
      return group.placeOf(pile.standing.host) === undefined;
    });
  }

  #othersRuledBy(group: AffinityGroup | SpreadGroup, { affinity, spread }: Pile): number {
    const own = group === affinity || spread.some((one) => one === group) ? 1 : 0;
    return (this.#ruled.get(group) ?? 0) - own;
  }

  /** Pods that level spreads go first; then ruled ones, which the others may shut out. */
  #cost(pile: Pile): number {
    let height = 0;
    for (const group of pile.counting) {
      if (group instanceof AffinityGroup || this.#othersRuledBy(group, pile) === 0) continue;
      height += group.height(pile.standing.host);
    }
    const isRuled = pile.affinity !== null || pile.spread.length > 0;
    return height * 2 + (isRuled ? 0 : 1);
  }

  /** True when affinity alone shuts out some pod, whatever is bound: a look ahead that spares most dead ends. */
  #isDoomed(): boolean {
    if (this.#steps.length > 0 && !this.#hasStarted()) return false;
    const added: Pile[] = [];
    const open = new Set(
      [...this.#ruled.keys()].filter((one) => one instanceof AffinityGroup && one.isEmpty),
    );
    let waiting = this.#piles.filter(({ left }) => left > 0);
    for (let before = -1; before !== waiting.length; ) {
      before = waiting.length;
      waiting = waiting.filter((pile) => {
        const { standing, affinity, counting } = pile;
        const starts = affinity !== null && open.has(affinity) && counting.includes(affinity);
        if (affinity !== null && !starts && !affinity.allows(standing.kind, standing.host)) return true;
        for (const group of counting) if (group instanceof AffinityGroup) group.add(standing.host, 1);
        added.push(pile);
        return false;
      });
    }
    this.#looks += this.#piles.length;
    for (const { standing, counting } of added) {
      for (const group of counting) if (group instanceof AffinityGroup) group.add(standing.host, -1);
    }
    return waiting.length > 0;
  }

  /** True when the last move may have been the first of a group: only such a one shuts others out. */
  #hasStarted(): boolean {
    const step = this.#steps.at(-1);
    const made = step?.moves[step.made];
    if (made === undefined) return true;
    const { counting, standing } = made;
    for (const group of counting) group.add(standing.host, -1);
    const started = counting.some((group) => group instanceof AffinityGroup && group.isEmpty);
    for (const group of counting) group.add(standing.host, 1);
    return started;
  }
}

/** One pile for pods that the same groups rule and count in the same domains: any of them may go for any other. */
function alikeTogether(piles: readonly Pile[]): readonly Pile[] {
  const numbers = new Map<AffinityGroup | SpreadGroup, number>();
  const nameOf = (group: AffinityGroup | SpreadGroup, { standing }: Pile): string => {
    const number = numbers.get(group) ?? numbers.size;
    numbers.set(group, number);
    return `${number}:${group.placeOf(standing.host) ?? ''}`;
  };
  const byName = Map.groupBy(piles, (pile) => {
    const { affinity, spread, counting } = pile;
    const lists = [affinity === null ? [] : [affinity], spread, counting];
    return JSON.stringify(lists.map((groups) => groups.map((group) => nameOf(group, pile))));
  });
  return [...byName.values()].flatMap((alike) => {
    const [first] = alike;
    return first === undefined ? [] : [{ ...first, left: alike.reduce((sum, { left }) => sum + left, 0) }];
  });
}
