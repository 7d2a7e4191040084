// What is remembered of nodes that never came up: counted once, written in order, and no reason to keep an instance.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LaunchFailuresMemory, noteNotUp, noteUp } from '../../src/controllers/launchFailures.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { LaunchFailures } from '../../src/model/provisioner.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim, aNodeClass, aProvisioner } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;

/** A Provisioner with these claims; `write` is the API server's answer to a write of its status. */
function aProvisionerWith(
  claims: readonly NodeClaim[],
  write: () => Promise<'written'> = async () => 'written',
) {
  const state = new ClusterState();
  const provisioner = aProvisioner();
  const nodeClass = aNodeClass();
  state.apply({ type: 'upsert', kind: 'provisioner', key: provisioner.name, object: provisioner });
  state.apply({ type: 'upsert', kind: 'nodeClass', key: nodeClass.key, object: nodeClass });
  for (const object of claims) state.apply({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const written: (LaunchFailures | null)[] = [];
  const errors: string[] = [];
  const ports = {
    clock,
    kube: {
      writeLaunchFailures: async (_: string, failures: LaunchFailures | null) => {
        const outcome = await write();
        written.push(failures);
        return outcome;
      },
    },
    telemetry: {
      log: { info: ignore, warn: ignore, error: (_: unknown, message: string) => void errors.push(message) },
    },
    // Only what is touched here.
  } as unknown as Ports;
  const live = new LiveState(state, clock, ignore);
  const failures = new LaunchFailuresMemory();
  failures.look(live.snapshot());
  return { ports, with: { live, failures }, provisioner, failures, state, live, written, errors };
}

const CLAIMS = ['a', 'b', 'c'].map((name) => aNodeClaim({ name, createdAtMs: NOW_MS - 900_000 }));

test('each claim is counted once, however often it is tried, and the last write has them all', async () => {
  const one = aProvisionerWith(CLAIMS);
  await Promise.all(
    [...CLAIMS, ...CLAIMS].map((claim) => noteNotUp(one.ports, one.with, claim, 'no Node joined')),
  );
  assert.deepEqual(
    [one.failures.of(one.provisioner)?.nodes, one.written.at(-1)?.nodes, one.written.at(-1)?.pauses],
    [3, 3, 1],
  );
});

test('a write that fails is told, keeps nobody, and is made good by the next', async () => {
  let fails = true;
  const one = aProvisionerWith(CLAIMS, async () => {
    if (fails) throw new Error('forbidden');
    return 'written';
  });
  for (const claim of CLAIMS) await noteNotUp(one.ports, one.with, claim, '');
  assert.deepEqual([one.written.length, one.errors.length], [0, 3]);
  fails = false;
  await one.failures.store(one.ports, one.provisioner);
  assert.equal(one.written.at(-1)?.nodes, 3);
});

test('one that comes up ends it; one of an older configuration neither ends nor counts', async () => {
  const one = aProvisionerWith(CLAIMS);
  const [first = assert.fail(), second = assert.fail()] = CLAIMS;
  await noteNotUp(one.ports, one.with, first, '');
  const changed = { ...one.provisioner, generation: one.provisioner.generation + 1 };
  one.state.apply({ type: 'upsert', kind: 'provisioner', key: changed.name, object: changed });
  one.failures.look(one.live.snapshot());
  await noteNotUp(one.ports, one.with, second, '');
  await noteUp(one.ports, one.with, second);
  assert.equal(one.failures.of(changed)?.nodes, 1);
  await noteUp(one.ports, one.with, aNodeClaim({ name: 'd', createdAtMs: NOW_MS + 1_000 }));
  assert.equal(one.failures.of(changed), null);
  assert.equal(one.written.at(-1), null);
});

test('what is gone is forgotten', async () => {
  const one = aProvisionerWith(CLAIMS);
  for (const claim of CLAIMS) await noteNotUp(one.ports, one.with, claim, '');
  assert.ok(one.failures.size > 0);
  for (const { name } of CLAIMS) one.state.apply({ type: 'delete', kind: 'nodeClaim', key: name });
  one.state.apply({ type: 'delete', kind: 'provisioner', key: one.provisioner.name });
  one.failures.look(one.live.snapshot());
  assert.equal(one.failures.size, 0);
});
