// Installed as people install it: the chart into a real control plane, the image's tree under the chart's rights.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Controller } from '../e2e/harness/controller.ts';
import type { KubeObject } from '../e2e/harness/kube.ts';
import { deployment, storyManifest, terminationCallMs } from '../e2e/harness/story.ts';
import type { World } from '../e2e/harness/world.ts';
import { needs, type PolicyRule, rightsOf } from './harness/audit.ts';
import { ALL_OPTIONS, renderChart, seedValues } from './harness/helm.ts';
import { addStaticNode, type Installed, NAMESPACE, startInstalled, USERNAME } from './harness/installed.ts';
import { BUILDAH, reasonToSkipInstall } from './harness/prerequisites.ts';

const NODE_CLAIMS = '/apis/karpenter.sh/v1/nodeclaims';

describe('the chart, installed', { skip: await reasonToSkipInstall([BUILDAH]) }, () => {
  let installed: Installed;
  let world: World;
  let one: Controller;
  let two: Controller;

  before(
    async () => {
      installed = await startInstalled();
      world = installed.world;
    },
    { timeout: 20 * 60_000 },
  );
  after(() => installed?.stop());

  function isLeading(controller: Controller): boolean {
    return controller.logs().some(({ msg }) => msg === 'leading');
  }

  async function untilNoneLeft(timeoutMs: number): Promise<void> {
    const gone = async (): Promise<boolean> =>
      (await world.kube.list(NODE_CLAIMS)).length === 0 && (await world.moto.liveInstances()).length === 0;
    await world.until(gone, { what: 'all claims and instances to be gone', timeoutMs });
  }

  test('every object that it renders passes a dry run of the API server', async () => {
    const { text, objects } = await renderChart([...seedValues(world.controlPlane.url), ...ALL_OPTIONS]);
    const answer = await world.kubectl(['apply', '--dry-run=server', '-f', '-'], text);
    assert.equal(answer.trim().split('\n').length, objects.length);
    assert.ok(objects.length >= 17, `${objects.length} objects`);
  });

  test('helm installs it with the values of the seed; its pods pass the restricted standard', async () => {
    const notes = await installed.release();
    assert.match(notes, /kubectl apply --filename provisioners\/default.yaml/);
    await world.kubectl(['wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all']);
    await world.until(async () => (await world.pods(NAMESPACE)).length === 2, {
      what: 'both pods to be admitted',
      timeoutMs: 20_000,
    });
    await addStaticNode(world);
    await world.untilRunning(NAMESPACE, 2, 30_000);
  });

  test('of two replicas from the image, under the rights of the chart, one leads', async () => {
    one = await installed.replica('one');
    two = await installed.replica('two');
    one.start();
    await one.waitForLog(({ msg }) => msg === 'leading', { what: 'leading', timeoutMs: 90_000 });
    two.start();
    await two.waitForLog(({ msg }) => msg === 'standing by for the lease', {
      what: 'standing by',
      timeoutMs: 90_000,
    });
    assert.ok(!isLeading(two));
  });

  test('elastic-nginx: 8 pending pods get one node, and it goes 30 s after the last of them', async () => {
    await world.apply(storyManifest('elastic-nginx-provisioner.yaml'));
    await world.apply(storyManifest('elastic-nginx.yaml'));
    await world.untilRunning('web', 1, 30_000);
    await world.kube.scale('web', 'nginx', 10);
    await world.untilRunning('web', 10, 60_000);
    const instances = await world.moto.liveInstances();
    assert.equal(instances.length, 1, await world.diagnose());
    const [instance] = instances;
    assert.equal(instance?.tags['kubernetes.io/cluster/chris'], 'owned');
    const scaledAtMs = Date.now();
    await world.kube.scale('web', 'nginx', 1);
    const calledAtMs = await world.until(() => terminationCallMs(world, instance?.id ?? ''), {
      what: 'TerminateInstances',
      timeoutMs: 90_000,
    });
    assert.ok(calledAtMs - scaledAtMs >= 29_900, `terminated after ${calledAtMs - scaledAtMs} ms`);
    await untilNoneLeft(30_000);
  });

  test('a leader killed between the launch and its answer: the other takes over, one instance is bought', async () => {
    const before = (await world.moto.instances()).length;
    await world.moto.setDelays({ CreateFleet: { afterMs: 5_000 } });
    await world.kube.scale('web', 'nginx', 10);
    await world.until(
      async () =>
        (await world.moto.calls('CreateFleet')).some(
          (call) => call.executedAtMs !== null && call.answeredAtMs === null,
        ),
      { what: 'a launch that has taken effect and is not answered', timeoutMs: 60_000, intervalMs: 20 },
    );
    await one.kill();
    await world.moto.setDelays({});
    await two.waitForLog(({ msg }) => msg === 'leading', {
      what: 'the second replica leading',
      timeoutMs: 25_000,
    });
    await world.untilRunning('web', 10, 60_000);
    assert.equal((await world.moto.instances()).length, before + 1, await world.diagnose());
  });

  test('a leader that is stopped and goes on does nothing more, and ends by itself', async () => {
    one.start();
    const linesBefore = one.logs().length;
    await one.waitForLog(({ msg }) => msg === 'standing by for the lease', {
      what: 'the first replica standing by',
      timeoutMs: 90_000,
      after: linesBefore,
    });
    const stopped = two.pid ?? 0;
    process.kill(stopped, 'SIGSTOP');
    await one.waitForLog(({ msg }) => msg === 'leading', {
      what: 'the first replica leading',
      timeoutMs: 90_000,
      after: linesBefore,
    });
    const instances = (await world.moto.instances()).length;
    await world.kube.scale('web', 'nginx', 60);
    await world.untilRunning('web', 60, 90_000);
    const launched = (await world.moto.instances()).length;
    assert.ok(launched > instances);
    process.kill(stopped, 'SIGCONT');
    const { code } = await two.exit(30_000);
    assert.equal(code, 1);
    assert.equal((await world.moto.instances()).length, launched);
  });

  test('an upgrade and a rollback keep every node', async () => {
    const nodes = (await world.kube.list<KubeObject>(NODE_CLAIMS)).map(({ metadata }) => metadata.uid).sort();
    assert.ok(nodes.length > 0);
    await installed.release('--set', 'settings.batchIdleDuration=2s', '--set', 'replicas=1');
    const deploymentPath = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/karpenter`;
    assert.match(JSON.stringify(await world.kube.get(deploymentPath)), /"BATCH_IDLE_DURATION","value":"2s"/);
    await installed.helm('rollback', 'karpenter', '1', '--namespace', NAMESPACE);
    assert.match(JSON.stringify(await world.kube.get(deploymentPath)), /"BATCH_IDLE_DURATION","value":"1s"/);
    await world.untilRunning('web', 60, 30_000);
    const after = (await world.kube.list<KubeObject>(NODE_CLAIMS)).map(({ metadata }) => metadata.uid).sort();
    assert.deepEqual(after, nodes);
  });

  test('a drain evicts: a claim deleted by a person goes, and its pods run elsewhere', async () => {
    await world.apply(NODE_TEMPLATE);
    await world.kube.scale('web', 'nginx', 10);
    const [claim] = await world.kube.list<KubeObject>(NODE_CLAIMS);
    assert.ok(claim);
    await world.apply(
      deployment({ name: 'extra', namespace: 'web', replicas: 0, cpu: '100m', memory: '64Mi' }),
    );
    await world.kubectl(['delete', 'nodeclaim', claim.metadata.name, '--wait=false']);
    await world.until(async () => (await world.kube.get(`${NODE_CLAIMS}/${claim.metadata.name}`)) === null, {
      what: 'the claim to go',
      timeoutMs: 90_000,
    });
    await world.untilRunning('web', 10, 90_000);
  });

  test('every request was allowed, and every right that the chart grants was needed', async () => {
    const requests = installed.audit.requestsOf(USERNAME);
    const refused = requests.filter(({ allowed, status }) => !allowed || status === 403);
    assert.deepEqual(refused, []);
    const { objects } = await renderChart(seedValues(world.controlPlane.url));
    const rules = objects
      .filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')
      .flatMap((role) => role.rules as readonly PolicyRule[]);
    const unused = rightsOf(rules).filter((right) => !requests.some((request) => needs(request, right)));
    // Judged by the API server itself on the way of other requests, or of older clusters: see the next tests.
    const elsewhere = ['update provisioners/finalizers', 'get services'];
    assert.deepEqual(
      unused.map(({ verb, resource }) => `${verb} ${resource}`).sort(),
      elsewhere.sort().reverse(),
    );
  });
});

const NODE_TEMPLATE = `
apiVersion: karpenter.k8s.aws/v1alpha1
kind: AWSNodeTemplate
metadata:
  name: second
spec:
  subnetSelector:
    kubernetes.io/cluster/chris: '*'
  securityGroupSelector:
    kubernetes.io/cluster/chris: '*'
  instanceProfile: chris2022090904481313660000000c
`;
