// Which attachments a drained node waits for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awaitedVolumes } from '../../src/disruption/awaitedVolumes.ts';
import type { PodVolume } from '../../src/model/pod.ts';
import type { Toleration } from '../../src/model/taint.ts';
import { aBoundPod, type PodFields } from '../builders.ts';

const NOW_MS = 1_000_000;
const TOLERATES_ALL: Toleration = {
  key: '',
  operator: 'Exists',
  value: '',
  effect: null,
  tolerationSeconds: null,
};
const BOUND: Readonly<Record<string, string>> = {
  'default/data': 'pv-data',
  'default/agent-scratch': 'pv-scratch',
  'default/unbound': '',
};
const claims = (key: string) => {
  const [namespace = '', name = ''] = key.split('/');
  const volumeName = BOUND[key];
  return volumeName === undefined ? undefined : { namespace, name, volumeName, storageClassName: null };
};
const DATA: PodVolume = { kind: 'claim', claimName: 'data' };
const SCRATCH: PodVolume = { kind: 'ephemeral', volumeName: 'scratch', storageClassName: null };

const CASES: readonly {
  what: string;
  attached: readonly string[];
  pods?: readonly PodFields[];
  awaited: readonly string[];
}[] = [
  { what: 'nothing attached', attached: [], awaited: [] },
  { what: 'volumes of pods that have left', attached: ['pv-b', 'pv-a'], awaited: ['pv-a', 'pv-b'] },
  { what: 'one volume twice', attached: ['pv-a', 'pv-a'], awaited: ['pv-a'] },
  { what: 'an inline volume', attached: [''], awaited: [] },
  {
    what: 'the volume of a pod that tolerates the taint',
    attached: ['pv-data', 'pv-a'],
    pods: [{ spec: { tolerations: [TOLERATES_ALL], volumes: [DATA] } }],
    awaited: ['pv-a'],
  },
  {
    what: 'an ephemeral volume of a pod that stays',
    attached: ['pv-scratch'],
    pods: [{ name: 'agent', spec: { tolerations: [TOLERATES_ALL], volumes: [SCRATCH] } }],
    awaited: [],
  },
  {
    what: 'the volume of a pod that stays and has ended',
    attached: ['pv-data'],
    pods: [{ phase: 'Succeeded', spec: { tolerations: [TOLERATES_ALL], volumes: [DATA] } }],
    awaited: ['pv-data'],
  },
  {
    what: 'the volume of a static pod',
    attached: ['pv-data'],
    pods: [{ mirror: true, spec: { volumes: [DATA] } }],
    awaited: [],
  },
  {
    what: 'the volume of a pod that does not stop',
    attached: ['pv-data'],
    pods: [{ deletionRequestedAtMs: 0, spec: { volumes: [DATA] } }],
    awaited: [],
  },
  {
    what: 'the volume of a pod that is stopping',
    attached: ['pv-data'],
    pods: [{ deletionRequestedAtMs: NOW_MS - 1, spec: { volumes: [DATA] } }],
    awaited: ['pv-data'],
  },
  {
    what: 'a claim that is not bound or not there',
    attached: ['pv-a'],
    pods: ['unbound', 'missing'].map((claimName) => ({
      spec: { tolerations: [TOLERATES_ALL], volumes: [{ kind: 'claim', claimName }] },
    })),
    awaited: ['pv-a'],
  },
];
for (const { what, attached, pods = [], awaited } of CASES) {
  test(`${what}: ${awaited.length === 0 ? 'nothing is' : `${awaited.join(', ')} are`} waited for`, () => {
    const attachments = attached.map((volumeName) => ({ nodeName: 'node', volumeName }));
    const onNode = pods.map((fields) => aBoundPod('node', fields));
    assert.deepEqual(awaitedVolumes(attachments, onNode, claims, NOW_MS), awaited);
  });
}
