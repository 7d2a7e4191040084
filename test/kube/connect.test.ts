// Where the connection settings come from, and what is said when they are wrong.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connectKube } from '../../src/kube/connect.ts';
import { inClusterConnection } from '../../src/kube/inCluster.ts';
import { cidrAround, parseVersion } from '../../src/kube/serverInfo.ts';

const dir = mkdtempSync(join(tmpdir(), 'cooper-connect-'));
after(() => rmSync(dir, { recursive: true, force: true }));
let files = 0;

function kubeconfig(cluster: object, more: object = {}): string {
  const path = join(dir, `config${++files}`);
  const config = {
    'current-context': 'main',
    contexts: [{ name: 'main', context: { cluster: 'main', user: 'main' } }],
    clusters: [{ name: 'main', cluster }],
    users: [{ name: 'main', user: { token: 'secret' } }],
    ...more,
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

const HTTPS = { server: 'https://10.0.0.1:6443/prefix' };

test('a kubeconfig by path, by KUBECONFIG, in the home folder; the path wins', async () => {
  const [named, listed] = [kubeconfig(HTTPS), kubeconfig({ server: 'https://10.0.0.2' })];
  const env = { KUBECONFIG: listed, HOME: dir };
  assert.equal((await connectKube({ kubeconfig: named, env })).server.href, HTTPS.server);
  assert.equal((await connectKube({ env })).server.host, '10.0.0.2');
});

test('credentials are those of the user, over a connection that is kept', async () => {
  const connection = await connectKube({ kubeconfig: kubeconfig(HTTPS), env: {} });
  const credentials = await connection.credentials();
  assert.deepEqual(credentials.headers, { Authorization: 'Bearer secret' });
  assert.equal(credentials.agent, connection.agent);
});

test('the cluster certificate authority is told in base64, from data or file', async () => {
  const data = Buffer.from('pem').toString('base64');
  const written = { ...HTTPS, 'certificate-authority-data': data };
  assert.equal((await connectKube({ kubeconfig: kubeconfig(written), env: {} })).clusterCa, data);
  writeFileSync(join(dir, 'ca.crt'), 'pem');
  const named = { ...HTTPS, 'certificate-authority': 'ca.crt' };
  assert.equal((await connectKube({ kubeconfig: kubeconfig(named), env: {} })).clusterCa, data);
  assert.equal((await connectKube({ kubeconfig: kubeconfig(HTTPS), env: {} })).clusterCa, null);
});

test('plain HTTP works on this machine', async () => {
  const connection = await connectKube({
    kubeconfig: kubeconfig({ server: 'http://127.0.0.1:8001' }),
    env: {},
  });
  assert.equal((await connection.credentials()).agent, connection.agent);
});

/** What a kubelet mounts into a pod. */
function serviceAccount(token: string, ca: string): string {
  const folder = mkdtempSync(join(dir, 'account'));
  writeFileSync(join(folder, 'token'), `${token}\n`);
  writeFileSync(join(folder, 'ca.crt'), ca);
  return folder;
}

const IN_POD = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443', HOME: dir };

test('in a pod the service account is used, unless a kubeconfig is named', async () => {
  const serviceAccountFolder = serviceAccount('own', 'pem');
  const connection = await connectKube({ env: IN_POD, serviceAccountFolder });
  assert.equal(connection.server.href, 'https://10.96.0.1/');
  assert.equal(connection.clusterCa, Buffer.from('pem').toString('base64'));
  assert.match(connection.source, /service account/);
  const { agent, ca, headers } = await connection.credentials();
  assert.equal(agent, connection.agent);
  assert.equal(String(ca), 'pem');
  assert.deepEqual(headers, { Authorization: 'Bearer own' });
  const named = { kubeconfig: kubeconfig(HTTPS), env: IN_POD, serviceAccountFolder };
  assert.equal((await connectKube(named)).server.href, HTTPS.server);
});

test('in a pod of a cluster with IPv6 the address is put in brackets', async () => {
  const env = { ...IN_POD, KUBERNETES_SERVICE_HOST: 'fd30:1:2::1', KUBERNETES_SERVICE_PORT: '6443' };
  const connection = await connectKube({ env, serviceAccountFolder: serviceAccount('own', 'pem') });
  assert.equal(connection.server.href, 'https://[fd30:1:2::1]:6443/');
});

test('token and certificate authority of a pod are read again after a minute, not with each call', async () => {
  const folder = serviceAccount('first', 'old');
  let nowMs = 0;
  const connection = inClusterConnection({ env: IN_POD, folder, nowMs: () => nowMs });
  writeFileSync(join(folder, 'token'), 'second');
  writeFileSync(join(folder, 'ca.crt'), 'new');
  nowMs = 60_000;
  assert.deepEqual((await connection.credentials()).headers, { Authorization: 'Bearer first' });
  nowMs = 60_001;
  const { ca, headers } = await connection.credentials();
  assert.deepEqual(headers, { Authorization: 'Bearer second' });
  assert.equal(String(ca), 'new');
});

function brokenFile(): string {
  const path = join(dir, 'broken');
  writeFileSync(path, '{{ no yaml');
  return path;
}

const FAULTS: readonly { when: string; options: () => Parameters<typeof connectKube>[0]; says: RegExp }[] = [
  {
    when: 'the file is not there',
    options: () => ({ kubeconfig: join(dir, 'absent'), env: {} }),
    says: /kubeconfig ".*absent" cannot be read: ENOENT.*; name a valid kubeconfig/,
  },
  {
    when: 'the file is no YAML',
    options: () => ({ env: { KUBECONFIG: brokenFile() } }),
    says: /KUBECONFIG ".*broken" cannot be read/,
  },
  {
    when: 'the context does not exist',
    options: () => ({ kubeconfig: kubeconfig(HTTPS), context: 'other', env: {} }),
    says: /context "other" names no cluster; set current-context to one of its contexts \(it has main\)/,
  },
  {
    when: 'the server is no URL',
    options: () => ({ kubeconfig: kubeconfig({ server: '10.0.0.1:6443' }), env: {} }),
    says: /server "10\.0\.0\.1:6443" is no URL; write it as https/,
  },
  {
    when: 'credentials would travel in clear text',
    options: () => ({ kubeconfig: kubeconfig({ server: 'http://10.0.0.1' }), env: {} }),
    says: /in clear text; use https/,
  },
  {
    when: 'the certificate authority is not there',
    options: () => ({ kubeconfig: kubeconfig({ ...HTTPS, 'certificate-authority': 'gone.crt' }), env: {} }),
    says: /certificate authority .*gone\.crt cannot be read.*mend its path/,
  },
  {
    when: 'a pod has a token and no certificate authority',
    options: () => {
      const serviceAccountFolder = serviceAccount('own', 'pem');
      rmSync(join(serviceAccountFolder, 'ca.crt'));
      return { env: IN_POD, serviceAccountFolder };
    },
    says: /service account cannot be read: ENOENT.*ca\.crt.*; mount its token and ca\.crt/,
  },
  {
    when: 'nothing is configured',
    options: () => ({ env: { HOME: join(dir, 'nobody') } }),
    says: /no Kubernetes cluster is configured; pass --kubeconfig, set KUBECONFIG, or run inside the cluster/,
  },
];
for (const { when, options, says } of FAULTS) {
  test(`says what to mend when ${when}`, async () => {
    await assert.rejects(connectKube(options()), says);
  });
}

test('versions and service ranges', () => {
  assert.equal(parseVersion('v1.36.1-eks-113cf36'), '1.36');
  assert.equal(parseVersion('unknown'), null);
  assert.equal(cidrAround('172.20.0.1'), '172.20.0.0/16');
  assert.equal(cidrAround('fd30:1:2::1'), 'fd30:1:2::/108');
  assert.equal(cidrAround('None'), null);
});
