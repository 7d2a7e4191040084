// Calls that get no answer, or half of one.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { KubeApiError } from '../../src/kube/apiError.ts';
import { RESOURCE } from '../../src/kube/apiTarget.ts';
import { instantTiming, transportTo } from './kubeFixtures.ts';

/** A server that does with each connection as it is told. */
async function withServer(
  serve: (socket: net.Socket) => void,
  use: (origin: string) => Promise<void>,
): Promise<void> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await use(`http://127.0.0.1:${(server.address() as net.AddressInfo).port}`);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}

async function failureOfGet(origin: string): Promise<KubeApiError> {
  const timing = instantTiming();
  const call = transportTo(origin, timing, 50).call({
    verb: 'get',
    target: { ...RESOURCE.nodes, name: 'ip-1' },
  });
  const error = await call.then(
    () => assert.fail('it should have failed'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof KubeApiError);
  assert.equal(timing.pauses.length, 3, 'tried four times');
  return error;
}

test('a server that never answers is given up after the time limit', async () => {
  await withServer(
    () => {},
    async (origin) => {
      const error = await failureOfGet(origin);
      assert.deepEqual([error.status, error.reason], [0, 'Timeout']);
      assert.match(
        error.message,
        /cannot get nodes "ip-1": API server .* was not reached: no answer within 0.05 s; check/,
      );
    },
  );
});

test('a server that hangs up is tried again', async () => {
  await withServer(
    (socket) => socket.destroy(),
    async (origin) => {
      const error = await failureOfGet(origin);
      assert.equal(error.status, 0);
      assert.match(error.message, /was not reached/);
    },
  );
});

test('an answer cut short is no answer', async () => {
  await withServer(
    (socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"meta');
        socket.end();
      });
    },
    async (origin) => {
      assert.equal((await failureOfGet(origin)).status, 0);
    },
  );
});

test('expired credentials say so', async () => {
  const body = '{"reason":"Unauthorized","message":"Unauthorized"}';
  await withServer(
    (socket) => {
      socket.once('data', () => {
        socket.end(`HTTP/1.1 401 Unauthorized\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      });
    },
    async (origin) => {
      const target = { ...RESOURCE.nodes, name: 'ip-1' };
      const call = transportTo(origin, instantTiming()).call({ verb: 'get', target });
      await assert.rejects(call, /HTTP 401 Unauthorized; renew the credentials/);
    },
  );
});
