// What is told when a launch is refused, and to whom.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Backoff } from '../../src/controllers/backoff.ts';
import { type Launching, launchClaim } from '../../src/controllers/launch.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import { ProvisioningMemory } from '../../src/controllers/provisioningMemory.ts';
import { DEFAULT_SETTINGS } from '../../src/controllers/settings.ts';
import { SharedRead } from '../../src/controllers/sharedRead.ts';
import type { LaunchOutcome } from '../../src/ports/cloudProvider.ts';
import type { EventDraft } from '../../src/ports/kubeApi.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim, aNodeClass, aPod } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;

/** The events that are published when the cloud answers so; the claim is meant for the pod `default/web`. */
async function eventsAfter(
  outcome: LaunchOutcome,
  onLaunch: () => void = () => {},
): Promise<readonly EventDraft[]> {
  const claim = aNodeClaim({ name: 'default-1' });
  const state = new ClusterState();
  state.apply({ type: 'upsert', kind: 'nodeClaim', key: claim.name, object: claim });
  state.apply({ type: 'upsert', kind: 'pod', key: 'default/web', object: aPod({ name: 'web' }) });
  state.apply({ type: 'upsert', kind: 'nodeClass', key: 'AWSNodeTemplate/default', object: aNodeClass() });
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const ignore = (): void => {};
  const live = new LiveState(state, clock, ignore);
  const memory = new ProvisioningMemory(DEFAULT_SETTINGS);
  const target = { kind: 'nodeClaim' as const, name: claim.name };
  memory.nominations.nominate([{ pod: 'default/web', target }], NOW_MS, 60_000);
  const events: EventDraft[] = [];
  const ports = {
    clock,
    cloud: {
      launch: async () => {
        onLaunch();
        return outcome;
      },
    },
    kube: {
      publishEvent: async (event: EventDraft) => void events.push(event),
      deleteNodeClaim: async () => 'deleted',
    },
    journal: { append: ignore },
    telemetry: {
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      metrics: { observe: ignore, count: ignore, gauge: ignore },
    },
  } as unknown as Ports;
  const launching = await new Promise<Launching>((done) => {
    const wake = (): void => done(made);
    const made: Launching = {
      ...{ live, memory, wake, settings: DEFAULT_SETTINGS, underWay: new Set(), nodeLosses: new Map() },
      ...{
        notedNodes: new WeakSet(),
        givenUp: new Set(),
        givingBack: new Set(),
        doubts: new Backoff(5_000, 60_000),
        joined: new SharedRead(),
      },
      retries: new Backoff(1_000, 60_000),
    };
    launchClaim(ports, made, claim);
  });
  launchClaim(ports, launching, claim);
  await new Promise((resolve) => setImmediate(resolve));
  return events;
}

const REFUSED: readonly LaunchOutcome[] = [
  { kind: 'insufficientCapacity', offerings: [], message: 'EC2 is out of both; tried again in 3 min' },
  { kind: 'rejected', reason: 'PermissionDenied', message: 'add a statement' },
];
for (const outcome of REFUSED) {
  it(`tells pod and claim why a launch was refused: ${outcome.kind}`, async () => {
    const events = await eventsAfter(outcome);
    const told = events.map(({ about, message }) => [about.kind, about.name, message]);
    const message = outcome.kind === 'launched' ? '' : outcome.message;
    const reason = outcome.kind === 'rejected' ? outcome.reason : 'InsufficientCapacity';
    assert.deepEqual(told, [
      ['Pod', 'web', `${reason}: ${message}`],
      ['NodeClaim', 'default-1', message],
    ]);
  });
}

it('tells pods nothing of a launch that is repeated', async () => {
  assert.deepEqual(await eventsAfter({ kind: 'retryable', message: 'lost' }), []);
});

it('launches no claim again whose deletion went through, before the watch shows it', async () => {
  let launches = 0;
  const count = (): void => {
    launches += 1;
  };
  await eventsAfter({ kind: 'insufficientCapacity', offerings: [], message: 'none' }, count);
  assert.equal(launches, 1);
});
