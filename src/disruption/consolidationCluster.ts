// The cluster as consolidation looks at it: read once for a decision, so that a trial costs what it looks at.
import type { Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import { isTerminal, type Pod } from '../model/pod.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import { anyLimits } from '../scheduling/limits.ts';
import { isHostname } from '../scheduling/topology.ts';
import { volumeIndex } from '../scheduling/volumes.ts';
import { Board, type Standing } from './consolidationBoard.ts';
import type { Candidate } from './consolidationCandidates.ts';
import { Neighbourhood } from './consolidationNeighbours.ts';
import { Rooms, type Seat } from './consolidationRooms.ts';
import { Tallies } from './consolidationTallies.ts';
import { roomUsd, type Worth } from './consolidationWorth.ts';

/** What has to be planned to learn whether some nodes can go. */
export interface Trial {
  readonly snapshot: ClusterSnapshot;
  readonly pods: readonly Pod[];
}

/** Of nodes that are alike otherwise, well-used ones go last: room that is moved counts so much of its worth. */
const USED_SHARE = 0.001;

export class ConsolidationCluster {
  readonly #snapshot: ClusterSnapshot;
  readonly #seats: readonly Seat[];
  readonly #seatOf: ReadonlyMap<string, number>;
  readonly #rooms: Rooms;
  readonly #neighbourhood: Neighbourhood;
  readonly #unbound = new Map<Pod, Pod>();
  readonly #shut = new Map<number, Node>();
  /** Claims as if all of them were leaving, where limits count them; none where nothing is limited. */
  readonly #leaving: readonly NodeClaim[];

  /** @param candidates the first to go first: nodes that will stay are to take pods, so that none moves twice */
  constructor(snapshot: ClusterSnapshot, candidates: readonly Candidate[]) {
    this.#snapshot = snapshot;
    this.#seats = seatsOf(snapshot);
    this.#seatOf = new Map(this.#seats.map(({ node }, at) => [node.name, at]));
    this.#rooms = new Rooms(this.#seats, volumeIndex(snapshot), this.#takingOrder(candidates));
    this.#neighbourhood = new Neighbourhood(this.#seats, snapshot.namespaces);
    this.#leaving = anyLimits(snapshot.provisioners)
      ? snapshot.nodeClaims.map((claim) => ({ ...claim, deletionRequestedAtMs: snapshot.takenAtMs }))
      : [];
  }

  /** Nodes that are no candidates first, then those that would go last. */
  #takingOrder(candidates: readonly Candidate[]): Int32Array {
    const goes = new Float64Array(this.#seats.length).fill(Number.POSITIVE_INFINITY);
    for (const [at, { claim }] of candidates.entries()) {
      const seat = this.#seatOf.get(claim.status.nodeName);
      if (seat !== undefined) goes[seat] = at;
    }
    return Int32Array.from(this.#seats.keys()).sort(
      (left, right) => (goes[right] as number) - (goes[left] as number) || left - right,
    );
  }

  /** The pods of these nodes before all the rest of the cluster. */
  whole(candidates: readonly Candidate[]): Trial {
    const names = new Set(candidates.map(({ claim }) => claim.name));
    const going = new Set(candidates.map(({ claim }) => claim.status.nodeName));
    const { takenAtMs } = this.#snapshot;
    const nodeClaims = this.#snapshot.nodeClaims.map((claim) =>
      names.has(claim.name) ? { ...claim, deletionRequestedAtMs: takenAtMs } : claim,
    );
    const moved = new Set(candidates.flatMap(({ pods }) => pods));
    const pods = this.#snapshot.pods.filter((pod) => !going.has(pod.nodeName) || !moved.has(pod));
    return { snapshot: { ...this.#snapshot, nodeClaims, pods }, pods: this.#unboundOf(candidates) };
  }

  /**
   * The pods of these nodes before as much of the cluster as they need: nodes with room for them, those that stay
   * longest first, and the pods that rules look at. A plan for it has to be checked against the whole.
   * @param also names of nodes that are to take pods in any case
   */
  narrowed(candidates: readonly Candidate[], also: Iterable<string> = []): Trial {
    const going = new Set(candidates.map((one) => this.seatOf(one)));
    const moved = candidates.flatMap(({ pods }) => pods);
    const { counted, drawing, keys } = this.#neighbourhood.of(moved);
    const taking = new Set(this.#rooms.seatsFor(moved, (seat) => going.has(seat)));
    for (const seat of drawing) if (!going.has(seat)) taking.add(seat);
    for (const name of also) taking.add(this.#seatOf.get(name) ?? -1);
    const nodes: Node[] = [];
    const pods: Pod[] = [];
    const shown = new Set<number>();
    const show = (at: number, isTaking: boolean, there: Iterable<Pod>): void => {
      const seat = this.#seats[at];
      if (seat === undefined || shown.has(at)) return;
      shown.add(at);
      nodes.push(isTaking ? seat.node : this.#shutNode(at, seat));
      for (const pod of there) pods.push(pod);
    };
    for (const at of taking) show(at, true, this.#seats[at]?.pods ?? []);
    const leavers = new Set(moved);
    for (const [at, matter] of counted)
      show(at, false, going.has(at) ? [...matter].filter((pod) => !leavers.has(pod)) : matter);
    for (const at of this.#examplesOf(keys)) show(at, false, []);
    const claims = [...shown].flatMap((at) => {
      const claim = this.#seats[at]?.claim;
      return claim == null ? [] : [claim];
    });
    const snapshot = { ...this.#snapshot, nodes, pods, nodeClaims: this.#withLimited(claims) };
    return { snapshot, pods: this.#unboundOf(candidates) };
  }

  /** A board to move the pods of these candidates about on. */
  board(candidates: readonly Candidate[], { prices, wasteUsd, evictionUsdPerHour }: Worth): Board {
    const tallies = new Tallies(this.#seats, this.#snapshot.namespaces);
    const standings = candidates.map((candidate): Standing => {
      const movedUsd = candidate.pods.reduce((sum, { spec }) => sum + roomUsd(spec.requests, prices), 0);
      const gainUsd = candidate.usdPerHour - candidate.hurt * evictionUsdPerHour - USED_SHARE * movedUsd;
      return { candidate, seat: this.seatOf(candidate), gainUsd, wasteUsd: wasteUsd.get(candidate) ?? 0 };
    });
    return new Board({ seats: this.#seats, rooms: this.#rooms, tallies, prices }, standings);
  }

  /** Its pods that find no room elsewhere at first sight. */
  homelessOf(candidate: Candidate): readonly Pod[] {
    return this.#rooms.homeless(candidate.pods, this.seatOf(candidate));
  }

  /** Its node's place among the seats. */
  seatOf({ claim }: Candidate): number {
    return this.#seatOf.get(claim.status.nodeName) ?? -1;
  }

  #withLimited(claims: readonly NodeClaim[]): readonly NodeClaim[] {
    if (this.#leaving.length === 0) return claims;
    const shown = new Set(claims.map(({ name }) => name));
    return [...claims, ...this.#leaving.filter(({ name }) => !shown.has(name))];
  }

  /** One node of each domain, so that none is forgotten because its nodes are full. */
  #examplesOf(keys: ReadonlySet<string>): Iterable<number> {
    const examples = new Map<string, number>();
    for (const key of keys) {
      if (isHostname(key)) continue;
      for (const [at, { node }] of this.#seats.entries()) {
        const value = node.labels[key];
        if (value !== undefined && !examples.has(`${key}=${value}`)) examples.set(`${key}=${value}`, at);
      }
    }
    return examples.values();
  }

  #shutNode(at: number, { node }: Seat): Node {
    const held = this.#shut.get(at) ?? { ...node, unschedulable: true };
    this.#shut.set(at, held);
    return held;
  }

  #unboundOf(candidates: readonly Candidate[]): Pod[] {
    return candidates.flatMap(({ pods }) =>
      pods.map((pod) => {
        const held = this.#unbound.get(pod) ?? unbound(pod, this.#snapshot.takenAtMs);
        this.#unbound.set(pod, held);
        return held;
      }),
    );
  }
}

/** What its owner will make in its place. */
function unbound(pod: Pod, nowMs: number): Pod {
  return {
    ...pod,
    nodeName: '',
    nominatedNodeName: '',
    phase: 'Pending',
    ready: false,
    unschedulableSinceMs: nowMs,
  };
}

function seatsOf({ nodes, nodeClaims, pods }: ClusterSnapshot): Seat[] {
  const byNode = Map.groupBy(
    pods.filter((pod) => pod.nodeName !== '' && !isTerminal(pod)),
    ({ nodeName }) => nodeName,
  );
  const claims = new Map(nodeClaims.map((claim) => [claim.status.nodeName, claim]));
  return nodes.map((node) => {
    const claim = claims.get(node.name) ?? null;
    const isLeaving = node.deletionRequestedAtMs !== null || claim?.deletionRequestedAtMs != null;
    return { node, claim, pods: byNode.get(node.name) ?? [], isOpen: !node.unschedulable && !isLeaving };
  });
}
