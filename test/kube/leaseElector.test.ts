// Two replicas and one Lease, on a clock that the test moves.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { RESOURCE } from '../../src/kube/apiTarget.ts';
import { LeaseElector, LeaseLostError } from '../../src/kube/leaseElector.ts';
import type { Instant } from '../../src/kube/leaseRecord.ts';
import type { Timing } from '../../src/kube/timing.ts';
import { KubeTransport } from '../../src/kube/transport.ts';
import { FakeApiServer } from './fakeApiServer.ts';
import { connectionTo, transportTo } from './kubeFixtures.ts';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/ns/leases';

let server: FakeApiServer;
let origin: string;
let nowMs: number;

beforeEach(async () => {
  server = new FakeApiServer();
  origin = await server.start();
  nowMs = 1_000_000;
});
afterEach(() => server.stop());

const now = (): Instant => ({ wallMs: nowMs, monotonicMs: nowMs });

/** Each pause lets that much time pass, for everybody. */
const timing: Timing = {
  nowMs: () => nowMs,
  random: () => 0,
  pause: async (durationMs) => {
    nowMs += durationMs;
    await new Promise((resolve) => setImmediate(resolve));
  },
};

function elector(identity: string): LeaseElector & { readonly problems: Error[] } {
  const problems: Error[] = [];
  const transport = transportTo(origin, timing);
  const options = { namespace: 'ns', name: 'cooper', identity, timing, now };
  return Object.assign(new LeaseElector(transport, { ...options, onProblem: (one) => problems.push(one) }), {
    problems,
  });
}

function holder(): unknown {
  const lease = server.collection(LEASES).objects.get('ns/cooper');
  return (lease?.spec as { holderIdentity?: string } | undefined)?.holderIdentity;
}

const never = new AbortController().signal;

/** Aborts after so many reads of it: ends a loop that would go on for ever. */
function abortedAfter(reads: number): AbortSignal {
  const controller = new AbortController();
  server.intercept = ({ path }) => {
    if (path.startsWith(LEASES) && --reads <= 0) controller.abort();
    return null;
  };
  return controller.signal;
}

test('the first replica gets the Lease, the second stands by', async () => {
  const [one, two] = [elector('one'), elector('two')];
  assert.equal(await one.acquire(never), 0);
  await one.check();
  assert.equal(await two.acquire(abortedAfter(3)), null);
  await assert.rejects(two.check(), LeaseLostError);
  assert.equal(holder(), 'one');
});

test('a replica that dies is followed after its Lease has run out, not before', async () => {
  const [one, two] = [elector('one'), elector('two')];
  await one.acquire(never);
  const diedAtMs = nowMs;
  assert.equal(await two.acquire(never), 1);
  assert.ok(nowMs - diedAtMs >= 15_000, `followed after ${nowMs - diedAtMs} ms`);
  assert.ok(nowMs - diedAtMs < 20_000, `followed after ${nowMs - diedAtMs} ms`);
  await assert.rejects(one.check(), LeaseLostError);
  await two.check();
});

test('a replica that gives the Lease up is followed at once', async () => {
  const [one, two] = [elector('one'), elector('two')];
  await one.acquire(never);
  await one.release();
  const releasedAtMs = nowMs;
  assert.equal(await two.acquire(never), 1);
  assert.equal(nowMs, releasedAtMs);
  await assert.rejects(one.check(), LeaseLostError);
});

test('a renewal under way when the Lease is given up does not take it again', async () => {
  const one = elector('one');
  await one.acquire(never);
  nowMs += 6_000;
  const check = one.check();
  await one.release();
  await check.catch(() => {});
  assert.equal(holder(), '');
});

test('a renewal that was broken off and has arrived all the same does not keep the Lease', async () => {
  const one = elector('one');
  await one.acquire(never);
  const lease = server.collection(LEASES).objects.get('ns/cooper');
  assert.ok(lease);
  server.put(LEASES, { ...lease, spec: { ...(lease.spec as object), renewTime: 'later' } });
  await one.release();
  assert.equal(holder(), '');
});

test('a replica that was stopped and goes on finds that it may not act, before it could ask', async () => {
  const [one, two] = [elector('one'), elector('two')];
  await one.acquire(never);
  await two.acquire(never);
  const before = server.requests.length;
  await assert.rejects(one.check(), /does not hold the Lease ns\/cooper/);
  assert.equal(server.requests.length, before, 'its own clock is enough');
});

test('a check long after the last renewal renews, and says no when another has taken over', async () => {
  const one = elector('one');
  await one.acquire(never);
  nowMs += 6_000;
  await one.check();
  assert.equal(server.requests.filter(({ method }) => method === 'PUT').length, 1);
  nowMs += 6_000;
  const lease = server.collection(LEASES).objects.get('ns/cooper');
  assert.ok(lease);
  server.put(LEASES, {
    ...lease,
    spec: { ...(lease.spec as object), holderIdentity: 'thief', renewTime: 'x' },
  });
  await assert.rejects(one.check(), LeaseLostError);
  assert.equal(holder(), 'thief');
});

test('writes that ask at the same time renew once, and all may go out', async () => {
  const one = elector('one');
  await one.acquire(never);
  nowMs += 6_000;
  const checks = await Promise.allSettled(Array.from({ length: 20 }, () => one.check()));
  assert.equal(checks.filter(({ status }) => status === 'rejected').length, 0);
  assert.equal(server.requests.filter(({ method }) => method === 'PUT').length, 1);
});

test('keeping renews every two seconds and ends as lost when the server is away for ten', async () => {
  const one = elector('one');
  await one.acquire(never);
  let renewals = 0;
  let awayAtMs = 0;
  server.intercept = ({ method }) => {
    if (method === 'PUT' && ++renewals <= 5) return null;
    awayAtMs ||= nowMs;
    return { status: 500, body: { reason: 'InternalError' } };
  };
  assert.equal(await one.keep(never), 'lost');
  assert.ok(nowMs - awayAtMs >= 8_000 && nowMs - awayAtMs <= 10_000, `lost after ${nowMs - awayAtMs} ms`);
  assert.ok(one.problems.length > 0);
  await assert.rejects(one.check(), LeaseLostError);
});

test('keeping ends as lost as soon as another holder is seen', async () => {
  const one = elector('one');
  await one.acquire(never);
  const lease = server.collection(LEASES).objects.get('ns/cooper');
  assert.ok(lease);
  server.put(LEASES, { ...lease, spec: { ...(lease.spec as object), holderIdentity: 'thief' } });
  const beforeMs = nowMs;
  assert.equal(await one.keep(never), 'lost');
  assert.equal(nowMs - beforeMs, 2_000);
  assert.equal(holder(), 'thief');
});

test('without rights it says so, and goes on trying', async () => {
  const one = elector('one');
  const tried = abortedAfter(4);
  const counting = server.intercept;
  server.intercept = (request) => {
    counting(request);
    return { status: 403, body: { reason: 'Forbidden', message: 'no' } };
  };
  assert.equal(await one.acquire(tried), null);
  assert.match(one.problems[0]?.message ?? '', /allow the verb "get" on "leases.coordination.k8s.io"/);
});

test('behind its fence a replica that does not lead reads, and writes nothing', async () => {
  const one = elector('one');
  const connection = connectionTo(origin);
  const fenced = new KubeTransport(
    { ...connection, credentials: async () => ({ agent: connection.agent }) },
    { timeoutMs: 1_000, timing, userAgent: 'cooper-test', beforeWrite: () => one.check() },
  );
  const draft = { verb: 'create', target: RESOURCE.nodes, body: { metadata: { name: 'n' } } } as const;
  await fenced.call({ verb: 'list', target: RESOURCE.nodes });
  await assert.rejects(fenced.call(draft), LeaseLostError);
  assert.deepEqual(
    server.requests.map(({ method }) => method),
    ['GET'],
  );
  await one.acquire(never);
  assert.equal((await fenced.call(draft)).status, 201);
});

test('of two that see it run out at once, one gets it', async () => {
  const [dead, one, two] = [elector('dead'), elector('one'), elector('two')];
  await dead.acquire(never);
  const stop = new AbortController();
  const races = [one, two].map((each) => each.acquire(stop.signal).then(() => stop.abort()));
  await Promise.all(races);
  const checks = await Promise.allSettled([one.check(), two.check()]);
  assert.equal(checks.filter(({ status }) => status === 'fulfilled').length, 1);
});
