// All kinds together: sync, invalid objects, missing kinds, staleness.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { type ClusterWatch, type InvalidManifest, watchCluster } from '../../src/kube/clusterWatch.ts';
import type { ClusterEvent } from '../../src/model/clusterEvent.ts';
import { FakeApiServer } from './fakeApiServer.ts';
import { eventually, type InstantTiming, instantTiming, transportTo } from './kubeFixtures.ts';

const PROVISIONERS = '/apis/karpenter.sh/v1alpha5/provisioners';
const CLAIMS = '/apis/karpenter.sh/v1/nodeclaims';
const PODS = '/api/v1/pods';

let server: FakeApiServer;
let timing: InstantTiming;
let watch: ClusterWatch;
let events: ClusterEvent[];
let invalid: InvalidManifest[];
let problems: string[];

async function start(prepare: () => void = () => {}): Promise<void> {
  const origin = await server.start();
  prepare();
  const handlers = {
    onEvent: (event: ClusterEvent) => void events.push(event),
    onInvalid: (object: InvalidManifest) => void invalid.push(object),
    onProblem: (error: Error) => void problems.push(error.message),
  };
  watch = watchCluster(transportTo(origin, timing), handlers, timing);
}

beforeEach(() => {
  server = new FakeApiServer();
  timing = instantTiming();
  events = [];
  invalid = [];
  problems = [];
});
afterEach(async () => {
  await watch.stop();
  await server.stop();
});

function provisioner(spec: object): Parameters<FakeApiServer['put']>[1] {
  return { apiVersion: 'karpenter.sh/v1alpha5', kind: 'Provisioner', metadata: { name: 'default' }, spec };
}

const INLINE = { provider: { subnetSelector: { a: 'b' }, securityGroupSelector: { a: 'b' } } };
const told = (): string[] => events.map(({ type, kind, key }) => `${type} ${kind} ${key}`);

test('syncs every kind, and delivers what was there first', async () => {
  await start(() => {
    server.put(PODS, {
      metadata: { namespace: 'default', name: 'web' },
      spec: { containers: [{ name: 'a' }] },
    });
    server.put('/api/v1/nodes', { metadata: { name: 'ip-1' } });
    server.put('/apis/storage.k8s.io/v1/csinodes', { metadata: { name: 'ip-1' } });
  });
  assert.equal(watch.stalenessMs(timing.nowMs()), Number.POSITIVE_INFINITY);
  await watch.synced;
  assert.deepEqual(told().sort(), ['upsert csiNode ip-1', 'upsert node ip-1', 'upsert pod default/web']);
  assert.deepEqual(watch.waitingFor(), []);
  assert.equal(watch.stalenessMs(timing.nowMs() + 7_000), 7_000);
  assert.deepEqual(problems, []);
});

test('an inline provider is a node class, ahead of its Provisioner, and goes with it', async () => {
  await start();
  await watch.synced;
  server.put(PROVISIONERS, provisioner(INLINE));
  await eventually('two events', () => events.length === 2);
  server.put(PROVISIONERS, provisioner({ providerRef: { name: 'other' } }));
  await eventually('two more', () => events.length === 4);
  server.remove(PROVISIONERS, 'default');
  await eventually('all', () => events.length === 6);
  assert.deepEqual(told(), [
    'upsert nodeClass Provisioner/default',
    'upsert provisioner default',
    'delete nodeClass Provisioner/default',
    'upsert provisioner default',
    'delete provisioner default',
    'delete nodeClass Provisioner/default',
  ]);
});

test('an invalid Provisioner is out of use and reported; mended, it is back', async () => {
  await start();
  await watch.synced;
  server.put(PROVISIONERS, provisioner({ ...INLINE, weight: 1000 }));
  await eventually('the report', () => invalid.length === 1);
  assert.equal(invalid[0]?.kind, 'Provisioner');
  assert.equal(invalid[0]?.name, 'default');
  assert.match(JSON.stringify(invalid[0]?.problems), /spec\.weight/);
  assert.deepEqual(told(), ['delete provisioner default', 'delete nodeClass Provisioner/default']);
  server.put(PROVISIONERS, provisioner(INLINE));
  await eventually('it is back', () => told().includes('upsert provisioner default'));
});

test('an unreadable NodeClaim is reported, and never taken for gone', async () => {
  await start();
  await watch.synced;
  server.put(CLAIMS, { apiVersion: 'karpenter.sh/v1', kind: 'NodeClaim', metadata: { name: 'c' }, spec: 7 });
  await eventually('the report', () => invalid.length === 1);
  assert.deepEqual(events, []);
});

test('a bound pod with a faulty field still takes its room', async () => {
  await start();
  await watch.synced;
  const container = { name: 'a', resources: { requests: { cpu: '1', 'example.com/odd': 'many' } } };
  server.put(PODS, { metadata: { namespace: 'default', name: 'web' }, spec: { containers: [container] } });
  await eventually('the event', () => events.length === 1);
  const [event] = events;
  assert.ok(event?.type === 'upsert' && event.kind === 'pod');
  assert.deepEqual(event.object.spec.requests, { cpu: 1000, pods: 1 });
  assert.equal(invalid.length, 1);
});

test('a missing CRD is told once, keeps readiness back, and holds up nothing else', async () => {
  await start(() => {
    server.served = new Set([
      '/api/v1',
      '/apis/apps',
      '/apis/policy',
      '/apis/storage.k8s.io',
      '/apis/karpenter.sh',
    ]);
    server.put(PODS, {
      metadata: { namespace: 'default', name: 'web' },
      spec: { containers: [{ name: 'a' }] },
    });
  });
  await eventually('the rest is there', () => watch.waitingFor().length === 1);
  assert.deepEqual(watch.waitingFor(), ['AWSNodeTemplate']);
  assert.deepEqual(told(), ['upsert pod default/web']);
  await eventually('some repeats', () => timing.pauses.length > 3);
  assert.equal(problems.length, 1);
  assert.match(
    problems[0] ?? '',
    /cannot list awsnodetemplates\.karpenter\.k8s\.aws: HTTP 404.*install the custom resource/,
  );
  server.served = null;
  await watch.synced;
});

test('a server that cannot be reached is one trouble, not one per kind', async () => {
  const origin = await server.start();
  await server.stop();
  server = new FakeApiServer();
  await server.start();
  const handlers = {
    onEvent() {},
    onInvalid() {},
    onProblem: (error: Error) => void problems.push(error.message),
  };
  watch = watchCluster(transportTo(origin, timing), handlers, timing);
  await eventually('many tries', () => timing.pauses.length > 60);
  assert.equal(problems.length, 1);
  assert.match(
    problems[0] ?? '',
    /API server http:\/\/127\.0\.0\.1:\d+ \(from a test\) was not reached.*ECONNREFUSED.*check/,
  );
});

test('a watch whose connection is dead without a word is brought up to date when it is renewed', async () => {
  await start();
  await watch.synced;
  const { watchers } = server.collection(PODS);
  await eventually('the watch is open', () => watchers.size > 0);
  watchers.clear();
  server.put(PODS, {
    metadata: { namespace: 'default', name: 'late' },
    spec: { containers: [{ name: 'a' }] },
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told(), [], 'the connection is dead');
  const renewed = watch.renew();
  await eventually('what was missed is told', () => told().includes('upsert pod default/late'));
  await renewed;
});
