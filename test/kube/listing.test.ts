// A cluster read once by lists: all pages, kinds filled in, and what happens when something may not be read.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { listCluster, listEvents } from '../../src/kube/listing.ts';
import { FakeApiServer } from './fakeApiServer.ts';
import { instantTiming, transportTo } from './kubeFixtures.ts';

let server: FakeApiServer;
let origin: string;
beforeEach(async () => {
  server = new FakeApiServer();
  origin = await server.start();
});
afterEach(() => server.stop());

const transport = () => transportTo(origin, instantTiming());

test('lists of many pages are read to the end, each object with its kind', async () => {
  for (let index = 0; index < 450; index++)
    server.put('/api/v1/pods', { metadata: { name: `web-${index}`, namespace: 'shop' } });
  server.put('/apis/karpenter.sh/v1/nodeclaims', { metadata: { name: 'claim' } });
  const { objects, problems } = await listCluster(transport());
  assert.deepEqual(problems, []);
  assert.equal(objects.filter(({ kind, apiVersion }) => kind === 'Pod' && apiVersion === 'v1').length, 450);
  assert.equal(objects.find(({ kind }) => kind === 'NodeClaim')?.apiVersion, 'karpenter.sh/v1');
  assert.deepEqual(
    server.requests.filter(({ method, query }) => method !== 'GET' || query.has('watch')),
    [],
  );
});

test('a kind that is not served or not allowed is named; credentials that are refused end it', async () => {
  server.intercept = ({ path }) => (path.includes('nodeclaims') ? { status: 404, body: {} } : null);
  const { problems } = await listCluster(transport());
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /^NodeClaim: not looked at, cannot list nodeclaims/);
  server.intercept = () => ({ status: 401, body: {} });
  await assert.rejects(listCluster(transport()), /renew the credentials/);
});

test('events about a pod: asked for by its namespace too, the newest first by whichever time they have', async () => {
  const event = (name: string, times: object) =>
    server.put('/api/v1/events', { metadata: { name, namespace: 'shop' }, reason: name, ...times });
  event('old', { lastTimestamp: '2026-03-02T09:00:00Z', reportingComponent: 'cooper' });
  event('new', { eventTime: '2026-03-02T09:30:00.000000Z', source: { component: 'default-scheduler' } });
  event('series', { series: { count: 7, lastObservedTime: '2026-03-02T09:15:00Z' } });
  const events = await listEvents(transport(), { kind: 'Pod', namespace: 'shop', name: 'web-1' });
  assert.deepEqual(
    events.map(({ reason, count, by }) => [reason, count, by]),
    [
      ['new', 1, 'default-scheduler'],
      ['series', 7, ''],
      ['old', 1, 'cooper'],
    ],
  );
  const [asked] = server.requests;
  assert.equal(
    asked?.query.get('fieldSelector'),
    'involvedObject.kind=Pod,involvedObject.name=web-1,involvedObject.namespace=shop',
  );
});
