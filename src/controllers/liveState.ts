// The cluster state as controllers use it: fresh snapshots, and their own writes visible at once.
import type { ClusterEvent, ModelByKind, ObjectKind } from '../model/clusterEvent.ts';
import type { Node } from '../model/node.ts';
import type { NodeClaim } from '../model/nodeClaim.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Clock } from '../ports/clock.ts';
import type { WriteOutcome } from '../ports/kubeApi.ts';
import type { ClusterState } from '../state/clusterState.ts';

export class LiveState {
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
  recordNodeClaim(name: string, outcome: WriteOutcome<NodeClaim>): NodeClaim | null {
    if (outcome.kind === 'written') {
      this.record({ type: 'upsert', kind: 'nodeClaim', key: name, object: outcome.object });
    } else if (outcome.kind === 'gone') this.record({ type: 'delete', kind: 'nodeClaim', key: name });
    return this.#state.get('nodeClaim', name) ?? null;
  }

  /** Takes in what a write to the node answered; returns the node as it stands, null when it is gone. */
  recordNode(name: string, outcome: WriteOutcome<Node>): Node | null {
    if (outcome.kind === 'written') {
      this.record({ type: 'upsert', kind: 'node', key: name, object: outcome.object });
    } else if (outcome.kind === 'gone') this.record({ type: 'delete', kind: 'node', key: name });
    return this.#state.get('node', name) ?? null;
  }

  record(event: ClusterEvent): void {
    if (this.#state.apply(event)) this.#onRecorded(event);
  }
}
