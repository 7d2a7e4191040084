// Resource amounts as vectors: one place per resource name that any pod in play asks for.
import type { Resources } from '../model/resources.ts';

export type Vector = Float64Array;

/** Which place of a vector holds which resource; amounts stay exact integers (below 2^53). */
export interface ResourceAxis {
  readonly names: readonly string[];
  readonly size: number;
}

const ALWAYS = ['cpu', 'memory', 'pods'];
export const CPU = 0;

/** The axis of all names asked for: cpu, memory and pods first, the others sorted. */
export function resourceAxis(requests: Iterable<Resources>): ResourceAxis {
  const found = new Set<string>();
  for (const request of requests) {
    for (const name in request) if ((request[name] ?? 0) > 0) found.add(name);
  }
  const others = [...found].filter((name) => !ALWAYS.includes(name)).sort();
  const names = [...ALWAYS, ...others];
  return { names, size: names.length };
}

/** The amounts by place; names that are not on the axis are dropped: no pod asks for them. */
export function toVector(axis: ResourceAxis, resources: Resources): Vector {
  const vector = new Float64Array(axis.size);
  for (let place = 0; place < axis.size; place++) vector[place] = resources[axis.names[place] ?? ''] ?? 0;
  return vector;
}

/** The amounts above zero, by name. */
export function fromVector(axis: ResourceAxis, vector: Vector): Resources {
  const resources: Record<string, number> = {};
  for (const [place, name] of axis.names.entries()) {
    const amount = vector[place] ?? 0;
    if (amount !== 0) resources[name] = amount;
  }
  return resources;
}

export function addScaled(target: Vector, added: Vector, times: number): void {
  for (let place = 0; place < target.length; place++) {
    target[place] = (target[place] ?? 0) + (added[place] ?? 0) * times;
  }
}

/** How many requests of this size fit into what is available; Infinity when nothing is asked for. */
export function timesFitting(request: Vector, available: Vector): number {
  let times = Number.POSITIVE_INFINITY;
  for (let place = 0; place < request.length; place++) {
    const asked = request[place] ?? 0;
    if (asked > 0) times = Math.min(times, Math.floor((available[place] ?? 0) / asked));
  }
  return Math.max(0, times);
}

/** True when every amount is at most what is available. */
export function fitsWithin(request: Vector, available: Vector): boolean {
  for (let place = 0; place < request.length; place++) {
    if ((request[place] ?? 0) > (available[place] ?? 0)) return false;
  }
  return true;
}

/** One vector for equal amounts, so that shapes compare by identity. */
export class VectorTable {
  readonly #axis: ResourceAxis;
  readonly #known = new Map<Resources, Vector>();
  readonly #distinct = new Map<string, Vector>();

  constructor(axis: ResourceAxis) {
    this.#axis = axis;
  }

  of(resources: Resources): Vector {
    const known = this.#known.get(resources);
    if (known !== undefined) return known;
    const vector = this.intern(toVector(this.#axis, resources));
    this.#known.set(resources, vector);
    return vector;
  }

  intern(vector: Vector): Vector {
    const key = vector.join(',');
    const held = this.#distinct.get(key);
    if (held !== undefined) return held;
    this.#distinct.set(key, vector);
    return vector;
  }
}
