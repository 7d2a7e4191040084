// The reflector against a server that drops, repeats, scrambles and forgets.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Reflector, type ReflectorSettings } from '../../src/kube/reflector.ts';
import { FakeApiServer } from './fakeApiServer.ts';
import { eventually, instantTiming, transportTo } from './kubeFixtures.ts';

const server = new FakeApiServer();
let origin = '';
let paths = 0;

before(async () => {
  origin = await server.start();
});
after(() => server.stop());

interface Watched {
  readonly path: string;
  /** What the handlers were told, folded: key to `uid/value`. */
  readonly folded: Map<string, string>;
  readonly log: string[];
  readonly problems: string[];
  readonly reflector: Reflector;
  readonly pauses: readonly number[];
  synced: number;
  stop(): Promise<void>;
}

type Faults = Partial<Pick<ReflectorSettings, 'pageSize'>> & { readonly onUpsert?: (key: string) => void };

function watchFresh(faults: Faults = {}, before: (path: string) => void = () => {}): Watched {
  const resource = `things${++paths}`;
  const path = `/api/v1/${resource}`;
  before(path);
  const timing = instantTiming();
  const folded = new Map<string, string>();
  const log: string[] = [];
  const problems: string[] = [];
  const handlers = {
    onUpsert(key: string, object: Readonly<Record<string, unknown>>) {
      const { uid } = object.metadata as { uid: string };
      log.push(`+${key}`);
      faults.onUpsert?.(key);
      folded.set(key, `${uid}/${String(object.value)}`);
    },
    onDelete(key: string) {
      log.push(`-${key}`);
      folded.delete(key);
    },
    onProblem: (error: Error) => void problems.push(error.message),
    onSynced: () => {
      watched.synced += 1;
    },
  };
  const settings = {
    resource: { group: '', version: 'v1', resource },
    pageSize: faults.pageSize ?? 3,
    timing,
  };
  const reflector = new Reflector(transportTo(origin, timing), handlers, settings);
  const running = reflector.run();
  const watched: Watched = {
    path,
    folded,
    log,
    problems,
    reflector,
    pauses: timing.pauses,
    synced: 0,
    async stop() {
      reflector.stop();
      await running;
    },
  };
  return watched;
}

function stateOf(path: string): Map<string, string> {
  const entries = [...server.collection(path).objects].map(([key, object]): [string, string] => [
    key,
    `${object.metadata.uid}/${String(object.value)}`,
  ]);
  return new Map(entries);
}

function isSame(left: ReadonlyMap<string, string>, right: ReadonlyMap<string, string>): boolean {
  return left.size === right.size && [...left].every(([key, value]) => right.get(key) === value);
}

function thing(name: string, value: unknown = 0): { metadata: { name: string }; value: unknown } {
  return { metadata: { name }, value };
}

async function caughtUp({ path, folded }: Watched): Promise<void> {
  await eventually("the folded state is the server's", () => isSame(folded, stateOf(path)));
}

const watching = ({ path }: Watched) => eventually('a watch', () => server.watcherCount(path) === 1);

test('lists in pages, then follows', async () => {
  const watched = watchFresh({ pageSize: 2 }, (path) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) server.put(path, thing(name));
  });
  await watching(watched);
  assert.deepEqual(watched.log, ['+a', '+b', '+c', '+d', '+e']);
  const lists = server.requests.filter((one) => one.path === watched.path && one.query.get('watch') === null);
  assert.deepEqual(
    lists.map((one) => one.query.get('limit')),
    ['2', '2', '2'],
  );
  server.put(watched.path, thing('a', 1));
  server.remove(watched.path, 'b');
  await caughtUp(watched);
  assert.deepEqual(watched.log.slice(5), ['+a', '-b']);
  assert.equal(watched.synced, 1);
  await watched.stop();
});

test('asks for bookmarks and resumes a dropped watch from the newest one', async () => {
  const watched = watchFresh();
  await watching(watched);
  server.put(watched.path, thing('a'));
  await caughtUp(watched);
  server.bookmark(watched.path);
  server.compact(watched.path); // nothing older than the bookmark can be resumed from
  server.bookmark(watched.path);
  server.put(watched.path, thing('b'));
  await caughtUp(watched);
  server.dropConnections(watched.path);
  server.put(watched.path, thing('c'));
  await caughtUp(watched);
  const queries = server.requests.filter((one) => one.path === watched.path).map((one) => one.query);
  assert.equal(queries.filter((query) => query.get('watch') === null).length, 1, 'no second list');
  const watches = queries.filter((query) => query.get('watch') === 'true');
  assert.ok(watches.every((query) => query.get('allowWatchBookmarks') === 'true'));
  const timeouts = watches.map((query) => Number(query.get('timeoutSeconds')));
  assert.ok(
    timeouts.every((seconds) => seconds >= 300 && seconds <= 600),
    String(timeouts),
  );
  await watched.stop();
});

test('tells what was deleted, and what was replaced under its name, while history was lost', async () => {
  const watched = watchFresh({}, (path) => {
    for (const name of ['gone', 'stays', 'reborn']) server.put(path, thing(name));
  });
  await watching(watched);
  const before = server.collection(watched.path).watchers;
  for (const watcher of before) watcher.destroy();
  before.clear();
  server.remove(watched.path, 'gone');
  server.remove(watched.path, 'reborn');
  server.put(watched.path, thing('reborn'));
  server.compact(watched.path);
  watched.log.length = 0;
  await caughtUp(watched);
  await watching(watched);
  assert.deepEqual(watched.log, ['-reborn', '+reborn', '-gone']);
  assert.equal(watched.reflector.size, 2);
  assert.equal(watched.synced, 2);
  await watched.stop();
});

test('an expired continue token starts the list again with larger pages', async () => {
  let expired = 0;
  server.intercept = ({ query }) => {
    if (query.get('continue') === null || expired > 0) return null;
    expired += 1;
    return { status: 410, body: { reason: 'Expired', message: 'the continue token is too old' } };
  };
  const watched = watchFresh({ pageSize: 2 }, (path) => {
    for (const name of ['a', 'b', 'c']) server.put(path, thing(name));
  });
  await watching(watched);
  server.intercept = () => null;
  const lists = server.requests.filter((one) => one.path === watched.path && one.query.get('watch') === null);
  assert.deepEqual(
    lists.map((one) => one.query.get('limit')),
    ['2', '2', '8'],
  );
  assert.deepEqual(watched.log, ['+a', '+b', '+c'], 'what the first try delivered is not repeated');
  await watched.stop();
});

const FAULTS = [
  { when: 'a line that is no JSON', send: '{"type":"ADDED","obj' },
  { when: 'an event of unknown type', send: '{"type":"NOVEL","object":{"metadata":{"name":"x"}}}' },
  {
    when: 'an error event',
    send: '{"type":"ERROR","object":{"code":500,"message":"etcd fell over","metadata":{}}}',
  },
];
for (const { when, send } of FAULTS) {
  test(`goes on after ${when}, reports it, and lists again so that nothing is lost`, async () => {
    const watched = watchFresh();
    await watching(watched);
    server.sendLine(watched.path, send);
    await eventually('a second list', () => watched.synced === 2);
    await watching(watched);
    server.put(watched.path, thing('a'));
    await caughtUp(watched);
    assert.equal(watched.problems.length, 1);
    await watched.stop();
  });
}

test('goes on after a handler threw, and reports it', async () => {
  const watched = watchFresh({
    onUpsert: (key) => {
      if (key === 'bad') throw new Error('handler fell over');
    },
  });
  await watching(watched);
  server.put(watched.path, thing('bad'));
  server.put(watched.path, thing('good'));
  await eventually('the next event', () => watched.folded.has('good'));
  assert.deepEqual(watched.problems, ['handler fell over']);
  await watched.stop();
});

test('backs off from a server that refuses, longer each time, and names what to allow', async () => {
  let refusals = 0;
  server.intercept = ({ path }) => {
    if (path !== `/api/v1/things${paths}` || refusals >= 4) return null;
    refusals += 1;
    return { status: 403, body: { reason: 'Forbidden', message: 'things is forbidden' } };
  };
  const watched = watchFresh();
  await watching(watched);
  server.intercept = () => null;
  assert.equal(watched.problems.length, 4);
  assert.match(
    watched.problems[0] ?? '',
    /cannot list things\d+: HTTP 403 .*allow the verb "list" on "things\d+"/,
  );
  assert.deepEqual(watched.pauses.slice(0, 4), [375, 750, 1500, 3000]);
  await watched.stop();
});

test('does not hammer a server that ends each watch at once', async () => {
  const watched = watchFresh();
  await watching(watched);
  for (let ended = 0; ended < 3; ended += 1) {
    server.endWatches(watched.path);
    await eventually('a pause', () => watched.pauses.length > ended);
    await watching(watched);
  }
  assert.deepEqual(watched.pauses, [375, 750, 1500]);
  await watched.stop();
});

test('an older event that comes late neither revives nor undoes', async () => {
  const watched = watchFresh();
  await watching(watched);
  server.put(watched.path, thing('a', 1));
  server.put(watched.path, thing('a', 2));
  server.remove(watched.path, 'a');
  server.put(watched.path, thing('b', 1));
  server.put(watched.path, thing('b', 2));
  server.resend(watched.path, [0, 1, 2, 3, 4]);
  server.remove(watched.path, 'b');
  server.put(watched.path, thing('b', 3));
  server.resend(watched.path, [0, 0]);
  server.put(watched.path, thing('end'));
  await eventually('the last event', () => watched.folded.has('end'));
  assert.deepEqual(watched.log, ['+a', '+a', '-a', '+b', '+b', '-b', '+b', '+end']);
  await watched.stop();
});

type Step =
  | { readonly do: 'put' | 'remove'; readonly name: string }
  | { readonly do: 'drop' | 'end' | 'compact' | 'bookmark' | 'garbage' | 'repeat' | 'breathe' }
  | { readonly do: 'scramble'; readonly names: readonly string[] };

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('put' as const), name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('scramble' as const),
      names: fc.uniqueArray(name, { maxLength: 3 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('drop', 'end', 'compact', 'bookmark', 'garbage', 'repeat', 'breathe'),
    }),
  },
);

async function take(path: string, one: Step, value: number): Promise<void> {
  switch (one.do) {
    case 'put':
      return void server.put(path, thing(one.name, value));
    case 'remove':
      return server.remove(path, one.name);
    case 'scramble':
      return server.scrambled(
        path,
        one.names.map((each) => () => server.put(path, thing(each, value))),
      );
    case 'drop':
      return server.dropConnections(path);
    case 'end':
      return server.endWatches(path);
    case 'compact':
      return server.compact(path);
    case 'bookmark':
      return server.bookmark(path);
    case 'garbage':
      return server.sendLine(path, '{"type":');
    case 'repeat':
      return server.resend(path, [2, 0, 1]);
    case 'breathe':
      await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

test("whatever happens, the folded state ends as the server's", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const watched = watchFresh({ pageSize: 2 });
      try {
        for (const [index, one] of steps.entries()) await take(watched.path, one, index);
        server.put(watched.path, thing('end'));
        await caughtUp(watched);
        // Once more after all that was under way has arrived: the state must rest.
        await watching(watched);
        server.put(watched.path, thing('very-end'));
        await caughtUp(watched);
      } finally {
        await watched.stop();
      }
    }),
    { numRuns: 60 },
  );
});
