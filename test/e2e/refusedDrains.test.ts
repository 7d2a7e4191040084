// Drains that the API server refuses something: evictions that a policy denies, and a right that an older chart lacks.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { KubeObject, NodeObject } from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import {
  addFullStaticNode,
  eventsAbout,
  provisioner,
  startStory,
  terminationCallMs,
} from './harness/story.ts';
import { holdsFor } from './harness/until.ts';
import {
  ATTACHMENTS,
  type AttachmentObject,
  attachVolumes,
  type VolumeAttacher,
} from './harness/volumeAttacher.ts';
import { provisionVolumes } from './harness/volumeProvisioner.ts';
import type { World } from './harness/world.ts';

const NODE_CLAIMS = '/apis/karpenter.sh/v1/nodeclaims';
const MISSING_RIGHT = /list volumeattachments\.storage\.k8s\.io.*upgrade the chart/;

interface ClaimObject extends KubeObject {
  readonly status?: { readonly nodeName?: string };
}

describe('drains that are refused something', { skip: await reasonToSkip() }, () => {
  let world: World;
  let attacher: VolumeAttacher;
  let volumes: { stop(): void };
  const problems: string[] = [];

  before(async () => {
    world = await startStory({ namespaces: ['web', 'data'] });
    volumes = provisionVolumes(world.kube, problems);
    attacher = attachVolumes(world.kube, 5_000, problems);
    await addFullStaticNode(world);
    await world.apply(STORAGE_CLASS);
    await world.apply(provisioner({ ttlSecondsAfterEmpty: undefined }));
    world.controller.start();
  });
  after(async () => {
    volumes.stop();
    attacher.stop();
    await world.stop();
  });

  test('a denied daemon holds its node for a minute, a denied ordinary pod for good', async () => {
    await world.apply(POLICY);
    await world.apply(pod('guarded'));
    await world.untilRunning('web', 1, 60_000);
    const { claim, instance, nodeName } = await ourNode();
    await world.apply(DAEMON_SET);
    await world.untilRunning('web', 2, 30_000);
    await untilDenied();
    await world.kubectl(['delete', 'nodeclaim', claim, '--wait=false']);
    const guarded = await told(/pod web\/guarded cannot be evicted: .*it is guarded until the shift is over/);
    assert.doesNotMatch(guarded, /ClusterRole/, 'no right would mend it');
    const stays = async (): Promise<boolean> =>
      (await world.pods('web')).every(({ metadata }) => metadata.deletionTimestamp === undefined);
    await holdsFor(stays, {
      durationMs: 70_000,
      what: 'the ordinary pod stays, and the daemon that serves it',
    });
    await world.kubectl(['delete', 'pod', 'guarded', '-n', 'web', '--wait=false']);
    await told(/pod web\/agent-\w+ cannot be evicted: .*it is guarded until the shift is over.*\(a daemon/);
    const toldAtMs = Date.now();
    const calledAtMs = await world.until(() => terminationCallMs(world, instance), {
      what: 'the instance to be terminated although the daemon is there',
      timeoutMs: 90_000,
    });
    assert.ok(calledAtMs - toldAtMs > 50_000, `terminated ${calledAtMs - toldAtMs} ms after it was told`);
    await world.kubectl(['delete', 'daemonset', 'agent', '-n', 'web']);
    await world.kubectl(['delete', 'validatingadmissionpolicybinding,validatingadmissionpolicy', 'guard']);
    await untilGone(claim);
    assert.equal(await world.kube.get(`/api/v1/nodes/${nodeName}`), null);
  });

  test('with the rights of an older chart drains go by what Nodes report, and say what is missing', async () => {
    await world.controller.kill();
    const linesBefore = world.controller.logs().length;
    await world.apply(OLDER_RIGHTS);
    const KUBECONFIG = await world.controlPlane.serviceAccountKubeconfig('default', 'older');
    world.controller.start({ KUBECONFIG });
    await world.apply(STATEFUL_SET);
    await world.untilRunning('data', 1, 60_000);
    const { claim, instance, nodeName } = await ourNode();
    await world.kube.patch(`/api/v1/nodes/${nodeName}/status`, { status: { volumesInUse: ['another'] } });
    let detachAskedAtMs = Number.POSITIVE_INFINITY;
    const watch = world.kube.watch<AttachmentObject>(ATTACHMENTS, ({ object }) => {
      if (object.spec.nodeName === nodeName && object.metadata.deletionTimestamp !== undefined)
        detachAskedAtMs = Math.min(detachAskedAtMs, Date.now());
    });
    await world.kubectl(['delete', 'nodeclaim', claim, '--wait=false']);
    await told(MISSING_RIGHT);
    const stays = async (): Promise<boolean> => (await terminationCallMs(world, instance)) === null;
    await holdsFor(stays, { durationMs: 8_000, what: 'the node that reports a volume stays' });
    await world.kube.patch(`/api/v1/nodes/${nodeName}/status`, { status: { volumesInUse: null } });
    const calledAtMs = await world.until(() => terminationCallMs(world, instance), {
      what: 'the instance to be terminated',
      timeoutMs: 30_000,
    });
    watch.stop();
    assert.ok(detachAskedAtMs <= calledAtMs, `${detachAskedAtMs} and ${calledAtMs}`);
    await world.untilRunning('data', 1, 60_000);
    const logs = world.controller.logs().slice(linesBefore);
    const lines = logs.filter(({ mend }) => /upgrade the chart/.test(String(mend)));
    assert.equal(lines.length, 1);
    assert.equal(
      (await eventsAbout(world, 'NodeClaim')).filter((line) => MISSING_RIGHT.test(line)).length,
      1,
    );
    const denied = logs.filter((line) => /forbidden/.test(JSON.stringify(line)));
    assert.deepEqual(denied, [], 'that right is all that is missing');
    assert.deepEqual(problems, []);
  });

  /** The only claim, its node and its instance. */
  async function ourNode(): Promise<{ claim: string; instance: string; nodeName: string }> {
    const [claim, ...others] = await world.kube.list<ClaimObject>(NODE_CLAIMS);
    assert.ok(claim);
    assert.deepEqual(others, []);
    const nodeName = claim.status?.nodeName ?? '';
    const node = await world.kube.get<NodeObject>(`/api/v1/nodes/${nodeName}`);
    const instance = node?.spec.providerID?.split('/').at(-1) ?? assert.fail(`no instance of ${nodeName}`);
    return { claim: claim.metadata.name, instance, nodeName };
  }

  function told(what: RegExp): Promise<string> {
    const look = async (): Promise<string | undefined> =>
      (await eventsAbout(world, 'NodeClaim')).find((line) => what.test(line));
    return world.until(look, { what: `an event like ${what}`, timeoutMs: 60_000 });
  }

  /** The API server heeds a policy a while after it was stored. */
  async function untilDenied(): Promise<void> {
    const eviction = {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { name: 'guarded', namespace: 'web' },
    };
    const path = '/api/v1/namespaces/web/pods/guarded/eviction?dryRun=All';
    const isDenied = (): Promise<boolean> =>
      world.kube.create(path, eviction).then(
        () => false,
        (error) => /guarded until the shift is over/.test(String(error)),
      );
    await world.until(isDenied, { what: 'the policy to be in force', timeoutMs: 60_000 });
  }

  async function untilGone(claim: string): Promise<void> {
    const isGone = async (): Promise<boolean> => (await world.kube.get(`${NODE_CLAIMS}/${claim}`)) === null;
    await world.until(isGone, { what: 'the claim to go', timeoutMs: 60_000 });
  }
});

const POLICY = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: guard }
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
      - { apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods/eviction] }
  validations:
    - expression: object.metadata.namespace != 'web'
      message: it is guarded until the shift is over
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: guard }
spec:
  policyName: guard
  validationActions: [Deny]
`;

const DAEMON_SET = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent, namespace: web }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions: [{ key: karpenter.sh/provisioner-name, operator: Exists }]
      containers:
        - name: main
          image: app
          resources: { requests: { cpu: 10m, memory: 16Mi } }
`;

function pod(name: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: web }
spec:
  containers:
    - name: main
      image: app
      resources: { requests: { cpu: 500m, memory: 256Mi } }
`;
}

const STORAGE_CLASS = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: disk }
provisioner: ebs.csi.aws.com
volumeBindingMode: WaitForFirstConsumer
`;

const STATEFUL_SET = `
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db, namespace: data }
spec:
  serviceName: db
  replicas: 1
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      containers:
        - name: main
          image: app
          resources: { requests: { cpu: 500m, memory: 256Mi } }
          volumeMounts: [{ name: data, mountPath: /data }]
  volumeClaimTemplates:
    - metadata: { name: data }
      spec:
        accessModes: [ReadWriteOnce]
        storageClassName: disk
        resources: { requests: { storage: 1Gi } }
`;

/** All that Cooper asks for and more, but for attachments of volumes. */
const OLDER_RIGHTS = `
apiVersion: v1
kind: ServiceAccount
metadata: { name: older, namespace: default }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: older }
rules:
  - { apiGroups: ['', apps, policy, karpenter.sh, karpenter.k8s.aws], resources: ['*'], verbs: ['*'] }
  - { apiGroups: [coordination.k8s.io, events.k8s.io, networking.k8s.io], resources: ['*'], verbs: ['*'] }
  - { apiGroups: [storage.k8s.io], resources: [storageclasses, csinodes], verbs: ['*'] }
  - { nonResourceURLs: ['*'], verbs: [get] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: older }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: older }
subjects: [{ kind: ServiceAccount, name: older, namespace: default }]
`;
