// What is remembered of nodes that never came up: counted once, written in order, and no reason to keep an instance.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LaunchFailuresMemory, noteNotUp, noteUp } from '../../src/controllers/launchFailures.ts';
import { launchLeaves } from '../../src/controllers/launchPauses.ts';
import { LiveState } from '../../src/controllers/liveState.ts';
import type { NodeClaim } from '../../src/model/nodeClaim.ts';
import type { NodeClassTargets } from '../../src/model/nodeClass.ts';
import type { LaunchFailures } from '../../src/model/provisioner.ts';
import type { Ports } from '../../src/ports/ports.ts';
import { ClusterState } from '../../src/state/clusterState.ts';
import { aNodeClaim, aNodeClass, aProvisioner } from '../builders.ts';

const NOW_MS = 1_800_000_000_000;

/** A Provisioner with these claims; `write` is the API server's answer to a write of its status. */
function aProvisionerWith(
  claims: readonly NodeClaim[],
  write: () => Promise<'written'> = async () => 'written',
  status: LaunchFailures | null = null,
) {
  const state = new ClusterState();
  const provisioner = aProvisioner(status === null ? {} : { launchFailures: status });
  const nodeClass = aNodeClass();
  state.apply({ type: 'upsert', kind: 'provisioner', key: provisioner.name, object: provisioner });
  state.apply({ type: 'upsert', kind: 'nodeClass', key: nodeClass.key, object: nodeClass });
  for (const object of claims) state.apply({ type: 'upsert', kind: 'nodeClaim', key: object.name, object });
  const ignore = (): void => {};
  const clock = { nowMs: () => NOW_MS, sleep: async () => {} };
  const written: (LaunchFailures | null)[] = [];
  const errors: string[] = [];
  const images = { now: ['ami-a'] as readonly string[] | null };
  const targets = async (): Promise<NodeClassTargets> => {
    if (images.now === null) throw new Error('throttled');
    return { imageIds: images.now, subnetIds: [], securityGroupIds: null };
  };
  const ports = {
    clock,
    cloud: { nodeClassTargets: targets },
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
  return { ports, with: { live, failures }, provisioner, failures, state, live, written, errors, images };
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

/** A claim that booted this image. */
function aClaimOf(name: string, imageId: string, fields: Partial<NodeClaim> = {}): NodeClaim {
  const base = aNodeClaim({ name, createdAtMs: NOW_MS - 900_000, ...fields });
  return { ...base, status: { ...base.status, imageId } };
}

test('a claim that was counted before a restart is not counted again, until its deletion is under way', async () => {
  const before = aProvisionerWith(CLAIMS);
  const [first = assert.fail(), second = assert.fail(), third = assert.fail()] = CLAIMS;
  await noteNotUp(before.ports, before.with, first, '');
  const status = before.written.at(-1) ?? null;
  const going = { ...second, deletionRequestedAtMs: NOW_MS };
  const restarted = aProvisionerWith([first, going, third], undefined, status);
  await noteNotUp(restarted.ports, restarted.with, first, '');
  assert.equal(restarted.failures.of(restarted.provisioner)?.nodes, 1);
  await noteNotUp(restarted.ports, restarted.with, third, '');
  assert.equal(restarted.failures.of(restarted.provisioner)?.nodes, 2);
  assert.deepEqual(restarted.written.at(-1)?.claims, [first.uid, third.uid]);
  const later = aProvisionerWith([{ ...first, deletionRequestedAtMs: NOW_MS }, second], undefined, status);
  await noteNotUp(later.ports, later.with, second, '');
  assert.deepEqual(later.written.at(-1)?.claims, [second.uid], 'what goes is not given back again');
});

test('what booted an image that is launched no more neither counts nor ends it', async () => {
  const claims = ['a', 'b', 'c', 'd'].map((name) => aClaimOf(name, name === 'd' ? 'ami-b' : 'ami-a'));
  const one = aProvisionerWith(claims);
  const [a = assert.fail(), b = assert.fail(), c = assert.fail(), d = assert.fail()] = claims;
  await noteNotUp(one.ports, one.with, a, '');
  assert.deepEqual(one.failures.of(one.provisioner)?.imageIds, ['ami-a']);
  one.images.now = ['ami-b'];
  await noteNotUp(one.ports, one.with, b, '');
  await noteUp(one.ports, one.with, c);
  assert.equal(one.failures.of(one.provisioner)?.nodes, 1);
  await noteNotUp(one.ports, one.with, d, '');
  const { nodes, pauses, imageIds } = one.failures.of(one.provisioner) ?? assert.fail();
  assert.deepEqual([nodes, pauses, imageIds], [1, 0, ['ami-b']], 'of the new image it is the first');
});

test('a node of the new image that comes up ends it, and so it does when images cannot be told', async () => {
  for (const told of [['ami-b'], null]) {
    const one = aProvisionerWith([aClaimOf('a', 'ami-a'), aClaimOf('b', 'ami-b')]);
    await noteNotUp(one.ports, one.with, aClaimOf('a', 'ami-a'), '');
    one.images.now = told;
    await noteUp(one.ports, one.with, aClaimOf('b', 'ami-b'));
    assert.equal(one.failures.of(one.provisioner), null);
  }
});

test('a pause ends once its image is launched no more, after a restart too', async () => {
  const claims = ['a', 'b'].map((name) => aClaimOf(name, 'ami-a'));
  const before = aProvisionerWith(claims);
  for (const claim of claims) await noteNotUp(before.ports, before.with, claim, '');
  const restarted = aProvisionerWith(claims, undefined, before.written.at(-1) ?? null);
  const leaves = async (): Promise<number> => {
    const snapshot = restarted.live.snapshot();
    await restarted.failures.learnImages(restarted.ports, snapshot);
    return launchLeaves(snapshot, restarted.failures).size;
  };
  assert.equal(await leaves(), 1);
  restarted.images.now = ['ami-b'];
  assert.equal(await leaves(), 0);
  restarted.images.now = null;
  assert.equal(await leaves(), 1, 'what cannot be told is taken to be the same');
});

test('what is gone is forgotten', async () => {
  const one = aProvisionerWith(CLAIMS);
  for (const claim of CLAIMS) await noteNotUp(one.ports, one.with, claim, '');
  assert.ok(one.failures.size > 0);
  for (const { name } of CLAIMS) one.state.apply({ type: 'delete', kind: 'nodeClaim', key: name });
  one.state.apply({ type: 'delete', kind: 'provisioner', key: one.provisioner.name });
  one.state.apply({ type: 'delete', kind: 'nodeClass', key: aNodeClass().key });
  one.failures.look(one.live.snapshot());
  assert.equal(one.failures.size, 0);
});
