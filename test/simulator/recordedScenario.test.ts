// Recorded clusters as scenarios: which workload a pod belongs to, what came of Jobs, what cannot be taken over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Raw } from '../../src/api/objects/raw.ts';
import { type RecordedHistory, recordedScenario } from '../../src/simulator/recordedScenario.ts';
import { parseScenario } from '../../src/simulator/scenario.ts';

const START_MS = Date.UTC(2026, 0, 5);
const OPTIONS = { name: 'recorded', knownTypes: new Set(['m5.large']) };

interface PodFacts {
  readonly name: string;
  readonly owner?: { readonly kind: string; readonly name: string };
  readonly hash?: string;
  readonly cpu?: string;
  readonly phase?: string;
  readonly leaving?: boolean;
}

function aRawPod({ name, owner, hash, cpu = '1', phase = 'Running', leaving = false }: PodFacts): Raw {
  const owners = owner === undefined ? [] : [{ ...owner, uid: `uid-${owner.name}`, controller: true }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'a',
      uid: `uid-${name}`,
      labels: { app: 'x', ...(hash === undefined ? {} : { 'pod-template-hash': hash }) },
      ownerReferences: owners,
      ...(leaving ? { deletionTimestamp: '2026-01-05T00:00:00Z' } : {}),
    },
    spec: { nodeName: 'n', containers: [{ name: 'main', resources: { requests: { cpu } } }] },
    status: { phase },
  };
}

function recorded(
  objects: readonly Raw[],
  changes: readonly (readonly [number, string, Raw | null])[] = [],
): RecordedHistory {
  return {
    startedAtMs: START_MS,
    endedAtMs: START_MS + 600_000,
    objects,
    podChanges: changes.map(([seconds, name, pod]) => ({
      atMs: START_MS + seconds * 1000,
      key: `a/${name}`,
      pod,
    })),
  };
}

const RS = (hash: string): NonNullable<PodFacts['owner']> => ({ kind: 'ReplicaSet', name: `web-${hash}` });
const JOB = { kind: 'Job', name: 'nightly' };

test('pods of one template are one workload, two revisions are two, and a lone pod is its own', () => {
  const { scenario, leftOut } = recordedScenario(
    recorded([
      aRawPod({ name: 'web-1', owner: RS('aaa'), hash: 'aaa' }),
      aRawPod({ name: 'web-2', owner: RS('aaa'), hash: 'aaa' }),
      aRawPod({ name: 'web-3', owner: RS('bbb'), hash: 'bbb', cpu: '2' }),
      aRawPod({ name: 'alone' }),
    ]),
    OPTIONS,
  );
  assert.deepEqual(leftOut, []);
  assert.deepEqual(scenario.curves, [
    { workload: 'a/web', steps: [{ at: '0ms', replicas: 2 }] },
    { workload: 'a/web-2', steps: [{ at: '0ms', replicas: 1 }] },
    { workload: 'a/alone', steps: [{ at: '0ms', replicas: 1 }] },
  ]);
  assert.equal(scenario.duration, '600s');
  assert.equal(parseScenario(scenario).kind, 'valid');
});

test('pods of Jobs keep when they came and how long they ran; those that ran on run to the end', () => {
  const { scenario } = recordedScenario(
    recorded(
      [aRawPod({ name: 'j-1', owner: JOB })],
      [
        [60, 'j-2', aRawPod({ name: 'j-2', owner: JOB })],
        [90, 'j-1', aRawPod({ name: 'j-1', owner: JOB, phase: 'Succeeded' })],
        [95, 'j-1', null],
      ],
    ),
    OPTIONS,
  );
  const arrivals = [{ at: '0ms', runTime: '90000ms' }, { at: '60000ms' }];
  assert.deepEqual(scenario.curves, [{ workload: 'a/nightly', arrivals }]);
  assert.equal(parseScenario(scenario).kind, 'valid');
});

test('daemons, static pods and pods that end or leave are no workload', () => {
  const { scenario } = recordedScenario(
    recorded([
      aRawPod({ name: 'd', owner: { kind: 'DaemonSet', name: 'logs' } }),
      aRawPod({ name: 's', owner: { kind: 'Node', name: 'n' } }),
      aRawPod({ name: 'e', phase: 'Failed' }),
      aRawPod({ name: 'l', leaving: true }),
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } },
    ]),
    OPTIONS,
  );
  assert.deepEqual(scenario.curves, []);
  assert.deepEqual(
    scenario.manifests.map((manifest) => (manifest as Raw).kind),
    ['Namespace'],
  );
});

test('what a simulation cannot take over is left out and named', () => {
  const node = (name: string, labels: Readonly<Record<string, string>>): Raw => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels },
  });
  const zone = { 'topology.kubernetes.io/zone': 'us-east-1b' };
  const type = 'node.kubernetes.io/instance-type';
  const { scenario, leftOut } = recordedScenario(
    recorded([
      node('plain', { [type]: 'm5.large', ...zone }),
      node('strange', { [type]: 'z9.huge', ...zone }),
      node('bought', { [type]: 'm5.large', ...zone, 'karpenter.sh/provisioner-name': 'default' }),
      {
        apiVersion: 'karpenter.sh/v1alpha5',
        kind: 'Provisioner',
        metadata: { name: 'p' },
        spec: { weight: 900 },
      },
    ]),
    OPTIONS,
  );
  assert.deepEqual(scenario.staticNodes, [{ name: 'plain', instanceType: 'm5.large', zone: 'us-east-1b' }]);
  assert.deepEqual(scenario.cloud, { zones: ['us-east-1b'] });
  assert.equal(leftOut.length, 2);
  assert.match(leftOut.join('\n'), /Provisioner p is left out: spec\.weight is 900; write 100 or less/);
  assert.match(leftOut.join('\n'), /Node strange is left out: its type z9\.huge is not known/);
});
