// Nodes that have joined and are not initialized: packer and checker agree on what pods will find there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABEL, UNREGISTERED_TAINT_KEY } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import { NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { Pod, PodSpec } from '../../src/model/pod.ts';
import type { Taint } from '../../src/model/taint.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';
import { aNodeClaim, anInstanceType, anOwnedNode, aPod, aProvisioner, aSnapshot, GIB } from '../builders.ts';

const CNI: Taint = { key: 'cni', value: '', effect: 'NoSchedule' };
const UNREGISTERED: Taint = { key: UNREGISTERED_TAINT_KEY, value: '', effect: 'NoExecute' };
const TEAM: Taint = { key: 'team', value: 'a', effect: 'NoSchedule' };
const GPU = 'nvidia.com/gpu';
const ROOM = { cpu: 2000, memory: 8 * GIB, pods: 29, [GPU]: 1 };

const young = (fields: Partial<Node> = {}): Node =>
  anOwnedNode({ ...fields, labels: { [LABEL.initialized]: 'false', ...fields.labels } });
const claim = (
  spec: Partial<NodeClaim['spec']> = {},
  status: Partial<NodeClaim['status']> = {},
): NodeClaim => {
  const made = aNodeClaim();
  return { ...made, spec: { ...made.spec, ...spec }, status: { ...NO_STATUS, ...status } };
};
const JOINED = {
  nodeName: 'node',
  instanceType: 'm5.large',
  zone: 'us-east-1a',
  capacityType: 'on-demand' as const,
  allocatable: ROOM,
};
const pod = (spec: Partial<PodSpec> = {}): Pod => aPod({ name: 'web', spec });
const gpuPod = pod({ requests: { cpu: 100, pods: 1, [GPU]: 1 } });
const initialized = [
  { type: 'Initialized' as const, status: 'True' as const, reason: '', message: '', sinceMs: 0 },
];

interface Case {
  readonly rule: string;
  readonly node: Node;
  readonly claim?: NodeClaim;
  readonly pod?: Pod;
  /** Where the pod is sent; null when it gets a node of its own. */
  readonly sentTo: string | null;
}

const cases: readonly Case[] = [
  {
    rule: 'a node that joined before its launch was answered is left alone: its claim takes the pods',
    node: young({ taints: [UNREGISTERED, CNI] }),
    claim: claim(),
    sentTo: 'claim',
  },
  {
    rule: 'a node without a claim loses the startup taints of its Provisioner',
    node: young({ taints: [CNI] }),
    sentTo: 'node',
  },
  {
    rule: 'startup taints of the claim will go, whatever their value on the node',
    node: young({ taints: [UNREGISTERED, { ...CNI, value: 'later' }] }),
    claim: claim({ startupTaints: [CNI] }, JOINED),
    sentTo: 'node',
  },
  {
    rule: 'a startup taint that is back on an initialized node keeps pods off',
    node: young({ taints: [CNI] }),
    claim: claim({ startupTaints: [CNI] }, { ...JOINED, conditions: initialized }),
    sentTo: null,
  },
  {
    rule: 'taints of the claim that registering has yet to write keep pods off',
    node: young(),
    claim: claim({ taints: [TEAM] }, JOINED),
    sentTo: null,
  },
  {
    rule: 'labels of the claim that registering has yet to write count',
    node: young(),
    claim: claim({ labels: { disk: 'fast' } }, JOINED),
    pod: pod({ nodeSelector: { disk: 'fast' } }),
    sentTo: 'node',
  },
  {
    rule: 'labels of the launched type that registering has yet to write count',
    node: young(),
    claim: claim({}, JOINED),
    pod: pod({ nodeSelector: { [LABEL.instanceSize]: 'large' } }),
    sentTo: 'node',
  },
  {
    rule: 'a device plugin that reports nothing yet is waited for',
    node: young({ allocatable: { ...ROOM, [GPU]: 0 } }),
    claim: claim({}, JOINED),
    pod: gpuPod,
    sentTo: 'node',
  },
  {
    rule: 'a device that an initialized node does not report is not there',
    node: young({ allocatable: { ...ROOM, [GPU]: 0 } }),
    claim: claim({}, { ...JOINED, conditions: initialized }),
    pod: gpuPod,
    sentTo: null,
  },
];

const LARGE = anInstanceType({ name: 'm5.large', usdPerHour: 0.096 });
const SIZED = {
  ...LARGE,
  requirements: [
    ...LARGE.requirements.filter(({ key }) => key !== LABEL.instanceSize),
    { key: LABEL.instanceSize, operator: 'In' as const, values: ['large'] },
  ],
};

for (const { rule, node, claim: own, pod: placed = pod(), sentTo } of cases) {
  test(`young node: ${rule}`, () => {
    const snapshot = aSnapshot({
      provisioners: [aProvisioner({ startupTaints: [CNI] })],
      nodes: [node],
      nodeClaims: own === undefined ? [] : [own],
    });
    const catalogue = new Map([['default', [SIZED]]]);
    const made = schedule(snapshot, catalogue, [placed]);
    assert.equal(made.nominations[0]?.target.name ?? null, sentTo);
    assert.deepEqual(checkPlan(snapshot, catalogue, [placed], made), []);
  });
}
