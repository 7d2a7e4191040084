// How nodes are emptied: volumes first, pods that forbid it, and the end of a drain's time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type Condition,
  conditionOf,
  type KubeObject,
  type NodeObject,
  type PodObject,
} from './harness/kube.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import {
  addFullStaticNode,
  eventsAbout,
  provisioner,
  startStory,
  terminationCallMs,
} from './harness/story.ts';
import { holdsFor } from './harness/until.ts';
import { attachVolumes, type VolumeAttacher } from './harness/volumeAttacher.ts';
import { provisionVolumes } from './harness/volumeProvisioner.ts';
import type { World } from './harness/world.ts';

const NODE_CLAIMS = '/apis/karpenter.sh/v1/nodeclaims';
/** How long the cloud takes to detach a volume. */
const DETACH_MS = 5_000;

interface ClaimObject extends KubeObject {
  readonly status?: {
    readonly nodeName?: string;
    readonly providerID?: string;
    readonly conditions?: readonly Condition[];
  };
}

interface PodWithClaims extends PodObject {
  readonly spec: PodObject['spec'] & {
    readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[];
  };
}

interface VolumeClaim extends KubeObject {
  readonly spec: { readonly volumeName?: string };
}

describe('drains', { skip: await reasonToSkip() }, () => {
  let world: World;
  let attacher: VolumeAttacher;
  let volumes: { stop(): void };
  const problems: string[] = [];

  before(async () => {
    world = await startStory({ namespaces: ['web', 'data'] });
    volumes = provisionVolumes(world.kube, problems);
    attacher = attachVolumes(world.kube, DETACH_MS, problems);
    world.controller.start({ SURGE_SINGLE_REPLICAS: 'true' });
    await addFullStaticNode(world);
  });
  after(async () => {
    volumes.stop();
    attacher.stop();
    await world.stop();
  });

  async function claimOf(nodeName: string): Promise<ClaimObject> {
    const claims = await world.kube.list<ClaimObject>(NODE_CLAIMS);
    return (
      claims.find(({ status }) => status?.nodeName === nodeName) ?? assert.fail(`no claim of ${nodeName}`)
    );
  }

  async function instanceOf(nodeName: string): Promise<string> {
    const node = await world.kube.get<NodeObject>(`/api/v1/nodes/${nodeName}`);
    return node?.spec.providerID?.split('/').at(-1) ?? assert.fail(`no instance of ${nodeName}`);
  }

  async function onlyPod(namespace: string): Promise<PodWithClaims> {
    const [pod, ...others] = (await world.pods(namespace)) as readonly PodWithClaims[];
    assert.deepEqual(others, []);
    return pod ?? assert.fail(`no pod in ${namespace}`);
  }

  const running = (namespace: string) => world.untilRunning(namespace, 1, 60_000);

  test('the volumes of a StatefulSet are detached before its node ends, and it goes on elsewhere', async () => {
    await world.apply(STORAGE_CLASS);
    await world.apply(provisioner({ ttlSecondsAfterEmpty: 5 }));
    await world.apply(STATEFUL_SET);
    await running('data');
    const pod = await onlyPod('data');
    const nodeName = pod.spec.nodeName ?? '';
    assert.notEqual(nodeName, 'static');
    const claimName = pod.spec.volumes?.[0]?.persistentVolumeClaim?.claimName;
    const path = `/api/v1/namespaces/data/persistentvolumeclaims/${claimName}`;
    const volume = (await world.kube.get<VolumeClaim>(path))?.spec.volumeName ?? assert.fail('not bound');
    const claim = await claimOf(nodeName);
    const instance = await instanceOf(nodeName);
    await world.kubectl(['delete', 'nodeclaim', claim.metadata.name, '--wait=false']);
    const waits = async (): Promise<Condition | undefined> =>
      (await world.kube.get<ClaimObject>(`${NODE_CLAIMS}/${claim.metadata.name}`))?.status?.conditions?.find(
        ({ type, reason }) => type === 'VolumesDetached' && reason === 'AwaitingVolumeDetachment',
      );
    const condition = await world.until(waits, {
      what: 'the claim to wait for the volume',
      timeoutMs: 30_000,
    });
    assert.match(condition.message ?? '', new RegExp(volume));
    const calledAtMs = await world.until(() => terminationCallMs(world, instance), {
      what: 'the instance to be terminated',
      timeoutMs: 60_000,
    });
    const detachedAtMs = attacher.detachedAtMs(volume, nodeName);
    assert.ok(detachedAtMs !== null && detachedAtMs <= calledAtMs, `${detachedAtMs} and ${calledAtMs}`);
    await running('data');
    assert.notEqual((await onlyPod('data')).spec.nodeName, nodeName);
    const told = await eventsAbout(world, 'NodeClaim');
    assert.equal(
      told.filter((line) => line.startsWith('AwaitingVolumeDetachment')).length,
      1,
      told.join('\n'),
    );
    assert.deepEqual(problems, []);
    await world.kubectl(['delete', 'statefulset', 'db', '-n', 'data']);
    await untilNoneLeft();
  });

  test('a do-not-disrupt pod keeps its node from consolidation', async () => {
    const disruption = { consolidationPolicy: 'WhenEmptyOrUnderutilized', minimumNodeAge: '1s' };
    await world.apply(provisioner({ ttlSecondsAfterEmpty: undefined, disruption }));
    await world.apply(keptPod());
    await running('web');
    const { nodeName = '' } = (await onlyPod('web')).spec;
    await world.until(
      async () => (await eventsAbout(world, 'NodeClaim')).some((line) => /do-not-disrupt/.test(line)),
      { what: 'the annotation to be named', timeoutMs: 60_000 },
    );
    await staysOn(nodeName, 10_000);
    await world.kubectl(['delete', 'pod', 'kept', '-n', 'web']);
    await untilNoneLeft();
  });

  test('and from the drain of its expired node, for as long as it is annotated', async () => {
    await world.apply(provisioner({ ttlSecondsUntilExpired: 15, ttlSecondsAfterEmpty: undefined }));
    await world.apply(keptPod());
    await running('web');
    const { nodeName = '' } = (await onlyPod('web')).spec;
    const claim = await claimOf(nodeName);
    const told = async (): Promise<string | undefined> =>
      (await eventsAbout(world, 'NodeClaim')).find((line) => line.startsWith('FailedDraining'));
    const event = await world.until(told, { what: 'the drain to be held up', timeoutMs: 60_000 });
    assert.match(event, /pod web\/kept forbids the drain by karpenter\.sh\/do-not-disrupt/);
    await staysOn(nodeName, 10_000);
    const stored = await world.kube.get<ClaimObject>(`${NODE_CLAIMS}/${claim.metadata.name}`);
    const drained = stored?.status?.conditions?.find(({ type }) => type === 'Drained');
    assert.deepEqual([drained?.status, drained?.reason], ['Unknown', 'Draining']);
    assert.match(drained?.message ?? '', /web\/kept/);
    await world.kubectl(['annotate', 'pod', 'kept', '-n', 'web', 'karpenter.sh/do-not-disrupt-']);
    await world.until(async () => (await world.pods('web')).length === 0, {
      what: 'the pod to be evicted',
      timeoutMs: 30_000,
    });
    await untilNoneLeft();
  });

  test('terminationGracePeriod ends the pod and its node, and not a moment too early', async () => {
    const bounded = { terminationGracePeriod: '20s', ttlSecondsAfterEmpty: undefined };
    await world.apply(provisioner({ ...bounded, ttlSecondsUntilExpired: undefined }));
    await world.apply(keptPod());
    await world.apply(KEPT_BUDGET);
    await running('web');
    const { nodeName = '' } = (await onlyPod('web')).spec;
    const claim = await claimOf(nodeName);
    const instance = await instanceOf(nodeName);
    const deletedAtMs = Date.now();
    await world.kubectl(['delete', 'nodeclaim', claim.metadata.name, '--wait=false']);
    // The pod has 5 s to stop: its deletion is due 15 s after that of the claim.
    const isLeaving = async (): Promise<PodObject | undefined> =>
      (await world.pods('web')).find(({ metadata }) => metadata.deletionTimestamp !== undefined);
    const leaving = await world.until(isLeaving, {
      what: 'the deletion of the pod',
      timeoutMs: 40_000,
      intervalMs: 50,
    });
    const leftAfterMs = Date.now() - deletedAtMs;
    assert.ok(leftAfterMs >= 14_500 && leftAfterMs < 25_000, `deleted after ${leftAfterMs} ms`);
    assert.ok((leaving.metadata.deletionGracePeriodSeconds ?? 0) <= 5);
    const calledAtMs = await world.until(() => terminationCallMs(world, instance), {
      what: 'the instance to be terminated',
      timeoutMs: 30_000,
    });
    assert.ok(calledAtMs - deletedAtMs < 30_000, `terminated after ${calledAtMs - deletedAtMs} ms`);
    const told = await eventsAbout(world, 'Pod');
    assert.ok(
      told.some((line) => /^Disrupted: Deleted from .* with [1-5] s to stop/.test(line)),
      told.join('\n'),
    );
    await untilNoneLeft();
  });

  test('a Deployment of one pod that asks for it is never without a ready pod', async () => {
    await world.apply(provisioner({ ttlSecondsAfterEmpty: undefined }));
    await world.kubectl(['delete', 'pdb', '--all', '-n', 'web']);
    // It would refuse the eviction for ever: the rollout is what moves the pod.
    await world.apply(SINGLE_BUDGET);
    await world.apply(SINGLE);
    await running('web');
    const { nodeName = '' } = (await onlyPod('web')).spec;
    const claim = await claimOf(nodeName);
    await world.kubectl(['delete', 'nodeclaim', claim.metadata.name, '--wait=false']);
    const seen: number[] = [];
    const isReplaced = async (): Promise<boolean> => {
      const pods = await world.pods('web');
      seen.push(pods.filter((pod) => conditionOf(pod, 'Ready') === 'True').length);
      return (await world.kube.get(`${NODE_CLAIMS}/${claim.metadata.name}`)) === null;
    };
    await world.until(isReplaced, { what: 'the claim to go', timeoutMs: 120_000, intervalMs: 50 });
    assert.ok(Math.min(...seen) >= 1, `ready pods over time: ${seen.join(' ')}`);
    await running('web');
    assert.notEqual((await onlyPod('web')).spec.nodeName, nodeName);
    const told = await eventsAbout(world, 'Pod');
    assert.equal(told.filter((line) => line.startsWith('Surge: Deployment web/single')).length, 1);
    assert.ok(!told.some((line) => line.startsWith(`Evict: Evicted from ${nodeName}`)));
    await world.kubectl(['delete', 'deployment,pdb', '--all', '-n', 'web']);
    await untilNoneLeft();
  });

  /** The node keeps the pod, running, for so long. */
  function staysOn(nodeName: string, durationMs: number): Promise<void> {
    const look = async (): Promise<boolean> => {
      const pod = await onlyPod('web');
      const isThere = pod.metadata.deletionTimestamp === undefined && pod.status.phase === 'Running';
      return isThere && pod.spec.nodeName === nodeName && (await world.moto.liveInstances()).length === 1;
    };
    return holdsFor(look, { durationMs, what: 'the pod and its node stay' });
  }

  async function untilNoneLeft(): Promise<void> {
    const isOver = async (): Promise<boolean> => {
      const claims = await world.kube.list<ClaimObject>(NODE_CLAIMS);
      return claims.length === 0 && (await world.moto.liveInstances()).length === 0;
    };
    await world.kubectl(['delete', 'nodeclaims', '--all', '--wait=false']);
    await world.until(isOver, { what: 'all nodes to be gone', timeoutMs: 90_000 });
  }
});

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

const KEPT_BUDGET = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: kept, namespace: web }
spec:
  maxUnavailable: 0
  selector: { matchLabels: { app: kept } }
`;

const SINGLE_BUDGET = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: single, namespace: web }
spec:
  minAvailable: 1
  selector: { matchLabels: { app: single } }
`;

const SINGLE = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: single, namespace: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: single } }
  template:
    metadata:
      labels: { app: single }
      annotations: { cooper.sh/surge: 'true' }
    spec:
      containers:
        - name: main
          image: app
          resources: { requests: { cpu: 500m, memory: 256Mi } }
`;

/** A pod that stops within 5 s, and forbids that it is disrupted. */
function keptPod(): string {
  return `
apiVersion: v1
kind: Pod
metadata:
  name: kept
  namespace: web
  labels: { app: kept }
  annotations: { karpenter.sh/do-not-disrupt: 'true' }
spec:
  terminationGracePeriodSeconds: 5
  containers:
    - name: main
      image: app
      resources: { requests: { cpu: 500m, memory: 256Mi } }
`;
}
