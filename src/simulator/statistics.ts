// What a simulation cost and how it went: price, waiting times, evictions, nodes over time.
import { isOwnedByDaemonSet, type Pod } from '../model/pod.ts';
import type { Simulation } from './simulation.ts';
import { isOwned } from './simulation.ts';

/** So many at this time, and until the next sample. */
export interface Sample {
  readonly atMs: number;
  readonly count: number;
}

export interface SimulationReport {
  readonly startMs: number;
  readonly endMs: number;
  /** All instances that Provisioners launched, billed from launch to termination. */
  readonly usd: number;
  readonly instancesLaunched: number;
  readonly podsCreated: number;
  readonly podsStarted: number;
  /** Pods without a node at the end. */
  readonly podsPending: number;
  /** From Unschedulable to bound, of the pods that were both, ascending. */
  readonly pendingMs: readonly number[];
  readonly evictions: number;
  readonly evictionsBlocked: number;
  readonly nodes: readonly Sample[];
  readonly nodesMost: number;
  /** How long the oldest node of a Provisioner has been there at the end; null without nodes. */
  readonly oldestNodeMs: number | null;
  /** Entries of the history, and the digest of them all. */
  readonly entries: number;
  readonly digest: string;
}

export class Statistics {
  readonly #simulation: Simulation;
  readonly #billedSinceMs = new Map<string, number>();
  readonly #pendingMs: number[] = [];
  readonly #nodes: { atMs: number; count: number }[] = [];
  #usd = 0;
  #instancesLaunched = 0;
  #podsCreated = 0;
  #podsStarted = 0;
  #evictions = 0;
  #evictionsBlocked = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
    let ownedNodes = 0;
    simulation.store.subscribe((event, before) => {
      if (event.kind === 'pod' && event.type === 'upsert') {
        this.#notePod(event.object, before as Pod | undefined);
      } else if (event.kind === 'node') {
        const was = before !== undefined && isOwned(before as { labels: Readonly<Record<string, string>> });
        const is = event.type === 'upsert' && isOwned(event.object);
        if (was === is) return;
        ownedNodes += is ? 1 : -1;
        this.#sampleNodes(ownedNodes);
      }
    });
    simulation.cloud.observe({
      changed: ({ instance }) => {
        if (instance.state === 'pending') {
          this.#instancesLaunched += 1;
          this.#billedSinceMs.set(instance.providerId, simulation.clock.nowMs());
        } else if (instance.state === 'shutting-down') {
          this.#bill(instance.providerId, instance.usdPerHour ?? 0);
        }
      },
    });
    simulation.kube.observe({
      evicted: (_pod, outcome) => {
        if (outcome === 'evicted') this.#evictions += 1;
        if (outcome === 'blocked') this.#evictionsBlocked += 1;
      },
    });
  }

  /** The figures so far; what still runs is billed up to now. */
  report(): SimulationReport {
    const { clock, store, cloud, setup, history } = this.#simulation;
    let usd = this.#usd;
    for (const { instance } of cloud.living()) {
      const sinceMs = this.#billedSinceMs.get(instance.providerId);
      if (sinceMs !== undefined) usd += ((instance.usdPerHour ?? 0) * (clock.nowMs() - sinceMs)) / 3_600_000;
    }
    let podsPending = 0;
    for (const pod of store.values('pod')) if (pod.nodeName === '') podsPending += 1;
    const bornMs = [...store.values('node')].filter(isOwned).map(({ createdAtMs }) => createdAtMs);
    return {
      startMs: setup.startMs,
      endMs: clock.nowMs(),
      usd,
      instancesLaunched: this.#instancesLaunched,
      podsCreated: this.#podsCreated,
      podsStarted: this.#podsStarted,
      podsPending,
      pendingMs: this.#pendingMs.toSorted((left, right) => left - right),
      evictions: this.#evictions,
      evictionsBlocked: this.#evictionsBlocked,
      nodes: this.#nodes,
      nodesMost: Math.max(0, ...new Set(this.#nodes.map(({ count }) => count))),
      oldestNodeMs: bornMs.length === 0 ? null : clock.nowMs() - bornMs.reduce((a, b) => Math.min(a, b)),
      entries: history.count,
      digest: history.digest(),
    };
  }

  #notePod(pod: Pod, before: Pod | undefined): void {
    if (isOwnedByDaemonSet(pod)) return;
    if (before === undefined) this.#podsCreated += 1;
    if (pod.phase === 'Running' && before?.phase !== 'Running') this.#podsStarted += 1;
    if (pod.nodeName === '' || before === undefined || before.nodeName !== '') return;
    const sinceMs = before.unschedulableSinceMs;
    if (sinceMs !== null) this.#pendingMs.push(this.#simulation.clock.nowMs() - sinceMs);
  }

  #sampleNodes(count: number): void {
    const atMs = this.#simulation.clock.nowMs();
    const last = this.#nodes.at(-1);
    if (last !== undefined && last.atMs === atMs) last.count = count;
    else this.#nodes.push({ atMs, count });
  }

  #bill(providerId: string, usdPerHour: number): void {
    const sinceMs = this.#billedSinceMs.get(providerId);
    if (sinceMs === undefined) return;
    this.#billedSinceMs.delete(providerId);
    this.#usd += (usdPerHour * (this.#simulation.clock.nowMs() - sinceMs)) / 3_600_000;
  }
}

/** The value below which this share of the ascending values lies; null without values. */
export function percentile(ascending: readonly number[], share: number): number | null {
  if (ascending.length === 0) return null;
  return ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? null;
}
