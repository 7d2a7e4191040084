// How often all attachments are read, for however many drains.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttachmentLists } from '../../src/controllers/attachmentLists.ts';
import type { Ports } from '../../src/ports/ports.ts';

/** A server whose list takes this long. */
function aServer(tookMs: number) {
  const server = { nowMs: 0, lists: 0, fails: false, isForbidden: false };
  const warnings: string[] = [];
  const ports = {
    clock: { nowMs: () => server.nowMs },
    kube: {
      readVolumeAttachments: async () => {
        server.lists += 1;
        if (server.fails) throw new Error('connection refused');
        server.nowMs += tookMs;
        if (server.isForbidden) return 'forbidden';
        return [{ nodeName: 'node', volumeName: `pv-${server.lists}` }];
      },
    },
    telemetry: { log: { warn: (fields: object) => void warnings.push(JSON.stringify(fields)) } },
    // Only what the lists touch.
  } as unknown as Ports;
  return { server, ports, warnings };
}

test('drains that ask at the same time share one list', async () => {
  const { server, ports } = aServer(5);
  const lists = new AttachmentLists();
  const answers = await Promise.all(Array.from({ length: 50 }, () => lists.asOf(ports, 0)));
  assert.equal(server.lists, 1);
  assert.ok(answers.every((answer) => answer.kind === 'read' && answer.byNode.get('node')?.length === 1));
});

test('a list from before the drain was over does not count, and another one waits its turn', async () => {
  const { server, ports } = aServer(5);
  const lists = new AttachmentLists();
  await lists.asOf(ports, 0);
  assert.deepEqual(await lists.asOf(ports, 5), { kind: 'later', afterMs: 995 });
  server.nowMs = 1_000;
  const answer = await lists.asOf(ports, 5);
  assert.deepEqual(answer.kind === 'read' && answer.byNode.get('node')?.[0]?.volumeName, 'pv-2');
  assert.equal((await lists.asOf(ports, 900)).kind, 'read', 'begun at 1000: new enough');
  assert.equal(server.lists, 2);
});

test('a server that takes long to answer is asked less often', async () => {
  const { server, ports } = aServer(600);
  const lists = new AttachmentLists();
  await lists.asOf(ports, 0);
  assert.deepEqual(await lists.asOf(ports, 600), { kind: 'later', afterMs: 5_400 });
  assert.equal(server.lists, 1);
});

test('without the right to it the list is asked for once a minute, and everybody told so at once', async () => {
  const { server, ports, warnings } = aServer(5);
  server.isForbidden = true;
  const lists = new AttachmentLists();
  const answers = await Promise.all(Array.from({ length: 50 }, () => lists.asOf(ports, 0)));
  assert.ok(answers.every(({ kind }) => kind === 'forbidden'));
  for (; server.nowMs < 59_000; server.nowMs += 1_000) {
    assert.equal((await lists.asOf(ports, server.nowMs)).kind, 'forbidden');
    lists.forget();
  }
  assert.equal(server.lists, 1);
  server.nowMs = 61_000;
  await lists.asOf(ports, server.nowMs);
  assert.equal(server.lists, 2);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /list volumeattachments\.storage\.k8s\.io.*upgrade the chart/);
  server.isForbidden = false;
  server.nowMs = 130_000;
  assert.equal((await lists.asOf(ports, server.nowMs)).kind, 'read');
});

test('a list that fails is tried again, and answers nobody', async () => {
  const { server, ports } = aServer(5);
  const lists = new AttachmentLists();
  server.fails = true;
  await assert.rejects(lists.asOf(ports, 0), /refused/);
  server.fails = false;
  assert.equal((await lists.asOf(ports, 0)).kind, 'read');
});
