// Lots: pods that the packer may exchange freely, as counts, in typed arrays by lot and by shape.
import type { Placement } from './placements.ts';
import type { ResourceAxis, Vector } from './resourceAxis.ts';

/** At most `cap` pods that count for `counter` may share a node with this pod, itself included. */
export interface CounterCap {
  readonly counter: number;
  readonly cap: number;
}

/** Each pod (or bundle) adds `count` to the counter of its node. */
export interface CounterCount {
  readonly counter: number;
  readonly count: number;
}

export interface Lot {
  /** Numbers of the pods in the order in which they are handed out, `bundle` at a time. */
  readonly pods: readonly number[];
  /** How many pods always go together; 1 unless pod affinity ties them to one node. */
  readonly bundle: number;
  /** One object for equal amounts. */
  readonly requests: Vector;
  readonly placement: Placement;
  /** Where the pods could go before domains were chosen for them. */
  readonly free: Placement;
  /** By Provisioner: the scope chosen, NO_SCOPE where the pods cannot go. */
  readonly scopes: readonly number[];
  /** The scopes without preferences, for when those find no room. */
  readonly wideScopes: readonly number[];
  readonly adds: readonly CounterCount[];
  readonly caps: readonly CounterCap[];
  readonly priority: number;
  /** Domains of its classes (`pinOf`): what to send pods away from when they find no room. */
  readonly pins: readonly string[];
}

/** Lots with equal requests are one shape: the fill looks at shapes first, of which there are few. */
export class LotStore {
  readonly axis: ResourceAxis;
  readonly lots: Lot[];
  /** Pods (bundles) of the lot that have no place yet. */
  readonly left: Int32Array;
  readonly shapeOf: Int32Array;
  readonly shapes: readonly Vector[];
  readonly counters: number;
  readonly #rank: Int32Array;

  constructor(lots: Lot[], axis: ResourceAxis, counters: number) {
    this.axis = axis;
    this.lots = lots;
    this.counters = counters;
    this.left = Int32Array.from(lots, (lot) => lot.pods.length / lot.bundle);
    this.shapeOf = new Int32Array(lots.length);
    const shapes: Vector[] = [];
    const known = new Map<Vector, number>();
    for (const [id, { requests }] of lots.entries()) {
      let shape = known.get(requests);
      if (shape === undefined) {
        shape = shapes.length;
        shapes.push(requests);
        known.set(requests, shape);
      }
      this.shapeOf[id] = shape;
    }
    this.shapes = shapes;
    this.#rank = ranksBySize(shapes);
  }

  lot(id: number): Lot {
    const lot = this.lots[id];
    if (lot === undefined) throw new Error(`no lot ${id}`);
    return lot;
  }

  /** The shape's rank by size, 0 for the largest. */
  bySize(shape: number): number {
    return this.#rank[shape] as number;
  }

  /** Gives up preferences of lots that have pods left; false when there are none to give up. */
  relax(): boolean {
    let relaxed = false;
    for (const [id, lot] of this.lots.entries()) {
      if ((this.left[id] as number) === 0 || lot.scopes === lot.wideScopes) continue;
      this.lots[id] = { ...lot, scopes: lot.wideScopes };
      relaxed = true;
    }
    return relaxed;
  }

  get anyLeft(): boolean {
    return this.left.some((count) => count > 0);
  }
}

/** Ranks by the share of the largest request that each resource takes, summed. */
function ranksBySize(shapes: readonly Vector[]): Int32Array {
  const [first] = shapes;
  const largest = new Float64Array(first?.length ?? 0);
  for (const shape of shapes) {
    for (let place = 0; place < largest.length; place++) {
      largest[place] = Math.max(largest[place] as number, shape[place] as number);
    }
  }
  const sizes = shapes.map((shape) =>
    shape.reduce((sum, amount, place) => sum + (amount > 0 ? amount / (largest[place] as number) : 0), 0),
  );
  const order = [...shapes.keys()].sort(
    (left, right) => (sizes[right] as number) - (sizes[left] as number) || left - right,
  );
  const ranks = new Int32Array(shapes.length);
  for (const [rank, shape] of order.entries()) ranks[shape] = rank;
  return ranks;
}
