// What people get wrong, and what AWS refuses: one clear message each, and all else goes on working.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { reasonToSkip } from './harness/prerequisites.ts';
import { freePorts } from './harness/serverProcess.ts';
import { CHRIS, deployment, eventsAbout, provisioner, startStory } from './harness/story.ts';
import { until } from './harness/until.ts';
import type { World } from './harness/world.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const PROVIDER = {
  subnetSelector: { 'kubernetes.io/cluster/chris': '*' },
  securityGroupSelector: { 'kubernetes.io/cluster/chris': '*' },
  instanceProfile: CHRIS.instanceProfile,
};

/** What is wrong, and what the condition of the Provisioner must say: object, field, mend. */
const UNUSABLE: readonly { readonly name: string; readonly provider: object; readonly says: RegExp }[] = [
  {
    name: 'no-subnet',
    provider: { ...PROVIDER, subnetSelector: { team: 'nobody' } },
    says: /no-subnet.*spec\.provider\.subnetSelector.*subnet/s,
  },
  {
    name: 'no-group',
    provider: { ...PROVIDER, securityGroupSelector: { team: 'nobody' } },
    says: /no-group.*spec\.provider\.securityGroupSelector.*security group/s,
  },
  {
    name: 'old-family',
    provider: { ...PROVIDER, amiFamily: 'AL2' },
    says: /old-family.*spec\.provider\.amiFamily.*AL2023/s,
  },
];

describe('bad input', { skip: await reasonToSkip() }, () => {
  let world: World;

  before(async () => {
    world = await startStory({ namespaces: ['web'] });
    world.controller.start();
  });
  after(() => world.stop());

  for (const { name, provider, says } of UNUSABLE) {
    test(`Provisioner ${name} is not Active, and says why`, async () => {
      await world.apply(provisioner({ provider }, name));
      const message = await world.until(
        async () => {
          const path = '{.status.conditions[?(@.type=="Active")].message}';
          return world.kubectl(['get', 'provisioner', name, '-o', `jsonpath=${path}`]);
        },
        { what: `a condition on Provisioner ${name}`, timeoutMs: 30_000 },
      );
      assert.match(message, says);
      const told = await eventsAbout(world, 'Provisioner');
      assert.ok(
        told.some((event) => says.test(event)),
        told.join('\n'),
      );
    });
  }

  test('pods that could only use those are told the same', async () => {
    await world.apply(
      deployment({ name: 'app', namespace: 'web', replicas: 2, cpu: '100m', memory: '64Mi' }),
    );
    const told = await world.until(
      async () => (await eventsAbout(world, 'Pod')).find((event) => event.startsWith('FailedProvisioning')),
      { what: 'an event on a pod', timeoutMs: 30_000 },
    );
    assert.match(told, /spec\.provider\.(subnetSelector|securityGroupSelector|amiFamily)/);
    assert.equal((await world.moto.instances()).length, 0);
  });

  test('a missing permission is named with the action to allow, and its end is noticed', async () => {
    const denied = {
      code: 'UnauthorizedOperation',
      message: 'You are not authorized to perform this operation.',
    };
    await world.moto.setFaults([{ action: 'CreateFleet', ...denied, times: 1 }]);
    await world.apply(provisioner({ ttlSecondsAfterEmpty: 600 }));
    const told = await world.until(
      async () => (await eventsAbout(world, 'NodeClaim')).find((event) => event.includes('ec2:CreateFleet')),
      { what: 'an event that names the action', timeoutMs: 30_000 },
    );
    assert.match(told, /ec2:CreateFleet/);
    await world.untilRunning('web', 2, 60_000);
    assert.equal((await world.moto.liveInstances()).length, 1);
  });

  test('a type that is out of stock is passed over for the next', async () => {
    const [held] = await world.moto.liveInstances();
    assert.ok(held);
    await world.moto.setScarcities([{ instanceType: held.instanceType }]);
    await world.kube.scale('web', 'app', 40);
    await world.untilRunning('web', 40, 90_000);
    const later = (await world.moto.liveInstances()).filter(({ id }) => id !== held.id);
    assert.ok(later.length > 0);
    assert.ok(later.every(({ instanceType }) => instanceType !== held.instanceType));
  });
});

describe('a controller without a usable API server', () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'cooper-unreachable-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function writeKubeconfig(port: number): string {
    const cluster = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'u', user: { token: 'none' } }],
    };
    const path = join(folder, `kubeconfig-${port}`);
    writeFileSync(path, JSON.stringify(config));
    return path;
  }

  interface Run {
    readonly child: ChildProcess;
    readonly output: () => string;
    readonly exited: Promise<number | null>;
    readonly said: (text: string) => Promise<void>;
  }

  function run(kubeconfig: string, probePort: number): Run {
    const child = spawn(process.execPath, [join(ROOT, 'src', 'main.ts'), 'run'], {
      env: {
        ...process.env,
        KUBECONFIG: kubeconfig,
        CLUSTER_NAME: 'chris',
        AWS_REGION: 'us-east-1',
        METRICS_PORT: '0',
        HEALTH_PROBE_PORT: String(probePort),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const said = async (text: string): Promise<void> => {
      await until(() => output.includes(text), { what: text, timeoutMs: 20_000, diagnose: () => output });
    };
    return { child, output: () => output, exited, said };
  }

  test('says so once per try, stays alive and unready, and stops when told', async () => {
    const [closedPort = 0, probePort = 0] = await freePorts(2);
    const { child, output, exited, said } = run(writeKubeconfig(closedPort), probePort);
    await said('API server cannot be used');
    assert.ok(output().includes(`127.0.0.1:${closedPort}`), output());
    assert.equal((await fetch(`http://127.0.0.1:${probePort}/healthz`)).status, 200);
    const ready = await fetch(`http://127.0.0.1:${probePort}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(await ready.text(), /not ready: connecting to the API server/);
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
  });

  test('stops when told although the server takes the connection and never answers', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const { child, exited, said } = run(writeKubeconfig(port), 0);
    await said('"msg":"starting"');
    child.kill('SIGTERM');
    assert.equal(await exited, 0);
    silent.close();
  });

  test('ends with exit code 1 and one sentence when the kubeconfig does not exist', async () => {
    const { output, exited } = run(join(folder, 'nowhere'), 0);
    assert.equal(await exited, 1);
    assert.match(output(), /cooper run: KUBECONFIG|cooper run: kubeconfig/);
    assert.match(output(), /nowhere.* cannot be read/);
  });
});
