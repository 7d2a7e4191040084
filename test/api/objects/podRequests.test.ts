// What pods take from a node, rule by rule.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveRequests } from '../../../src/api/objects/podRequests.ts';
import type { Problem } from '../../../src/api/parsed.ts';
import type { Resources } from '../../../src/model/resources.ts';
import { GIB, MIB } from '../../builders.ts';

const requests = (list: object) => ({ resources: { requests: list } });
const limits = (list: object) => ({ resources: { limits: list } });
const sidecar = (list: object) => ({ ...requests(list), restartPolicy: 'Always' });
const running = (name: string, list: object, more: object = {}) => ({
  name,
  resources: { requests: list },
  ...more,
});

interface Case {
  readonly when: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  /** Beside `pods: 1`. */
  readonly takes: Resources;
}

const CASES: readonly Case[] = [
  { when: 'nothing is asked for', spec: { containers: [{}] }, takes: {} },
  {
    when: 'containers are summed',
    spec: { containers: [requests({ cpu: '100m', memory: '1Gi' }), requests({ cpu: '0.25' }), {}] },
    takes: { cpu: 350, memory: GIB },
  },
  {
    when: 'every kind of resource counts, zero does not',
    spec: {
      containers: [
        requests({
          'nvidia.com/gpu': 1,
          'ephemeral-storage': '1G',
          'hugepages-2Mi': '4Mi',
          'example.com/x': '0',
        }),
      ],
    },
    takes: { 'nvidia.com/gpu': 1, 'ephemeral-storage': 1e9, 'hugepages-2Mi': 4 * MIB },
  },
  {
    when: 'a limit stands in for a request that is absent, name by name',
    spec: { containers: [{ resources: { requests: { cpu: '1' }, limits: { cpu: '2', memory: '1Gi' } } }] },
    takes: { cpu: 1000, memory: GIB },
  },
  { when: 'limits alone count', spec: { containers: [limits({ cpu: '2' })] }, takes: { cpu: 2000 } },
  {
    when: 'the largest init container is a floor',
    spec: {
      containers: [requests({ cpu: '1', memory: '1Gi' })],
      initContainers: [requests({ cpu: '3' }), requests({ cpu: '2', memory: '512Mi' })],
    },
    takes: { cpu: 3000, memory: GIB },
  },
  {
    when: 'sidecars add to the containers',
    spec: { containers: [requests({ cpu: '1' })], initContainers: [sidecar({ cpu: '500m' })] },
    takes: { cpu: 1500 },
  },
  {
    when: 'an init container runs beside the sidecars started before it, not those after',
    spec: {
      containers: [requests({ cpu: '1' })],
      initContainers: [sidecar({ cpu: '1' }), requests({ cpu: '4' }), sidecar({ cpu: '2' })],
    },
    takes: { cpu: 5000 },
  },
  {
    when: 'overhead is added to the larger of both',
    spec: {
      containers: [requests({ cpu: '1' })],
      initContainers: [requests({ cpu: '2' })],
      overhead: { cpu: '250m', memory: '120Mi' },
    },
    takes: { cpu: 2250, memory: 120 * MIB },
  },
  {
    when: 'pod-level requests replace the sum for what they name, overhead still on top',
    spec: {
      containers: [requests({ cpu: '1', memory: '1Gi', 'nvidia.com/gpu': 1 })],
      resources: { requests: { cpu: '3', 'nvidia.com/gpu': 5 } },
      overhead: { cpu: '100m' },
    },
    takes: { cpu: 3100, memory: GIB, 'nvidia.com/gpu': 1 },
  },
  {
    when: 'pod-level limits stand in where neither the pod nor its containers ask',
    spec: { containers: [requests({ cpu: '1' })], resources: { limits: { cpu: '4', memory: '2Gi' } } },
    takes: { cpu: 1000, memory: 2 * GIB },
  },
  {
    when: 'pod-level hugepages limits count over those of containers, since hugepages cannot be overcommitted',
    spec: {
      containers: [{ resources: { limits: { 'hugepages-2Mi': '4Mi' } } }],
      resources: { limits: { 'hugepages-2Mi': '8Mi' } },
    },
    takes: { 'hugepages-2Mi': 8 * MIB },
  },
  {
    when: 'a pod that grows counts with what it wants',
    spec: { containers: [running('a', { cpu: '2' })] },
    status: { containerStatuses: [running('a', { cpu: '1' }, { allocatedResources: { cpu: '1' } })] },
    takes: { cpu: 2000 },
  },
  {
    when: 'a pod that shrinks counts with what it still has',
    spec: { containers: [running('a', { cpu: '1' })] },
    status: { containerStatuses: [running('a', { cpu: '3' }, { allocatedResources: { cpu: '1' } })] },
    takes: { cpu: 3000 },
  },
  {
    when: 'a resize that can never be counts with what the pod has',
    spec: { containers: [running('a', { cpu: '64' })] },
    status: {
      conditions: [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }],
      containerStatuses: [running('a', { cpu: '1' }, { allocatedResources: { cpu: '2' } })],
    },
    takes: { cpu: 2000 },
  },
  {
    when: 'statuses of sidecars count, those of ended init containers do not',
    spec: {
      containers: [running('a', { cpu: '1' })],
      initContainers: [
        { ...running('s', { cpu: '1' }), restartPolicy: 'Always' },
        running('i', { cpu: '1' }),
      ],
    },
    status: { initContainerStatuses: [running('s', { cpu: '2' }), running('i', { cpu: '9' })] },
    takes: { cpu: 3000 },
  },
  {
    when: 'pod-level requests are resized too',
    spec: { containers: [{}], resources: { requests: { cpu: '1' } } },
    status: { resources: { requests: { cpu: '2' } }, allocatedResources: { cpu: '3' } },
    takes: { cpu: 3000 },
  },
];

for (const { when, spec, status, takes } of CASES) {
  test(when, () => {
    const problems: Problem[] = [];
    const found = effectiveRequests({ spec, status: status ?? null, path: 'spec', problems });
    assert.deepEqual(found, { ...takes, pods: 1 });
    assert.deepEqual(Object.keys(found), Object.keys(found).sort(), 'names are sorted');
    assert.deepEqual(problems, []);
  });
}

test('amounts that are none are named and left out', () => {
  const problems: Problem[] = [];
  const spec = { containers: [{}, requests({ cpu: 'much', memory: '-1Gi', 'example.com/x': null })] };
  assert.deepEqual(effectiveRequests({ spec, status: null, path: 'spec', problems }), { pods: 1 });
  const path = 'spec.containers[1].resources.requests';
  assert.deepEqual(
    problems.map((one) => one.field),
    [`${path}['cpu']`, `${path}['memory']`, `${path}['example.com/x']`],
  );
});
