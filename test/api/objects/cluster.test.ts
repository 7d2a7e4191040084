// Nodes, storage, budgets and namespaces: each field that is read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNode } from '../../../src/api/objects/node.ts';
import {
  parseCsiNode,
  parsePersistentVolume,
  parsePersistentVolumeClaim,
  parseStorageClass,
} from '../../../src/api/objects/volumes.ts';
import { parseDisruptionBudget, parseNamespace } from '../../../src/api/objects/workloads.ts';
import type { Parsed } from '../../../src/api/parsed.ts';
import { GIB } from '../../builders.ts';

const PARSERS = [
  parseNode,
  parseCsiNode,
  parsePersistentVolume,
  parsePersistentVolumeClaim,
  parseStorageClass,
  parseDisruptionBudget,
  parseNamespace,
];

function valid<T>(parsed: Parsed<T>): T {
  assert.ok(parsed.kind === 'valid', JSON.stringify(parsed));
  return parsed.value;
}

for (const parse of PARSERS) {
  test(`${parse.name}: nameless and shapeless objects are invalid, never an exception`, () => {
    for (const odd of [null, 7, 'x', [], {}, { metadata: null }, { metadata: { name: 7 } }]) {
      assert.equal(parse(odd).kind, 'invalid');
    }
    const shapeless = { metadata: { name: 'a' }, spec: [7], status: 'x', allowedTopologies: { a: 1 } };
    assert.equal(parse(shapeless).kind, 'valid');
  });
}

test('node', () => {
  const node = valid(
    parseNode({
      metadata: {
        name: 'ip-1',
        uid: 'u',
        resourceVersion: '7',
        labels: { a: 'b' },
        annotations: { 'karpenter.sh/do-not-consolidate': 'true', 'csi.volume.kubernetes.io/nodeid': 'long' },
        finalizers: ['karpenter.sh/termination'],
        creationTimestamp: '1970-01-01T00:00:01Z',
        deletionTimestamp: '1970-01-01T00:00:02Z',
      },
      spec: {
        providerID: 'aws:///us-east-1a/i-1',
        unschedulable: true,
        taints: [
          { key: 'a', effect: 'NoSchedule', timeAdded: 'x' },
          { key: 'b', effect: 'Whatever' },
        ],
      },
      status: {
        capacity: { cpu: '2', memory: '8Gi', pods: '29' },
        allocatable: { cpu: '1930m', memory: '7Gi', odd: 'x' },
        conditions: [
          { type: 'Ready', status: 'True', lastTransitionTime: '1970-01-01T00:00:03Z' },
          { type: 'Odd' },
        ],
      },
    }),
  );
  assert.deepEqual(node, {
    name: 'ip-1',
    uid: 'u',
    resourceVersion: '7',
    providerId: 'aws:///us-east-1a/i-1',
    labels: { a: 'b' },
    annotations: { 'karpenter.sh/do-not-consolidate': 'true' },
    taints: [{ key: 'a', value: '', effect: 'NoSchedule' }],
    unschedulable: true,
    capacity: { cpu: 2000, memory: 8 * GIB, pods: 29 },
    allocatable: { cpu: 1930, memory: 7 * GIB },
    conditions: [
      { type: 'Ready', status: 'True', sinceMs: 3000 },
      { type: 'Odd', status: 'Unknown', sinceMs: 0 },
    ],
    finalizers: ['karpenter.sh/termination'],
    createdAtMs: 1000,
    deletionRequestedAtMs: 2000,
  });
});

const zoneTerm = (zone: string, key = 'topology.kubernetes.io/zone') => ({
  requirements: [{ key, operator: 'In', values: [zone] }],
  matchFields: false,
});

test('persistent volume: affinity under modern names, driver', () => {
  const expressions = [{ key: 'topology.ebs.csi.aws.com/zone', operator: 'In', values: ['a'] }];
  const spec = {
    csi: { driver: 'ebs.csi.aws.com' },
    nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: expressions }] } },
  };
  assert.deepEqual(valid(parsePersistentVolume({ metadata: { name: 'pv' }, spec })), {
    name: 'pv',
    nodeAffinity: [zoneTerm('a')],
    csiDriver: 'ebs.csi.aws.com',
  });
});

test('persistent volume from before CSI: zones in its label, the driver that serves it today', () => {
  const metadata = { name: 'pv', labels: { 'failure-domain.beta.kubernetes.io/zone': 'a__b' } };
  const volume = valid(parsePersistentVolume({ metadata, spec: { awsElasticBlockStore: {} } }));
  assert.deepEqual(volume.nodeAffinity, [
    {
      requirements: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: ['a', 'b'] }],
      matchFields: false,
    },
  ]);
  assert.equal(volume.csiDriver, 'ebs.csi.aws.com');
});

test('persistent volume claim: no class named is not the class ""', () => {
  const metadata = { namespace: 'n', name: 'c' };
  const unbound = { namespace: 'n', name: 'c', volumeName: '', storageClassName: null };
  assert.deepEqual(valid(parsePersistentVolumeClaim({ metadata })), unbound);
  const spec = { volumeName: 'pv', storageClassName: '' };
  const bound = { ...unbound, volumeName: 'pv', storageClassName: '' };
  assert.deepEqual(valid(parsePersistentVolumeClaim({ metadata, spec })), bound);
});

test('storage class', () => {
  const storageClass = valid(
    parseStorageClass({
      metadata: { name: 'gp3', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'ebs.csi.aws.com',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowedTopologies: [
        { matchLabelExpressions: [{ key: 'topology.ebs.csi.aws.com/zone', values: ['a'] }] },
      ],
    }),
  );
  assert.deepEqual(storageClass, {
    name: 'gp3',
    isDefault: true,
    provisioner: 'ebs.csi.aws.com',
    waitForFirstConsumer: true,
    allowedTopologies: [zoneTerm('a')],
  });
});

test('CSI node: a driver without a count is unlimited', () => {
  const drivers = [{ name: 'ebs.csi.aws.com', allocatable: { count: 25 } }, { name: 'efs.csi.aws.com' }];
  const node = valid(parseCsiNode({ metadata: { name: 'ip-1' }, spec: { drivers } }));
  assert.deepEqual(node, { name: 'ip-1', volumeLimits: { 'ebs.csi.aws.com': 25 } });
});

test('disruption budget: unknown status allows nothing, an absent selector is no empty one', () => {
  const metadata = { namespace: 'n', name: 'b' };
  const bare = { namespace: 'n', name: 'b', selector: null, disruptionsAllowed: 0 };
  assert.deepEqual(valid(parseDisruptionBudget({ metadata, spec: {} })), bare);
  const full = { metadata, spec: { selector: {} }, status: { disruptionsAllowed: 2 } };
  const everything = { ...bare, selector: { expressions: [] }, disruptionsAllowed: 2 };
  assert.deepEqual(valid(parseDisruptionBudget(full)), everything);
});

test('namespace', () => {
  const namespace = valid(parseNamespace({ metadata: { name: 'n', labels: { b: '2', a: '1', odd: 7 } } }));
  assert.deepEqual(namespace, { name: 'n', labels: { a: '1', b: '2' } });
});
