// Nothing acts on a snapshot older than its rules allow: what a decision rests on was so a moment ago.
import { occupiesNode } from '../../disruption/evictable.ts';
import { isTerminal, type Pod } from '../../model/pod.ts';
import type { HistoryEntry } from '../history.ts';
import type { Simulation } from '../simulation.ts';
import type { Invariant } from './invariant.ts';

/** From the snapshot to the end of the writes that carry the decision out; what the watch lags behind comes on top. */
const RULE_MS = 10_000;

export const decisionsAreFresh: Invariant = ({ simulation, report }) => {
  const { clock, store, history } = simulation;
  const knownSinceMs = trackKnowledge(simulation);
  const boundAtMs = new Map<string, number>();
  const occupiedAtMs = new Map<string, number>();
  store.subscribe((event, before) => {
    if (event.kind !== 'pod') return;
    const pod = event.type === 'upsert' ? event.object : undefined;
    if (pod === undefined || isTerminal(pod)) boundAtMs.delete(event.key);
    else if (pod.nodeName !== '' && !boundAtMs.has(event.key)) boundAtMs.set(event.key, clock.nowMs());
    for (const name of new Set([pod?.nodeName ?? '', (before as Pod | undefined)?.nodeName ?? ''])) {
      if (name === '') continue;
      const isOccupied = [...(simulation.ledger.get(name)?.pods.values() ?? [])].some(occupiesNode);
      if (!isOccupied) occupiedAtMs.delete(name);
      else if (!occupiedAtMs.has(name)) occupiedAtMs.set(name, clock.nowMs());
    }
  });
  const isOld = (sinceMs: number | undefined): boolean =>
    sinceMs !== undefined && sinceMs < knownSinceMs() - RULE_MS;
  history.listen((entry) => {
    if (entry.kind !== 'Decision') return;
    if (entry.facts.kind === 'Provisioned') {
      const settled = podsOf(entry).filter((key) => isOld(boundAtMs.get(key)) && staysBound(simulation, key));
      if (settled.length > 0)
        report(`NodeClaim ${entry.subject} was stored for ${settled[0]}, bound for long`);
    }
    if (entry.facts.disruption === 'Empty' && isOld(occupiedAtMs.get(String(entry.facts.node)))) {
      report(`NodeClaim ${entry.subject} was deleted as empty, and its node has been in use for long`);
    }
  });
  return undefined;
};

function podsOf({ facts }: HistoryEntry): readonly string[] {
  return Array.isArray(facts.pods) ? facts.pods.map(String) : [];
}

/** False for a pod whose node is on its way out: a new one is bought for it while it is still bound. */
function staysBound({ store }: Simulation, key: string): boolean {
  const nodeName = store.get('pod', key)?.nodeName ?? '';
  const claims = [...store.values('nodeClaim')].filter(({ status }) => status.nodeName === nodeName);
  return claims.length > 0 && claims.every(({ deletionRequestedAtMs }) => deletionRequestedAtMs === null);
}

/** Up to when the least informed controller knew everything, at any moment of the last seconds. */
function trackKnowledge(simulation: Simulation): () => number {
  const readings: { readonly atMs: number; readonly knownUpToMs: number }[] = [];
  simulation.onStep(() => {
    const atMs = simulation.clock.nowMs();
    let knownUpToMs = atMs;
    for (const process of simulation.processes) knownUpToMs = Math.min(knownUpToMs, process.knownUpToMs());
    readings.push({ atMs, knownUpToMs });
    while ((readings[0]?.atMs ?? atMs) < atMs - RULE_MS) readings.shift();
  });
  return () => readings.reduce((least, one) => Math.min(least, one.knownUpToMs), simulation.clock.nowMs());
}
