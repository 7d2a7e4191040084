// What a replica says that loses its Lease while it leads.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeApiServer } from '../kube/fakeApiServer.ts';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/ns/leases';

function kubeconfigOf(origin: string): string {
  const clusters = [{ name: 'c', cluster: { server: origin } }];
  const contexts = [{ name: 'c', context: { cluster: 'c', user: 'u' } }];
  const users = [{ name: 'u', user: { token: 't' } }];
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    clusters,
    contexts,
    users,
  });
}

/** `cooper run` against that server, and an AWS that cannot be reached. */
function runCooper(origin: string, folder: string) {
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigOf(origin));
  const flags = [
    ...['--kubeconfig', kubeconfig, '--cluster-name', 'c', '--cluster-endpoint', origin],
    ...['--service-cidr', '10.0.0.0/16', '--region', 'us-east-1', '--metrics-port', '0'],
    ...['--health-probe-port', '0', '--leader-election', 'true', '--leader-election-namespace', 'ns'],
  ];
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const aws = { AWS_ENDPOINT_URL: 'http://127.0.0.1:9', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' };
  return spawn(process.execPath, [main, 'run', ...flags], { env: { ...aws, PATH: process.env.PATH } });
}

test('a leader that loses its Lease says so and ends with exit code 1', async (context) => {
  const server = new FakeApiServer();
  server.intercept = ({ path }) =>
    path === '/version' ? { status: 200, body: { major: '1', minor: '33', gitVersion: 'v1.33.0' } } : null;
  const folder = mkdtempSync(join(tmpdir(), 'cooper-lease-'));
  const cooper = runCooper(await server.start(), folder);
  context.after(async () => {
    cooper.kill('SIGKILL');
    rmSync(folder, { recursive: true });
    await server.stop();
  });
  let output = '';
  cooper.stderr.on('data', (text) => {
    output += String(text);
  });
  cooper.stdout.on('data', (text) => {
    const led = output.includes('"leading"');
    output += String(text);
    if (led || !output.includes('"leading"')) return;
    for (const lease of server.collection(LEASES).objects.values())
      server.put(LEASES, { ...lease, spec: { ...(lease.spec as object), holderIdentity: 'thief' } });
  });
  const [code] = await once(cooper, 'exit');
  assert.equal(code, 1, output);
  assert.match(output, /"level":"error".*the Lease was lost to another replica, or could not be renewed/);
  assert.doesNotMatch(output, /cannot start/);
});
