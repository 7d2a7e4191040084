// Where the connection settings come from, and what is said when they are wrong.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connectKube } from '../../src/kube/connect.ts';
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

test('a kubeconfig by path, by KUBECONFIG, in the home folder; the path wins', () => {
  const [named, listed] = [kubeconfig(HTTPS), kubeconfig({ server: 'https://10.0.0.2' })];
  const env = { KUBECONFIG: listed, HOME: dir };
  assert.equal(connectKube({ kubeconfig: named, env }).server.href, HTTPS.server);
  assert.equal(connectKube({ env }).server.host, '10.0.0.2');
});

test('credentials are those of the user, over a connection that is kept', async () => {
  const connection = connectKube({ kubeconfig: kubeconfig(HTTPS), env: {} });
  const credentials = await connection.credentials();
  assert.deepEqual(credentials.headers, { Authorization: 'Bearer secret' });
  assert.equal(credentials.agent, connection.agent);
});

test('the cluster certificate authority is told in base64, from data or file', () => {
  const data = Buffer.from('pem').toString('base64');
  const written = { ...HTTPS, 'certificate-authority-data': data };
  assert.equal(connectKube({ kubeconfig: kubeconfig(written), env: {} }).clusterCa, data);
  writeFileSync(join(dir, 'ca.crt'), 'pem');
  const named = { ...HTTPS, 'certificate-authority': 'ca.crt' };
  assert.equal(connectKube({ kubeconfig: kubeconfig(named), env: {} }).clusterCa, data);
  assert.equal(connectKube({ kubeconfig: kubeconfig(HTTPS), env: {} }).clusterCa, null);
});

test('plain HTTP works on this machine', async () => {
  const connection = connectKube({ kubeconfig: kubeconfig({ server: 'http://127.0.0.1:8001' }), env: {} });
  assert.equal((await connection.credentials()).agent, connection.agent);
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
    when: 'nothing is configured',
    options: () => ({ env: { HOME: join(dir, 'nobody') } }),
    says: /no Kubernetes cluster is configured; pass --kubeconfig, set KUBECONFIG, or run inside the cluster/,
  },
];
for (const { when, options, says } of FAULTS) {
  test(`says what to mend when ${when}`, () => {
    assert.throws(() => connectKube(options()), says);
  });
}

test('versions and service ranges', () => {
  assert.equal(parseVersion('v1.36.1-eks-113cf36'), '1.36');
  assert.equal(parseVersion('unknown'), null);
  assert.equal(cidrAround('172.20.0.1'), '172.20.0.0/16');
  assert.equal(cidrAround('fd30:1:2::1'), 'fd30:1:2::/108');
  assert.equal(cidrAround('None'), null);
});
