// What annotations keep: the table of docs/disruption.md, line by line, against the decisions themselves.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { selectCandidates } from '../../src/disruption/consolidationCandidates.ts';
import { disrupt } from '../../src/disruption/disruptor.ts';
import { nextDrainStep } from '../../src/disruption/drainStep.ts';
import { decideLeaving, expiredNodes } from '../../src/disruption/leaving.ts';
import { decideRepair } from '../../src/disruption/repair.ts';
import { driftKeptBy } from '../../src/disruption/rollout.ts';
import { parseCron } from '../../src/model/cronSchedule.ts';
import { NO_CONSOLIDATION } from '../../src/model/disruptionPolicy.ts';
import { ANNOTATION } from '../../src/model/labels.ts';
import { NO_STATUS } from '../../src/model/nodeClaim.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { ClusterSnapshot } from '../../src/model/snapshot.ts';
import { aBoundPod, aNodeClaim, anOwnedNode, aProvisioner, aSnapshot } from '../builders.ts';
import { QUIET } from './consolidated.ts';

const NOW_MS = Date.parse('2026-11-21T12:00:00Z');
const HOUR_MS = 3_600_000;
const UNREADY = { type: 'Ready', status: 'False', reason: '', sinceMs: NOW_MS - HOUR_MS } as const;
const INITIALIZED = { type: 'Initialized', status: 'True', reason: '', message: '', sinceMs: 0 } as const;

interface Row {
  readonly text: string;
  readonly key: string;
  readonly value: string;
  readonly isOld: boolean;
  readonly on: 'pod' | 'node';
  /** By column, as documented. */
  readonly cells: Readonly<Record<string, string>>;
}

/** The lines of the table whose header begins with "Annotation". */
function documentedRows(): readonly Row[] {
  const page = readFileSync(new URL('../../docs/disruption.md', import.meta.url), 'utf8').split('\n');
  const from = page.findIndex((line) => line.startsWith('| Annotation |'));
  const to = page.findIndex((line, index) => index > from && !line.startsWith('|'));
  const [header = [], , ...rows] = page.slice(from, to).map((line) => line.split('|').slice(1, -1));
  const columns = header.slice(2).map((cell) => cell.replaceAll('`', '').trim());
  return rows.map(([first = '', on = '', ...cells]) => {
    const [, key = '', value = ''] = /`([^:]+): "?([^"`]+)"?`/.exec(first) ?? [];
    return {
      text: `${first.trim()} on a ${on.trim()}`,
      ...{ key, value, isOld: !first.includes('younger') },
      on: on.trim() === 'pod' ? 'pod' : 'node',
      cells: Object.fromEntries(columns.map((column, index) => [column, (cells[index] ?? '').trim()])),
    };
  });
}

/** One node, with a pod on it unless the annotation is about a node; five hours old or one. */
function clusterOf(row: Row, provisioner: Partial<Provisioner>, withPod: boolean): ClusterSnapshot {
  const createdAtMs = NOW_MS - (row.isOld ? 5 : 1) * HOUR_MS;
  const annotations = row.key === '' ? {} : { [row.key]: row.value };
  const owner = { kind: 'ReplicaSet', name: 'web', uid: 'web' };
  const pod = aBoundPod('n0', { owner, createdAtMs, annotations: row.on === 'pod' ? annotations : {} });
  return aSnapshot({
    takenAtMs: NOW_MS,
    provisioners: [aProvisioner(provisioner)],
    nodes: [anOwnedNode({ name: 'n0', createdAtMs, annotations: row.on === 'node' ? annotations : {} })],
    nodeClaims: [
      aNodeClaim({
        emptySinceMs: withPod ? null : createdAtMs,
        status: {
          ...NO_STATUS,
          ...{ nodeName: 'n0', providerId: 'n0', usdPerHour: 1, conditions: [INITIALIZED] },
        },
      }),
    ],
    pods: withPod ? [pod] : [],
  });
}

const EVERY_DAY = parseCron('@daily');
assert.ok(EVERY_DAY);
const ALWAYS_OFF = [{ schedule: EVERY_DAY, durationMs: 48 * HOUR_MS, timeZone: 'UTC' }];

function leaves(snapshot: ClusterSnapshot, reason: string): string {
  const { plans } = disrupt(snapshot, () => 0);
  return plans.some((plan) => plan.reason === reason) ? 'goes' : 'stays';
}

/** What happens for each reason, by column of the table. */
const DECISIONS: Readonly<Record<string, (row: Row) => string>> = {
  Empty: (row) => {
    const isPod = row.on === 'pod';
    const found = leaves(clusterOf(row, { ttlAfterEmptyMs: 0 }, isPod), 'Empty');
    return isPod && found === 'stays' ? 'in use' : found;
  },
  Underutilized: (row) => {
    const disruption = { ...NO_CONSOLIDATION, consolidation: 'WhenEmptyOrUnderutilized' as const };
    const { candidates } = selectCandidates(clusterOf(row, { disruption }, true), QUIET);
    return candidates.length > 0 ? 'goes' : 'stays';
  },
  Expired: (row) => {
    const snapshot = clusterOf(row, { ttlUntilExpiredMs: 1 }, true);
    const { leaving } = decideLeaving(snapshot, expiredNodes(snapshot), () => 0);
    return leaving.length > 0 ? 'goes' : 'stays';
  },
  OffHours: (row) => leaves(clusterOf(row, { offHours: ALWAYS_OFF }, true), 'OffHours'),
  Drifted: (row) => {
    const snapshot = clusterOf(row, {}, true);
    const [claim] = snapshot.nodeClaims;
    assert.ok(claim);
    return driftKeptBy(snapshot, claim) === null ? 'goes' : 'stays';
  },
  Unhealthy: (row) => {
    const disruption = { ...NO_CONSOLIDATION, repair: { policy: 'Replace' as const, toleratedMs: null } };
    const { nodes, ...rest } = clusterOf(row, { disruption }, true);
    const sick = nodes.map((node) => ({ ...node, providerId: 'n0', conditions: [UNREADY] }));
    return decideRepair({ ...rest, nodes: sick }, () => false).repairs.length > 0 ? 'goes' : 'stays';
  },
  Eviction: (row) => {
    const { evict } = nextDrainStep(clusterOf(row, {}, true).pods, NOW_MS);
    return evict.length > 0 ? 'goes' : 'stays';
  },
};

const ROWS = documentedRows();

test('the table speaks of every annotation that keeps something, and of every decision', () => {
  const documented = new Set(ROWS.map(({ key }) => key));
  const keeping = [
    ANNOTATION.doNotEvict,
    ANNOTATION.doNotDisrupt,
    ANNOTATION.doNotConsolidate,
    ANNOTATION.safeToEvict,
    ANNOTATION.scaleDownDisabled,
  ];
  assert.deepEqual([...documented].sort(), ['', ...keeping].sort());
  for (const { cells } of ROWS) assert.deepEqual(Object.keys(cells), Object.keys(DECISIONS));
});

for (const row of ROWS) {
  test(`${row.text}: as documented`, () => {
    const found = Object.entries(DECISIONS).map(([column, decide]) => [column, decide(row)]);
    assert.deepEqual(Object.fromEntries(found), row.cells);
  });
}

for (const value of ['false', 'yes', '', '-1h', 'True']) {
  test(`a value of ${JSON.stringify(value)} forbids nothing`, () => {
    for (const key of [ANNOTATION.doNotEvict, ANNOTATION.doNotDisrupt, ANNOTATION.doNotConsolidate]) {
      for (const on of ['pod', 'node'] as const) {
        const row = { text: '', key, value, isOld: true, on, cells: {} };
        const none = { ...row, key: '' };
        for (const decide of Object.values(DECISIONS)) assert.equal(decide(row), decide(none), key);
      }
    }
  });
}
