// Which running pods decide where others may go: those that spreads, affinity and anti-affinity look at.
import type { Pod, PodSpec } from '../model/pod.ts';
import type { Namespace } from '../model/workloads.ts';
import { NO_SELECTOR, SelectorTable } from '../scheduling/selectors.ts';
import { isHostname } from '../scheduling/topology.ts';
import type { Seat } from './consolidationRooms.ts';

/** What pods of one spec in one namespace look at. */
interface Sight {
  /** Selectors of rules over zones and the like. */
  readonly counted: readonly number[];
  /** Selectors of pods that it has to be with. */
  readonly drawnTo: readonly number[];
  readonly keys: readonly string[];
}

/** By seat: pods there that matter. */
export interface Neighbours {
  readonly counted: ReadonlyMap<number, ReadonlySet<Pod>>;
  /** Seats that take pods because of who is there already. */
  readonly drawing: ReadonlySet<number>;
  /** Topology keys in play. */
  readonly keys: ReadonlySet<string>;
}

interface Seated {
  readonly pod: Pod;
  readonly seat: number;
}

const NOTHING_SEEN: Sight = { counted: [], drawnTo: [], keys: [] };
const NO_NEIGHBOURS: Neighbours = { counted: new Map(), drawing: new Set(), keys: new Set() };

/** Rules between pods, by whom they look at. Rules over host names alone look at one node, and are left out. */
export class Neighbourhood {
  readonly #selectors: SelectorTable;
  readonly #sights = new Map<PodSpec, Map<string, Sight>>();
  readonly #matched = new Map<number, Seated[]>();
  /** Pods that keep others off their domain, by the selector of those others. */
  readonly #keepingOff = new Map<number, Seated[]>();

  constructor(seats: readonly Seat[], namespaces: readonly Namespace[]) {
    this.#selectors = new SelectorTable(namespaces);
    for (const { pods } of seats) for (const { spec, namespace } of pods) this.#sightOf(spec, namespace);
    if (this.#selectors.size === 0) return;
    for (const [seat, { pods }] of seats.entries())
      for (const pod of pods) {
        for (const id of this.#selectors.matchesOf(pod.namespace, pod.labels))
          noted(this.#matched, id, { pod, seat });
        for (const id of this.#antiSelectors(pod.spec, pod.namespace))
          noted(this.#keepingOff, id, { pod, seat });
      }
  }

  /** Who matters when these pods look for a place. */
  of(pods: readonly Pod[]): Neighbours {
    if (this.#selectors.size === 0) return NO_NEIGHBOURS;
    const counted = new Map<number, Set<Pod>>();
    const drawing = new Set<number>();
    const keys = new Set<string>();
    const sights = new Set<Sight>();
    const matched = new Set<readonly number[]>();
    for (const { spec, namespace, labels } of pods) {
      sights.add(this.#sightOf(spec, namespace));
      matched.add(this.#selectors.matchesOf(namespace, labels));
    }
    const count = (one: Seated): void => {
      const there = counted.get(one.seat);
      if (there === undefined) counted.set(one.seat, new Set([one.pod]));
      else there.add(one.pod);
    };
    for (const sight of sights) {
      for (const id of sight.counted) this.#matched.get(id)?.forEach(count);
      for (const id of sight.drawnTo) for (const { seat } of this.#matched.get(id) ?? []) drawing.add(seat);
      for (const key of sight.keys) keys.add(key);
    }
    for (const ids of matched) for (const id of ids) this.#keepingOff.get(id)?.forEach(count);
    return { counted, drawing, keys };
  }

  #sightOf(spec: PodSpec, namespace: string): Sight {
    const spreads = spec.topologySpread.filter((one) => one.whenUnsatisfiable === 'DoNotSchedule');
    if (spreads.length + spec.podAffinity.length + spec.podAntiAffinity.length === 0) return NOTHING_SEEN;
    const byNamespace = this.#sights.get(spec) ?? new Map<string, Sight>();
    this.#sights.set(spec, byNamespace);
    const held = byNamespace.get(namespace);
    if (held !== undefined) return held;
    const wide = spreads.filter(({ topologyKey }) => !isHostname(topologyKey));
    const ids = wide.map(({ selector }) => this.#selectors.internOwn(selector, namespace));
    const drawnTo = spec.podAffinity.map((term) => this.#selectors.internTerm(term, namespace));
    const sight = {
      counted: [...ids, ...drawnTo, ...this.#antiSelectors(spec, namespace)].filter(
        (id) => id !== NO_SELECTOR,
      ),
      drawnTo,
      keys: [...wide, ...spec.podAffinity, ...spec.podAntiAffinity].map(({ topologyKey }) => topologyKey),
    };
    byNamespace.set(namespace, sight);
    return sight;
  }

  #antiSelectors({ podAntiAffinity }: PodSpec, namespace: string): number[] {
    return podAntiAffinity
      .filter(({ topologyKey }) => !isHostname(topologyKey))
      .map((term) => this.#selectors.internTerm(term, namespace));
  }
}

function noted(byId: Map<number, Seated[]>, id: number, seated: Seated): void {
  const held = byId.get(id);
  if (held === undefined) byId.set(id, [seated]);
  else held.push(seated);
}
