// What each node has left for pods, in typed arrays: which nodes are worth showing to a trial.
import type { Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { NodeSelectorTerm, Pod, PodSpec } from '../model/pod.ts';
import { allows, allowsAbsence, type RequirementSet } from '../model/requirementSet.ts';
import { untoleratedTaint } from '../model/taint.ts';
import { requirementAlternatives } from '../scheduling/terms.ts';
import { isHostname } from '../scheduling/topology.ts';
import { NO_VOLUMES, type VolumeIndex, volumeNeeds } from '../scheduling/volumes.ts';

/** A node with what runs on it. */
export interface Seat {
  readonly node: Node;
  readonly claim: NodeClaim | null;
  /** All that are bound to it and have not ended. */
  readonly pods: readonly Pod[];
  /** False for nodes that take no pods. */
  readonly isOpen: boolean;
}

/** Pods that ask the same of a node, and how many of them look for one. */
interface Party {
  readonly kind: PodKind;
  count: number;
}

/** What pods of one spec (and, with volumes, one pod) ask of a node. */
export interface PodKind {
  readonly spec: PodSpec;
  readonly requests: Float64Array;
  /** At most so many on one node, by rules of the spec over host names. */
  readonly mostANode: number;
  /** Some rule of it looks at zones and the like: its pods may have to go to certain ones. */
  readonly isChoosy: boolean;
  /** Null when every node without taints will do. */
  readonly alternatives: readonly RequirementSet[] | null;
  /** By seat: 0 not looked at yet, 1 for yes, 2 for no. */
  readonly known: Uint8Array;
  /** The first seats with room for one of them, in order; null until asked for. */
  first: readonly number[] | null;
}

/** Shown are nodes for so many times the pods, since rules that are not looked at here keep pods off some. */
const SLACK = 3;
const CHOOSY_SLACK = 12;
/** So many seats are looked at for the pods of one node. */
const FIRST_SEATS = 16;

export class Rooms {
  readonly #seats: readonly Seat[];
  readonly #volumes: VolumeIndex;
  readonly #axis: readonly string[];
  /** What is left on seat `at` begins at `at * axis.length`. */
  readonly #free: Float64Array;
  readonly #kinds = new Map<PodSpec | Pod, PodKind>();
  /** Seats in the order in which they are to take pods. */
  readonly #order: Int32Array;

  /** @param order in which seats are to take pods, by number */
  constructor(seats: readonly Seat[], volumes: VolumeIndex, order: Int32Array) {
    this.#seats = seats;
    this.#volumes = volumes;
    this.#order = order;
    const specs = new Set(seats.flatMap(({ pods }) => pods.map(({ spec }) => spec)));
    this.#axis = [...new Set([...specs].flatMap(({ requests }) => Object.keys(requests)))];
    const size = this.#axis.length;
    this.#free = new Float64Array(seats.length * size);
    const vectors = new Map([...specs].map((spec) => [spec, this.vectorOf(spec.requests)]));
    for (const [at, { node, pods }] of seats.entries()) {
      const room = this.#free.subarray(at * size, (at + 1) * size);
      room.set(this.vectorOf(node.allocatable));
      for (const { spec } of pods) {
        const taken = vectors.get(spec);
        for (let place = 0; place < size; place++)
          room[place] = (room[place] as number) - (taken?.[place] ?? 0);
      }
    }
  }

  /**
   * Seats that can take the pods with room to spare, by number.
   * @param isShut seats that are not to take any
   */
  seatsFor(pods: readonly Pod[], isShut: (seat: number) => boolean): number[] {
    const parties = this.#partiesOf(pods);
    const wanted = parties.map(({ kind, count }) => count * (kind.isChoosy ? CHOOSY_SLACK : SLACK));
    const room = new Float64Array(this.#axis.length);
    for (const { kind, count } of parties)
      for (let place = 0; place < room.length; place++)
        room[place] = (room[place] as number) + SLACK * count * (kind.requests[place] as number);
    const chosen: number[] = [];
    for (const seat of this.#order) {
      if (isShut(seat) || this.#seats[seat]?.isOpen !== true) continue;
      let places = 0;
      let isShort = false;
      for (const [at, { kind, count }] of parties.entries()) {
        const most = Math.min(count, this.#places(kind, seat));
        places += most;
        wanted[at] = (wanted[at] as number) - most;
        isShort ||= (wanted[at] as number) > 0;
      }
      if (places === 0) continue;
      chosen.push(seat);
      if (!this.#isSpent(room, seat) || isShort) continue;
      break;
    }
    return chosen;
  }

  /** What is left on every seat, to be reckoned with: amounts of one seat after those of the one before. */
  freeRoom(): Float64Array {
    return Float64Array.from(this.#free);
  }

  /** Those of the pods of one seat that find no room on the first few others. */
  homeless(pods: readonly Pod[], own: number): Pod[] {
    const taken = new Map<number, Float64Array>();
    const size = this.#axis.length;
    return pods.filter((pod) => {
      const kind = this.kindOf(pod);
      kind.first ??= this.#firstSeats(kind);
      const home = kind.first.find((seat) => {
        const there = taken.get(seat);
        return (
          seat !== own && this.#hasRoom(kind, this.#free.subarray(seat * size, (seat + 1) * size), there)
        );
      });
      if (home === undefined) return true;
      const there = taken.get(home) ?? new Float64Array(size);
      for (let place = 0; place < size; place++)
        there[place] = (there[place] as number) + (kind.requests[place] as number);
      taken.set(home, there);
      return false;
    });
  }

  #firstSeats(kind: PodKind): readonly number[] {
    const first: number[] = [];
    for (const seat of this.#order) {
      if (this.fits(kind, seat, this.#free)) first.push(seat);
      if (first.length === FIRST_SEATS) break;
    }
    return first;
  }

  #hasRoom({ requests }: PodKind, free: Float64Array, taken: Float64Array | undefined): boolean {
    for (let place = 0; place < requests.length; place++) {
      const asked = requests[place] as number;
      if (asked > 0 && (free[place] as number) - (taken?.[place] ?? 0) < asked) return false;
    }
    return true;
  }

  /** Takes the seat's room off what is looked for; true when all of it is there. */
  #isSpent(room: Float64Array, seat: number): boolean {
    let isSpent = true;
    const start = seat * room.length;
    for (let place = 0; place < room.length; place++) {
      room[place] = (room[place] as number) - Math.max(0, this.#free[start + place] as number);
      isSpent &&= (room[place] as number) <= 0;
    }
    return isSpent;
  }

  #partiesOf(pods: readonly Pod[]): Party[] {
    const parties = new Map<PodKind, Party>();
    for (const pod of pods) {
      const kind = this.kindOf(pod);
      const party = parties.get(kind);
      if (party === undefined) parties.set(kind, { kind, count: 1 });
      else party.count += 1;
    }
    return [...parties.values()];
  }

  /** What the pod asks of a node: one object for pods that ask the same. */
  kindOf(pod: Pod): PodKind {
    const { spec } = pod;
    const key = spec.volumes.length === 0 ? spec : pod;
    const held = this.#kinds.get(key);
    if (held !== undefined) return held;
    const { terms } = spec.volumes.length === 0 ? NO_VOLUMES : volumeNeeds(pod, this.#volumes);
    const kind: PodKind = {
      spec,
      requests: this.vectorOf(spec.requests),
      mostANode: mostANode(spec),
      isChoosy: isChoosy(spec),
      alternatives: isAnywhere(spec, terms) ? null : requirementAlternatives(spec, terms),
      known: new Uint8Array(this.#seats.length),
      first: null,
    };
    this.#kinds.set(key, kind);
    return kind;
  }

  /** How many pods of the kind the seat has room for. */
  #places(kind: PodKind, seat: number): number {
    const { requests, mostANode } = kind;
    const start = seat * requests.length;
    let places = mostANode;
    for (let place = 0; place < requests.length; place++) {
      const asked = requests[place] as number;
      if (asked <= 0) continue;
      const there = this.#free[start + place] as number;
      if (there < asked) return 0;
      places = Math.min(places, Math.floor(there / asked));
    }
    return this.#takes(kind, seat) ? places : 0;
  }

  /**
   * Whether the seat takes one more pod of the kind.
   * @param free what is left on every seat, as `freeRoom` gives it
   */
  fits(kind: PodKind, seat: number, free: Float64Array): boolean {
    const { requests } = kind;
    if (this.#seats[seat]?.isOpen !== true) return false;
    for (let place = 0; place < requests.length; place++) {
      const asked = requests[place] as number;
      if (asked > 0 && (free[seat * requests.length + place] as number) < asked) return false;
    }
    return this.#takes(kind, seat);
  }

  #takes(kind: PodKind, at: number): boolean {
    const known = kind.known[at];
    if (known !== 0) return known === 1;
    const seat = this.#seats[at];
    const takes = seat !== undefined && isTaken(kind, seat);
    kind.known[at] = takes ? 1 : 2;
    return takes;
  }

  /** The amounts in the order that rooms have them in. */
  vectorOf(resources: Readonly<Record<string, number>>): Float64Array {
    return Float64Array.from(this.#axis, (name) => resources[name] ?? 0);
  }
}

function isTaken({ spec, alternatives, mostANode }: PodKind, { node, pods }: Seat): boolean {
  if (node.taints.length > 0 && untoleratedTaint(node.taints, spec.tolerations) !== null) return false;
  if (mostANode === 1 && pods.some((pod) => pod.spec === spec)) return false;
  return alternatives?.some((conditions) => areMet(conditions, node.labels)) ?? true;
}

function areMet(conditions: RequirementSet, labels: Node['labels']): boolean {
  for (const [key, set] of conditions) {
    const value = labels[key];
    if (value === undefined ? !allowsAbsence(set) : !allows(set, value)) return false;
  }
  return true;
}

function isAnywhere(
  { nodeSelector, nodeAffinity }: PodSpec,
  volumes: readonly (readonly NodeSelectorTerm[])[],
): boolean {
  return nodeAffinity === null && Object.keys(nodeSelector).length === 0 && volumes.length === 0;
}

function mostANode({ podAntiAffinity, topologySpread, hostPorts }: PodSpec): number {
  if (hostPorts.length > 0 || podAntiAffinity.some(({ topologyKey }) => isHostname(topologyKey))) return 1;
  const skews = topologySpread
    .filter((one) => one.whenUnsatisfiable === 'DoNotSchedule' && isHostname(one.topologyKey))
    .map(({ maxSkew }) => maxSkew);
  return Math.min(Number.POSITIVE_INFINITY, ...skews);
}

function isChoosy({ podAffinity, podAntiAffinity, topologySpread }: PodSpec): boolean {
  return (
    podAffinity.length > 0 ||
    [...podAntiAffinity, ...topologySpread].some(({ topologyKey }) => !isHostname(topologyKey))
  );
}
