// Installed as people install it: the chart into a real control plane, the image's tree under the chart's rights.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runCommand } from '../e2e/harness/command.ts';
import type { Controller } from '../e2e/harness/controller.ts';
import type { KubeObject, NodeObject } from '../e2e/harness/kube.ts';
import { storyManifest, terminationCallMs } from '../e2e/harness/story.ts';
import type { World } from '../e2e/harness/world.ts';
import { type AuditedRequest, needs, type PolicyRule, type Right, rightsOf } from './harness/audit.ts';
import { ALL_OPTIONS, type Manifest, renderChart, seedValues } from './harness/helm.ts';
import { addStaticNode, type Installed, NAMESPACE, startInstalled, USERNAME } from './harness/installed.ts';
import { memoryOf } from './harness/memory.ts';
import { BUILDAH, reasonToSkipInstall } from './harness/prerequisites.ts';

/** So that a drain that is forbidden for ever ends within the test. */
const BOUNDED = JSON.stringify({ spec: { terminationGracePeriod: '2m' } });
/** Thirty more than `npm run image:figures` prints, and sixty less than before memory is given back. */
const REST_MOST_BYTES = 140 * 1024 * 1024;
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

  /** Starts whoever has ended, and waits until one replica leads and the other stands by. */
  async function untilOneLeads(): Promise<readonly [leader: Controller, standby: Controller]> {
    const look = (): readonly [Controller, Controller] | null => {
      const pair = [one, two] as const;
      for (const replica of pair) replica.start();
      const [first, second] = pair.map(roleOf);
      if (first === LEADING && second === STANDING_BY) return pair;
      return first === STANDING_BY && second === LEADING ? [two, one] : null;
    };
    return world.until(look, { what: 'one replica to lead and one to stand by', timeoutMs: 180_000 });
  }

  function requests(): readonly AuditedRequest[] {
    return installed.audit.requestsOf(USERNAME);
  }

  /** Takes the rules about one resource out of the ClusterRole while `act` runs. */
  async function withoutRules(resource: string, act: () => Promise<void>): Promise<void> {
    const path = '/apis/rbac.authorization.k8s.io/v1/clusterroles/karpenter';
    const role = await world.kube.get<KubeObject & { readonly rules: readonly PolicyRule[] }>(path);
    assert.ok(role);
    const rules = role.rules.filter(({ resources }) => !resources.includes(resource));
    assert.equal(rules.length, role.rules.length - 1);
    await world.kube.patch(path, { rules });
    await act();
    await world.kube.patch(path, { rules: role.rules });
  }

  /** `cooper uninstall` as a person runs it, from the sources, with rights of their own. */
  function uninstall(...flags: readonly string[]): Promise<string> {
    const main = new URL('../../src/main.ts', import.meta.url).pathname;
    const lease = ['--leader-election-namespace', NAMESPACE, '--leader-election-name', 'karpenter'];
    return runCommand(process.execPath, [main, 'uninstall', ...lease, ...flags], {
      env: world.controllerEnv(),
    });
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
    await world.untilRunning(NAMESPACE, 2, 90_000);
  });

  test('of two replicas from the image, under the rights of the chart, one leads', async () => {
    one = await installed.replica('one');
    two = await installed.replica('two');
    await untilOneLeads();
  });

  test('at rest a replica has given back the memory that its start took', async () => {
    const small = (): boolean =>
      [one, two].every(({ pid }) => pid !== null && memoryOf(pid).residentBytes < REST_MOST_BYTES);
    await world.until(small, {
      what: 'memory to be given back, half a minute after the start',
      timeoutMs: 240_000,
      intervalMs: 1_000,
      diagnose: () => [one, two].map(({ pid }) => JSON.stringify(memoryOf(pid ?? 0))).join(),
    });
  });

  test('elastic-nginx: 8 pending pods get one node, and it goes 30 s after the last of them', async () => {
    await world.apply(storyManifest('elastic-nginx-provisioner.yaml'));
    await world.kubectl(['patch', 'provisioner', 'default', '--type=merge', '-p', BOUNDED]);
    await world.apply(storyManifest('elastic-nginx.yaml'));
    await world.untilRunning('web', 1, 90_000);
    await world.kube.scale('web', 'nginx', 10);
    await world.untilRunning('web', 10, 120_000);
    const instances = await world.moto.liveInstances();
    assert.equal(instances.length, 1, await world.diagnose());
    const [instance] = instances;
    assert.equal(instance?.tags['kubernetes.io/cluster/chris'], 'owned');
    const scaledAtMs = Date.now();
    await world.kube.scale('web', 'nginx', 1);
    const calledAtMs = await world.until(() => terminationCallMs(world, instance?.id ?? ''), {
      what: 'TerminateInstances',
      timeoutMs: 180_000,
    });
    assert.ok(calledAtMs - scaledAtMs >= 29_900, `terminated after ${calledAtMs - scaledAtMs} ms`);
    await untilNoneLeft(30_000);
  });

  test('a leader killed between the launch and its answer: the other takes over, one instance is bought', async () => {
    const [leader, standby] = await untilOneLeads();
    const before = (await world.moto.instances()).length;
    await world.moto.setDelays({ CreateFleet: { afterMs: 5_000 } });
    await world.kube.scale('web', 'nginx', 10);
    const isHalfDone = async (): Promise<boolean> =>
      (await world.moto.calls('CreateFleet')).some(
        ({ executedAtMs, answeredAtMs }) => executedAtMs !== null && answeredAtMs === null,
      );
    const launch = { what: 'a launch that has taken effect and is not answered', timeoutMs: 60_000 };
    await world.until(isHalfDone, { ...launch, intervalMs: 20 });
    await leader.kill();
    await world.moto.setDelays({});
    await world.until(() => roleOf(standby) === LEADING, {
      what: 'the other replica to take over',
      timeoutMs: 60_000,
    });
    await world.untilRunning('web', 10, 120_000);
    assert.equal((await world.moto.instances()).length, before + 1, await world.diagnose());
  });

  test('a leader that is stopped and goes on does nothing more, and ends by itself', async () => {
    const [leader, standby] = await untilOneLeads();
    const pid = leader.pid ?? assert.fail('no process');
    process.kill(pid, 'SIGSTOP');
    await world.until(() => roleOf(standby) === LEADING, {
      what: 'the other replica to take over',
      timeoutMs: 60_000,
    });
    const instances = (await world.moto.instances()).length;
    await world.kube.scale('web', 'nginx', 60);
    await world.untilRunning('web', 60, 180_000);
    const launched = (await world.moto.instances()).length;
    assert.ok(launched > instances);
    process.kill(pid, 'SIGCONT');
    const { code } = await leader.exit(60_000);
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
    await world.untilRunning('web', 60, 90_000);
    const after = (await world.kube.list<KubeObject>(NODE_CLAIMS)).map(({ metadata }) => metadata.uid).sort();
    assert.deepEqual(after, nodes);
  });

  test('a drain evicts, says who forbids it whenever that has changed, and ends in its time', async () => {
    await world.apply(NODE_TEMPLATE);
    await world.apply(SOME_VOLUME);
    const pods = await world.pods('web');
    const away = pods.find(({ spec }) => spec.nodeName !== undefined && spec.nodeName !== 'static');
    assert.ok(away);
    const node = await world.kube.get<NodeObject>(`/api/v1/nodes/${away.spec.nodeName}`);
    const claims = await world.kube.list<ClaimObject>(NODE_CLAIMS);
    const claim = claims.find(({ status }) => status?.providerID === node?.spec.providerID);
    assert.ok(claim, JSON.stringify(claims));
    const annotate = (value: string): Promise<string> =>
      world.kubectl([
        'annotate',
        'pod',
        '-n',
        'web',
        away.metadata.name,
        `karpenter.sh/do-not-evict${value}`,
      ]);
    const told = (text: string) => async (): Promise<boolean> =>
      (await world.kubectl(['get', 'nodeclaim', claim.metadata.name, '-o', 'yaml'])).includes(text);
    await annotate('=true');
    await world.kubectl(['delete', 'nodeclaim', claim.metadata.name, '--wait=false']);
    const forbids = { what: 'the annotation to be named', timeoutMs: 20_000 };
    await world.until(told('karpenter.sh/do-not-evict'), forbids);
    await world.apply(KEPT_BUDGET);
    await annotate('-');
    await world.until(told('PodDisruptionBudget web/kept'), {
      what: 'the budget to be named',
      timeoutMs: 30_000,
    });
    await annotate('=true');
    const repeated = (): boolean =>
      requests().some(({ verb, resource }) => verb === 'patch' && resource === 'events');
    await world.until(repeated, { what: 'an event to be counted up', timeoutMs: 30_000 });
    await world.until(async () => (await world.kube.get(`${NODE_CLAIMS}/${claim.metadata.name}`)) === null, {
      what: 'the claim to go',
      timeoutMs: 180_000,
    });
    await world.kubectl(['delete', 'pdb', 'kept', '-n', 'web']);
    await world.untilRunning('web', 60, 90_000);
  });

  test('every request was allowed, and every right that the chart grants was needed', async () => {
    const asked = requests();
    const refused = asked.filter(({ allowed, status }) => !allowed || status === 403);
    assert.deepEqual(refused, []);
    const { objects } = await renderChart(seedValues(world.controlPlane.url));
    const rules = objects
      .filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role')
      .flatMap((role) => role.rules as readonly PolicyRule[]);
    const unused = rightsOf(rules).filter((right) => !asked.some((request) => needs(request, right)));
    // The API server asks for one by itself, and one is for older clusters: see the next two tests.
    const elsewhere = ['get services', 'update provisioners/finalizers'];
    assert.deepEqual(unused.map(({ verb, resource }) => `${verb} ${resource}`).sort(), elsewhere);
  });

  test('without the right to finalizers of Provisioners no NodeClaim could name its owner', async () => {
    const [provisioner] = await world.kube.list<KubeObject>('/apis/karpenter.sh/v1alpha5/provisioners');
    const [claim] = await world.kube.list<ClaimObject>(NODE_CLAIMS);
    assert.ok(provisioner && claim);
    const { name, uid } = provisioner.metadata;
    const owner = {
      apiVersion: 'karpenter.sh/v1alpha5',
      kind: 'Provisioner',
      name,
      uid,
      blockOwnerDeletion: true,
    };
    const copy = {
      apiVersion: 'karpenter.sh/v1',
      kind: 'NodeClaim',
      metadata: { name: 'copy', ownerReferences: [owner] },
      spec: claim.spec,
    };
    const create = (): Promise<string> =>
      world.kubectl(['create', '--dry-run=server', `--as=${USERNAME}`, '-f', '-'], JSON.stringify(copy));
    await create();
    await withoutRules('provisioners/finalizers', async () => {
      const refusal = await world.until(() => create().then(() => null, String), {
        what: 'a refusal',
        timeoutMs: 10_000,
      });
      assert.match(refusal, /cannot set blockOwnerDeletion/);
    });
  });

  test('without the right to ServiceCIDRs the address of one Service tells them', async () => {
    const [, standby] = await untilOneLeads();
    await standby.stop();
    await withoutRules('servicecidrs', async () => {
      standby.start();
      const read = (): boolean =>
        requests().some(
          ({ resource, namespace, status }) =>
            resource === 'services' && namespace === 'default' && status === 200,
        );
      await world.until(read, { what: 'the Service to be read', timeoutMs: 60_000 });
    });
  });

  test('with any one rule taken away, what it grants is refused', async () => {
    await one.stop();
    await two.stop();
    const { objects } = await renderChart(seedValues(world.controlPlane.url));
    const roles = objects.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role');
    for (const role of roles) {
      const path = roleUrl(role);
      const rules = role.rules as readonly PolicyRule[];
      for (const [index, rule] of rules.entries()) {
        await world.kube.patch(path, { rules: rules.toSpliced(index, 1) });
        for (const right of rightsOf([rule])) await untilMay(role, right, false);
        await world.kube.patch(path, { rules });
        for (const right of rightsOf([rule])) await untilMay(role, right, true);
      }
    }
    assert.ok(roles.length >= 3);
  });

  /** Waits until the API server says that the ServiceAccount may, or may not, use the right. */
  async function untilMay(role: Manifest, { group, resource, names, verb }: Right, may: boolean) {
    const [kind, subresource = ''] = resource.split('/');
    const { namespace = '' } = role.metadata;
    const [name = ''] = names;
    const resourceAttributes = { group, resource: kind, subresource, name, verb, namespace };
    const review = { spec: { user: USERNAME, resourceAttributes } };
    const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
    const isAnswered = async (): Promise<boolean> => {
      const { status } = await world.kube.create<ReviewObject>(path, review);
      return status.allowed === may;
    };
    const what = `${verb} ${resource} to be ${may ? 'allowed' : 'refused'}`;
    await world.until(isAnswered, { what, timeoutMs: 10_000, intervalMs: 20 });
  }

  test('uninstalled, it leaves nodes and CRDs; what is deleted after that is stuck until it is freed', async () => {
    await one.stop();
    await two.stop();
    await installed.helm('uninstall', 'karpenter', '--namespace', NAMESPACE, '--wait');
    const kinds = 'all,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,pdb';
    const selector = 'app.kubernetes.io/instance=karpenter';
    // Helm waits for the Deployment; its pods go by cascade, a little later.
    const isGone = async (): Promise<boolean> =>
      (await world.kubectl(['get', kinds, '-A', '-o', 'name', '-l', selector])) === '';
    await world.until(isGone, { what: 'all objects of the release to be gone', timeoutMs: 60_000 });
    const instances = await world.moto.liveInstances();
    const claims = await world.kube.list<KubeObject>(NODE_CLAIMS);
    assert.ok(claims.length > 0 && instances.length === claims.length);
    await world.kubectl(['delete', 'nodeclaim', claims[0]?.metadata.name ?? '', '--wait=false']);
    assert.match(
      await uninstall(),
      /delete NodeClaim .*stuck in deletion[\s\S]*nothing has been done; add --yes/,
    );
    assert.equal((await world.moto.liveInstances()).length, instances.length);
    await uninstall('--yes');
    assert.equal((await world.moto.liveInstances()).length, instances.length - 1);
    assert.equal((await world.kube.list(NODE_CLAIMS)).length, claims.length - 1);
    await uninstall('--all', '--yes');
    await untilNoneLeft(30_000);
    assert.match(await uninstall('--all'), /nothing is left behind/);
    await world.kubectl(['delete', 'provisioners,awsnodetemplates', '--all', '--timeout=30s']);
    await world.kubectl(['delete', 'namespace', NAMESPACE, '--timeout=60s']);
  });
});

const LEADING = 'leading';
const STANDING_BY = 'standing by for the lease';

/** What the replica has said last of its part; '' before it has said anything. */
function roleOf(replica: Controller): string {
  const told = replica.logs().map(({ msg }) => msg);
  return told.findLast((msg) => msg === 'starting' || msg === STANDING_BY || msg === LEADING) ?? '';
}

interface ReviewObject {
  readonly status: { readonly allowed: boolean };
}

function roleUrl({ kind, metadata: { name, namespace } }: Manifest): string {
  const group = '/apis/rbac.authorization.k8s.io/v1';
  return kind === 'ClusterRole'
    ? `${group}/clusterroles/${name}`
    : `${group}/namespaces/${namespace}/roles/${name}`;
}

interface ClaimObject extends KubeObject {
  readonly spec: object;
  readonly status?: { readonly providerID?: string };
}

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

const KEPT_BUDGET = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: kept
  namespace: web
spec:
  maxUnavailable: 0
  selector: { matchLabels: { app: nginx } }
`;

/** Drains look for attached volumes where there are volumes. */
const SOME_VOLUME = `
apiVersion: v1
kind: PersistentVolume
metadata:
  name: some
spec:
  capacity: { storage: 1Gi }
  accessModes: [ReadWriteOnce]
  csi: { driver: ebs.csi.aws.com, volumeHandle: vol-1 }
`;
