// Clusters on paper: a board with what it stands on, and what it should have come to, counted anew.

import { Board, type Standing } from '../../src/disruption/consolidationBoard.ts';
import type { Candidate } from '../../src/disruption/consolidationCandidates.ts';
import { Rooms, type Seat } from '../../src/disruption/consolidationRooms.ts';
import { Tallies } from '../../src/disruption/consolidationTallies.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { LABEL } from '../../src/model/labels.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import { type Pod, type PodSpec, podKey } from '../../src/model/pod.ts';
import { volumeIndex } from '../../src/scheduling/volumes.ts';
import { aBoundPod, aNodeClaim, anOwnedNode, aPodSpec, aSnapshot, GIB, type PodFields } from '../builders.ts';

/** A node: one that stays unless it has a gain. */
export interface Place {
  /** CPU of its pods, or more of them. */
  readonly pods: readonly (number | PodFields)[];
  readonly cpuMillis?: number;
  /** What its label `rack` says; absent for a node without it. */
  readonly rack?: string;
  readonly isOpen?: boolean;
  readonly gainUsd?: number;
  readonly wasteUsd?: number;
}

export type Places = Readonly<Record<string, Place>>;

/** Room is worth what its CPU is. */
export const PRICES = { cpu: 1e-5, memory: 0 };

/** Rooms that show what the board has left of them. */
class OpenRooms extends Rooms {
  free: Float64Array = new Float64Array();

  override freeRoom(): Float64Array {
    this.free = super.freeRoom();
    return this.free;
  }
}

export interface Paper {
  readonly board: Board;
  readonly seats: readonly Seat[];
  readonly tallies: Tallies;
  /** The one of that name. */
  readonly standing: (name: string) => Standing;
  /** Where each pod would be; left out are those of closed nodes and of nodes that stay. */
  readonly homes: () => Readonly<Record<string, string>>;
  /** What the board holds to be left, seat by seat. */
  readonly free: () => readonly number[];
  /** What should be left by where its pods are. */
  readonly recounted: () => readonly number[];
  /** Every seat with the pods that the board has there. */
  readonly seated: () => readonly Seat[];
}

export function aPaper(places: Places): Paper {
  const seats = seatsOf(places);
  const rooms = new OpenRooms(seats, volumeIndex(aSnapshot()), Int32Array.from(seats.keys()));
  const { namespaces } = aSnapshot();
  const tallies = new Tallies(seats, namespaces);
  const standings = Object.entries(places).flatMap(([name, { gainUsd, wasteUsd }], seat): Standing[] => {
    const { pods = [] } = seats[seat] ?? {};
    if (gainUsd === undefined) return [];
    return [{ candidate: aCandidate(name, pods), seat, gainUsd, wasteUsd: wasteUsd ?? gainUsd }];
  });
  const board = new Board({ seats, rooms, tallies, prices: PRICES }, standings);
  const standing = (name: string): Standing => {
    const found = standings.find(({ seat }) => seats[seat]?.node.name === name);
    if (found === undefined) throw new Error(`${name} is no candidate`);
    return found;
  };
  const seated = (): readonly Seat[] => {
    const homes = board.homes();
    const all = seats.flatMap(({ pods }) => pods);
    const at = (pod: Pod): string => homes.get(podKey(pod)) ?? pod.nodeName;
    return seats.map((seat) => ({ ...seat, pods: all.filter((pod) => at(pod) === seat.node.name) }));
  };
  const recounted = (): readonly number[] =>
    seated().flatMap(({ node, pods }) => {
      const left = rooms.vectorOf(node.allocatable);
      const taken = pods.map(({ spec }) => rooms.vectorOf(spec.requests));
      return [...left].map((whole, axis) => taken.reduce((rest, one) => rest - (one[axis] ?? 0), whole));
    });
  return {
    ...{ board, seats, tallies, standing, seated, recounted },
    homes: () => Object.fromEntries([...board.homes()].map(([pod, node]) => [pod.split('/')[1], node])),
    free: () => [...rooms.free],
  };
}

function seatsOf(places: Places): Seat[] {
  const specs = new Map<string, PodSpec>();
  return Object.entries(places).map(([name, { pods, cpuMillis = 2000, rack, isOpen = true }]) => ({
    node: anOwnedNode({
      ...{ name, allocatable: { cpu: cpuMillis, memory: 8 * GIB, pods: 29 } },
      labels: rack === undefined ? {} : { rack },
    }),
    claim: null,
    pods: pods.map((one, index) => {
      const fields = typeof one === 'number' ? { cpuMillis: one } : one;
      const pod = aBoundPod(name, { name: `${name}-${index}`, ...fields });
      // Pods of one workload share their spec.
      const key = JSON.stringify(pod.spec);
      const spec = specs.get(key) ?? pod.spec;
      specs.set(key, spec);
      return { ...pod, spec };
    }),
    isOpen,
  }));
}

function aCandidate(name: string, pods: readonly Pod[]): Candidate {
  const { minimumSavings } = NO_CONSOLIDATION;
  const claim = aNodeClaim({ name: `c-${name}`, status: { ...NO_STATUS, nodeName: name } });
  return { claim, pods, usdPerHour: 1, minimumSavings, hurt: pods.length };
}

const selectorOf = (app: string) => ({
  expressions: [{ key: 'app', operator: 'In' as const, values: [app] }],
});

const termOf = (app: string, topologyKey: string) => ({
  ...{ selector: selectorOf(app), topologyKey },
  ...{ namespaces: [], namespaceSelector: null },
});

/** Pods that keep off others of an app. */
export function apartFrom(app: string, key: string = LABEL.hostname): Partial<PodSpec> {
  return { podAntiAffinity: [termOf(app, key)] };
}

/** Pods that have to be near others of an app. */
export function nearTo(app: string, key = 'rack'): Partial<PodSpec> {
  return { podAffinity: [termOf(app, key)] };
}

/** Pods that spread with others of an app. */
export function spreadWith(app: string, maxSkew = 1, key = 'rack'): Partial<PodSpec> {
  const { topologySpread } = aPodSpec({
    topologySpread: [
      {
        ...{ topologyKey: key, maxSkew, minDomains: 1, selector: selectorOf(app) },
        whenUnsatisfiable: 'DoNotSchedule',
        ...{ nodeAffinityPolicy: 'Honor', nodeTaintsPolicy: 'Ignore' },
      },
    ],
  });
  return { topologySpread };
}
