// Notices turned into what happens to claims: who leaves, what is marked, what is told, and how often.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { heedInterruptions, type Interrupting } from '../../src/controllers/interruption.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { InterruptedOffering } from '../../src/ports/cloudProvider.ts';
import type { InterruptionNotice, InterruptionSource } from '../../src/ports/interruptions.ts';
import type { EventDraft } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;

function aNotice(fields: Partial<InterruptionNotice> = {}): InterruptionNotice {
  const notice = { kind: 'SpotInterruption', instanceId: 'i-1', deadlineMs: NOW_MS + 120_000 } as const;
  return { ...notice, message: 'EC2 will terminate the spot instance', receipt: 'r', ...fields };
}

function aSpotClaim(name: string, instanceId: string): NodeClaim {
  const status = {
    providerId: `aws:///us-east-1a/${instanceId}`,
    ...{ instanceType: 'm5.large', zone: 'us-east-1a', capacityType: 'spot' as const },
  };
  const base = aNodeClaim({ name, uid: `uid-${name}` });
  return { ...base, status: { ...base.status, ...status } };
}

function aCluster(claims: readonly NodeClaim[], failingDeletes = 0) {
  const state = new ClusterState();
  for (const object of claims) state.apply({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
  const done = {
    deleted: [] as string[],
    marked: [] as InterruptedOffering[],
    events: [] as EventDraft[],
    acknowledged: [] as InterruptionNotice[],
    order: [] as string[],
  };
  let failures = failingDeletes;
  let incoming: readonly InterruptionNotice[] = [];
  const source: InterruptionSource = {
    onNotice: () => {},
    receive: async () => ({ notices: incoming, againAfterMs: 5_000 }),
    acknowledge: async (notices) => void done.acknowledged.push(...notices),
  };
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const live = new LiveState(state, clock, ignore);
  const deleteNodeClaim = async (name: string): Promise<'deleted' | 'gone'> => {
    failures -= 1;
    if (failures >= 0) throw new Error('the API server is away');
    done.deleted.push(name);
    done.order.push('deleted');
    const held = live.get('nodeClaim', name) ?? assert.fail();
    const object = { ...held, deletionRequestedAtMs: NOW_MS, resourceVersion: '2' };
    state.apply({ type: 'upsert', kind: 'nodeClaim', key: name, object });
    return 'deleted';
  };
  const ports = {
    clock,
    cloud: {
      noteInterrupted: (offering: InterruptedOffering) => {
        done.marked.push(offering);
        done.order.push('marked');
      },
    },
    interruptions: source,
    kube: { deleteNodeClaim, publishEvent: async (event: EventDraft) => void done.events.push(event) },
    journal: { append: ignore },
    telemetry: {
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      metrics: { count: ignore, gauge: ignore, observe: ignore },
    },
    // Only what interruption handling touches.
  } as unknown as Ports;
  const interrupting: Interrupting = { live, settings: DEFAULT_SETTINGS, told: new Map() };
  const hear = (...notices: readonly InterruptionNotice[]) => {
    incoming = notices;
    return heedInterruptions(ports, interrupting);
  };
  return { done, hear };
}

describe('an interruption', () => {
  it('marks the offering, then deletes the claim, tells of it, and acknowledges', async () => {
    const { done, hear } = aCluster([aSpotClaim('a', 'i-1'), aSpotClaim('b', 'i-2')]);
    assert.deepEqual(await hear(aNotice()), { afterMs: 5_000 });
    assert.deepEqual(done.deleted, ['a']);
    assert.deepEqual(done.marked, [{ instanceType: 'm5.large', zone: 'us-east-1a', capacityType: 'spot' }]);
    assert.deepEqual(done.order, ['marked', 'deleted']);
    assert.equal(done.acknowledged.length, 1);
    assert.equal(done.events[0]?.reason, 'SpotInterrupted');
    assert.match(done.events[0]?.message ?? '', /120 s from now; its pods are moved off and replaced now/);
  });

  const KINDS = [
    { kind: 'SpotInterruption', leaves: true, marks: true },
    { kind: 'RebalanceRecommendation', leaves: false, marks: false },
    { kind: 'ScheduledChange', leaves: true, marks: false },
    { kind: 'StateChange', leaves: true, marks: false },
    { kind: 'CapacityReservationInterruption', leaves: true, marks: false },
  ] as const;
  for (const { kind, leaves, marks } of KINDS) {
    it(`of kind ${kind} ${leaves ? 'takes the node away' : 'is only told'}`, async () => {
      const { done, hear } = aCluster([aSpotClaim('a', 'i-1')]);
      await hear(aNotice({ kind, deadlineMs: null }));
      assert.deepEqual(done.deleted, leaves ? ['a'] : []);
      assert.equal(done.marked.length, marks ? 1 : 0);
      assert.equal(done.events.length, 1);
      assert.equal(done.acknowledged.length, 1);
    });
  }

  it('that comes again, or twice at once, is carried out and told once', async () => {
    const { done, hear } = aCluster([aSpotClaim('a', 'i-1')]);
    await hear(aNotice({ receipt: 'one' }), aNotice({ receipt: 'two' }));
    await hear(aNotice({ receipt: 'three' }));
    assert.deepEqual(done.deleted, ['a']);
    assert.equal(done.events.length, 1);
    assert.equal(done.acknowledged.length, 3);
  });

  it('of an instance that is none of ours is acknowledged, and nothing is done', async () => {
    const { done, hear } = aCluster([aSpotClaim('a', 'i-1'), aNodeClaim({ name: 'unlaunched' })]);
    await hear(aNotice({ instanceId: 'i-99' }), aNotice({ instanceId: '' }));
    assert.deepEqual([done.deleted, done.events], [[], []]);
    assert.equal(done.acknowledged.length, 2);
  });

  it('that cannot be carried out is not acknowledged, holds up no other, and goes through later', async () => {
    const { done, hear } = aCluster([aSpotClaim('a', 'i-1'), aSpotClaim('b', 'i-2')], 1);
    const both = [aNotice(), aNotice({ instanceId: 'i-2', receipt: 's' })];
    assert.deepEqual(await hear(...both), { afterMs: 1_000 });
    assert.equal(done.deleted.length, 1);
    assert.equal(done.acknowledged.length, 1);
    await hear(...both);
    assert.deepEqual([...done.deleted].sort(), ['a', 'b']);
    assert.equal(done.events.length, 2);
  });
});
