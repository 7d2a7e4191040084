// The cluster state as controllers use it: fresh snapshots, and their own writes visible at once.
import type { ClusterEvent, ModelByKind, ObjectKind } from '../model/clusterEvent.ts';
import type { Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Clock } from '../ports/clock.ts';
import type { WriteOutcome } from '../ports/kubeApi.ts';
import type { ClusterState } from '../state/clusterState.ts';
import { PromisedClaims } from './promisedClaims.ts';

export class LiveState {
  /** What is about to be stored, by whichever controller. */
  readonly promised = new PromisedClaims();
  readonly #state: ClusterState;
  readonly #clock: Clock;
  readonly #onRecorded: (event: ClusterEvent) => void;

  /** `onRecorded` is told of each own write, as it is of watch events. */
  constructor(state: ClusterState, clock: Clock, onRecorded: (event: ClusterEvent) => void) {
    this.#state = state;
    this.#clock = clock;
    this.#onRecorded = onRecorded;
  }

  snapshot(): ClusterSnapshot {
    return this.#state.snapshot(this.#clock.nowMs());
  }

  get<K extends ObjectKind>(kind: K, key: string): ModelByKind[K] | undefined {
    return this.#state.get(kind, key);
  }

  /** Takes in what a write to the claim answered; returns the claim as it stands, null when it is gone. */
  recordNodeClaim({ name, uid }: NodeClaim, outcome: WriteOutcome<NodeClaim>): NodeClaim | null {
    if (outcome.kind === 'written') {
      this.record({ type: 'upsert', kind: 'nodeClaim', key: name, object: outcome.object });
    } else if (outcome.kind === 'gone') this.#recordGone('nodeClaim', name, uid);
    return this.#state.get('nodeClaim', name) ?? null;
  }

  /** Takes in what a write to the node answered; returns the node as it stands, null when it is gone. */
  recordNode({ name, uid }: Node, outcome: WriteOutcome<Node>): Node | null {
    if (outcome.kind === 'written') {
      this.record({ type: 'upsert', kind: 'node', key: name, object: outcome.object });
    } else if (outcome.kind === 'gone') this.#recordGone('node', name, uid);
    return this.#state.get('node', name) ?? null;
  }

  /** Another object may have come under the name since: only the one that was written to is gone. */
  #recordGone(kind: 'nodeClaim' | 'node', key: string, uid: string): void {
    if (this.#state.get(kind, key)?.uid === uid) this.record({ type: 'delete', kind, key });
  }

  record(event: ClusterEvent): void {
    if (this.#state.apply(event)) this.#onRecorded(event);
  }
}
