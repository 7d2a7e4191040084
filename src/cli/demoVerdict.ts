// Did the demo's story hold? Watches the history, and says so in one sentence at the end.
import type { HistoryEntry } from '../simulator/history.ts';
import type { Simulation } from '../simulator/simulation.ts';
import { isOwned } from '../simulator/simulation.ts';
import { dollars } from './demoTimeline.ts';

const WORKLOAD = 'web/nginx-';
const REPLICAS = 8;
/** An empty node goes after `ttlSecondsAfterEmpty`, and not much later. */
const GONE_AFTER_MS = { least: 30_000, most: 45_000 };

export interface Verdict {
  readonly holds: boolean;
  readonly sentence: string;
  readonly problems: readonly string[];
}

export class DemoVerdict {
  readonly #running = new Set<string>();
  readonly #emptyAtMs = new Map<string, number>();
  readonly #pendingAtMs = new Map<string, number>();
  readonly #problems: string[] = [];
  readonly #billed = new Map<
    string,
    { readonly usdPerHour: number; readonly fromMs: number; untilMs: number }
  >();
  #mostRunning = 0;
  #longestPendingMs = 0;
  #nodesGone = 0;
  #goneAfterMs = 0;

  note({ kind, subject, facts, atMs }: HistoryEntry): void {
    if (subject.startsWith(WORKLOAD)) this.#notePod(kind, subject, atMs);
    if (kind === 'NodeEmpty') this.#emptyAtMs.set(subject, atMs);
    if (kind === 'NodeGone') this.#noteNodeGone(subject, atMs);
    if (kind === 'FleetAnswered' && facts.outcome === 'launched') {
      const usdPerHour = Number(facts.usdPerHour);
      this.#billed.set(subject, { usdPerHour, fromMs: atMs, untilMs: Number.POSITIVE_INFINITY });
    }
    const bill = this.#billed.get(subject);
    if (kind === 'InstanceTerminated' && bill !== undefined) bill.untilMs = atMs;
  }

  /** True once all pods have run and all that was bought is given back. */
  isOver(simulation: Simulation): boolean {
    return this.#mostRunning >= REPLICAS && this.#nodesGone > 0 && leftovers(simulation).length === 0;
  }

  /** The outcome, once nothing more is to come. */
  conclude(simulation: Simulation): Verdict {
    const problems = [...this.#problems, ...leftovers(simulation)];
    if (this.#mostRunning < REPLICAS) {
      problems.push(`only ${this.#mostRunning} of ${REPLICAS} nginx pods ran at once`);
    }
    if (this.#nodesGone === 0) problems.push('no node was bought and given back');
    if (problems.length > 0) {
      return { holds: false, sentence: `The story did not hold: ${problems.join('; ')}.`, problems };
    }
    const nodes = this.#nodesGone === 1 ? 'one node was' : `${this.#nodesGone} nodes were`;
    const sentence =
      `The story held: all ${REPLICAS} nginx pods ran, none waited longer than ${seconds(this.#longestPendingMs)} ` +
      `for a node, ${nodes} bought for ${dollars(this.#cost())} and gone ${seconds(this.#goneAfterMs)} ` +
      'after the last pod, nothing is left.';
    return { holds: true, sentence, problems };
  }

  #notePod(kind: HistoryEntry['kind'], pod: string, atMs: number): void {
    if (kind === 'PodPending') this.#pendingAtMs.set(pod, atMs);
    if (kind === 'PodBound') {
      this.#longestPendingMs = Math.max(this.#longestPendingMs, atMs - (this.#pendingAtMs.get(pod) ?? atMs));
    }
    if (kind === 'PodRunning') this.#running.add(pod);
    if (kind === 'PodGone') this.#running.delete(pod);
    this.#mostRunning = Math.max(this.#mostRunning, this.#running.size);
  }

  #noteNodeGone(node: string, atMs: number): void {
    this.#nodesGone += 1;
    const afterMs = atMs - (this.#emptyAtMs.get(node) ?? Number.NEGATIVE_INFINITY);
    this.#goneAfterMs = Math.max(this.#goneAfterMs, afterMs);
    if (afterMs >= GONE_AFTER_MS.least && afterMs <= GONE_AFTER_MS.most) return;
    this.#problems.push(`node ${node} went ${seconds(afterMs)} after it was empty, not 30 to 45 s`);
  }

  #cost(): number {
    let usd = 0;
    for (const { usdPerHour, fromMs, untilMs } of this.#billed.values()) {
      usd += (usdPerHour * (untilMs - fromMs)) / 3_600_000;
    }
    return usd;
  }
}

/** What was bought and is still there. */
function leftovers({ cloud, store }: Simulation): readonly string[] {
  const instances = [...cloud.living()].map(({ instance }) => `instance ${instance.providerId} is left`);
  const claims = [...store.values('nodeClaim')].map(({ name }) => `NodeClaim ${name} is left`);
  const nodes = [...store.values('node')].filter(isOwned).map(({ name }) => `Node ${name} is left`);
  return [...instances, ...claims, ...nodes];
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
