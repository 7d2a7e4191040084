// The checker finds each violation planted into where a valid plan puts its pods.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import {
  aBoundPod,
  aDaemonSet,
  aNode,
  aNodeClaim,
  aPod,
  aProvisioner,
  aSnapshot,
  somePods,
} from '../builders.ts';

import {
  aCase,
  apart,
  check,
  evenly,
  gpu,
  inA,
  inB,
  labels,
  lonely,
  nominated,
  nomination,
  on,
  onDemand,
  one,
  open,
  perNode,
  planned,
  planOf,
  port,
  type Row,
  runningWeb,
  spread,
  spreadInA,
  ssd,
  TWO,
  term,
  together,
  volumeIn,
  web,
  withVolume,
  zonal,
} from './checkerCases.ts';

const nodes: Row[] = [
  {
    when: 'the smaller type listed does not hold the pods',
    plan: aCase({ pods: somePods(3, { cpuMillis: 1000 }) }),
    found: /as m5.large holds 2 of cpu, 3 are placed/,
  },
  {
    when: 'the daemons of a type leave no room',
    plan: aCase({ pods: one({ cpuMillis: 1950 }), snapshot: aSnapshot({ daemonSets: [aDaemonSet()] }) }),
    found: /as m5.large holds 2 of cpu, 2050m/,
  },
  {
    when: 'the pod count is exceeded',
    plan: aCase({ pods: somePods(30, { cpuMillis: 1, memoryBytes: 1 }) }),
    found: /holds 29 of pods, 30/,
  },
  {
    when: 'an extended resource is missing',
    plan: aCase({ pods: one({ requests: { 'nvidia.com/gpu': 1 } }) }),
    found: /holds 0 of nvidia.com\/gpu/,
  },
  {
    when: 'the node selector asks for another zone',
    plan: aCase({ pods: one({ spec: { nodeSelector: { [LABEL.zone]: 'us-east-1b' } } }) }),
    found: /does not select the labels/,
  },
  {
    when: 'an allowed zone is not the one asked for',
    plan: aCase({
      pods: one({ spec: { nodeSelector: { [LABEL.zone]: 'us-east-1a' } } }),
      plan: planOf([planned([aPod()], {}, { requirements: [onDemand] })]),
    }),
    found: /does not select .* as m5.large in us-east-1b/,
  },
  {
    when: 'node affinity excludes a listed type',
    plan: aCase({
      pods: one({
        spec: {
          nodeAffinity: [
            { requirements: [{ key: LABEL.instanceCpu, operator: 'Lt', values: ['4'] }], matchFields: false },
          ],
        },
      }),
    }),
    found: /does not select .* as m5.xlarge/,
  },
  {
    when: 'node affinity has no terms',
    plan: aCase({ pods: one({ spec: { nodeAffinity: [] } }) }),
    found: /does not select/,
  },
  {
    when: 'a taint is not tolerated',
    plan: aCase({
      snapshot: aSnapshot({ provisioners: [aProvisioner({ taints: [gpu] })] }),
      plan: planOf([planned(TWO, {}, { taints: [gpu] })]),
    }),
    found: /does not tolerate gpu:NoSchedule/,
  },
  {
    when: 'host ports clash',
    plan: aCase({ pods: somePods(2, { spec: { hostPorts: [port] } }) }),
    found: /same host port/,
  },
  {
    when: 'a daemon holds the host port',
    plan: aCase({
      pods: one({ spec: { hostPorts: [{ ...port, ip: '10.0.0.1' }] } }),
      snapshot: aSnapshot({ daemonSets: [aDaemonSet({ spec: { hostPorts: [port] } })] }),
    }),
    found: /same host port/,
  },
  {
    when: 'the volume is in another zone',
    plan: aCase({
      pods: one({ spec: withVolume }),
      snapshot: aSnapshot({ persistentVolumeClaims: [ssd], persistentVolumes: [volumeIn('us-east-1b')] }),
    }),
    found: /claim default\/data cannot be used from us-east-1a/,
  },
  {
    when: 'the storage class makes volumes elsewhere',
    plan: aCase({
      pods: one({ spec: { volumes: [{ kind: 'ephemeral', volumeName: 'tmp', storageClassName: 'b' }] } }),
      snapshot: aSnapshot({
        storageClasses: [
          {
            name: 'b',
            isDefault: false,
            provisioner: 'ebs',
            waitForFirstConsumer: true,
            allowedTopologies: volumeIn('us-east-1b').nodeAffinity,
          },
        ],
      }),
    }),
    found: /cannot be used from us-east-1a/,
  },
  {
    when: 'the claim does not exist',
    plan: aCase({ pods: one({ spec: withVolume }) }),
    found: /claim default\/data does not exist/,
  },
];

const nominations: Row[] = [
  { when: 'the node does not exist', plan: nomination(aSnapshot()), found: /which does not exist/ },
  {
    when: 'the node is full of bound pods',
    plan: nomination(on({}, [aBoundPod('a', { name: 'b', cpuMillis: 1900 })])),
    found: /node "a" .* holds 2 of cpu, 2100m/,
  },
  { when: 'the node is cordoned', plan: nomination(on({ unschedulable: true })), found: /cordoned/ },
  { when: 'the node is tainted', plan: nomination(on({ taints: [gpu] })), found: /does not tolerate gpu/ },
  {
    when: 'an initialized node is not ready',
    plan: nomination(
      on({ taints: [{ key: 'node.kubernetes.io/not-ready', value: '', effect: 'NoSchedule' }] }),
    ),
    found: /does not tolerate node.kubernetes.io/,
  },
  {
    when: 'the node is too young to run its daemons yet',
    plan: nomination({
      ...on({ labels: { [LABEL.initialized]: 'false' } }),
      daemonSets: [aDaemonSet({ spec: { requests: { cpu: 1900 } } })],
    }),
    found: /2100m are placed/,
  },
  {
    when: 'its attach slots are used up',
    plan: nomination(
      {
        ...on({}),
        csiNodes: [{ name: 'a', volumeLimits: { 'ebs.csi.aws.com': 0 } }],
        persistentVolumeClaims: [ssd],
        persistentVolumes: [volumeIn('us-east-1a')],
      },
      one({ spec: withVolume }),
    ),
    found: /0 can be attached/,
  },
  {
    when: 'a claim in flight is too small',
    plan: aCase({
      pods: one({ cpuMillis: 2500 }),
      snapshot: aSnapshot({ nodeClaims: [aNodeClaim({ name: 'c' })] }),
      plan: nominated(one({}), 'c', 'nodeClaim'),
    }),
    found: /node claim "c" as m5.large holds 2 of cpu/,
  },
  {
    when: 'a claim in flight is being deleted',
    plan: aCase({
      pods: one({}),
      snapshot: aSnapshot({ nodeClaims: [aNodeClaim({ name: 'c', deletionRequestedAtMs: 1 })] }),
      plan: nominated(one({}), 'c', 'nodeClaim'),
    }),
    found: /takes no pods/,
  },
];

const between: Row[] = [
  {
    when: 'anti-affine pods share a node',
    plan: aCase({ pods: lonely }),
    found: /anti-affinity of default\/web-0 is broken within kubernetes.io\/hostname/,
  },
  {
    when: 'anti-affine pods share a zone',
    plan: aCase({ pods: zonal, plan: apart(zonal, [inA, inA]) }),
    found: /broken within topology.kubernetes.io\/zone=us-east-1a/,
  },
  {
    when: 'anti-affine pods may come to share a zone',
    plan: aCase({ pods: zonal, plan: planOf(zonal.map((pod) => planned([pod], {}, open))) }),
    found: /broken within topology/,
  },
  {
    when: 'a running pod keeps the new one away',
    plan: aCase({
      pods: one({ labels }),
      snapshot: {
        ...runningWeb,
        pods: [aBoundPod('a', { name: 'w', spec: { podAntiAffinity: [term(LABEL.hostname)] } })],
      },
      plan: nominated(one({}), 'a'),
    }),
    found: /anti-affinity of default\/w/,
  },
  {
    when: 'the namespace selector finds the other pod',
    plan: aCase({
      pods: one({
        name: 'x',
        spec: { podAntiAffinity: [term(LABEL.hostname, { namespaceSelector: { expressions: [] } })] },
      }),
      snapshot: { ...runningWeb, pods: [aBoundPod('a', { namespace: 'elsewhere', labels })] },
      plan: nominated(one({ name: 'x' }), 'a'),
    }),
    found: /anti-affinity/,
  },
  {
    when: 'no pod to be near to is in the zone',
    plan: aCase({
      pods: one({ spec: { podAffinity: [term(LABEL.zone)] } }),
      snapshot: runningWeb,
      plan: apart(one({}), [inB]),
    }),
    found: /pod affinity/,
  },
  {
    when: 'self-affine pods start in two zones',
    plan: aCase({ pods: together, plan: apart(together, [inA, inB]) }),
    found: /cannot be bound .* pod affinity/,
  },
  {
    when: 'self-affine pods may end up in two zones',
    plan: aCase({ pods: together, plan: planOf(together.map((pod) => planned([pod], {}, open))) }),
    found: /pod affinity/,
  },
  {
    when: 'pod affinity finds nothing and the pod is not its own',
    plan: aCase({ pods: one({ spec: { podAffinity: [term(LABEL.zone)] } }) }),
    found: /pod affinity/,
  },
  {
    when: 'spread is skewed over zones',
    plan: aCase({ pods: evenly, plan: apart(evenly, [inA, inA, inA, inB]) }),
    found: /topology spread/,
  },
  {
    when: 'spread ignores a zone where a node stands empty',
    plan: aCase({
      pods: evenly.slice(0, 2),
      snapshot: aSnapshot({ nodes: [aNode({ labels: { [LABEL.zone]: 'us-east-1c' } })] }),
      plan: apart(evenly.slice(0, 2), [inA, inA]),
    }),
    found: /topology spread/,
  },
  {
    when: 'spread counts a zone that the pod does not select, since that is to be ignored',
    plan: aCase({
      pods: spreadInA({ nodeAffinityPolicy: 'Ignore' }, { nodeSelector: { [LABEL.zone]: 'us-east-1a' } }),
      snapshot: aSnapshot({ nodes: [aNode({ labels: { [LABEL.zone]: 'us-east-1c' } })] }),
      plan: apart(spreadInA({}, {}), [inA, inA]),
    }),
    found: /topology spread/,
  },
  {
    when: 'spread has fewer domains than it asks for',
    plan: aCase({
      pods: web(2, { topologySpread: [spread(LABEL.zone, { minDomains: 2 })] }),
      plan: planOf([planned(web(2, {}))]),
    }),
    found: /topology spread/,
  },
  {
    when: 'spread over nodes fills one of them',
    plan: aCase({
      pods: perNode,
      plan: planOf([planned(perNode.slice(0, 1)), planned(perNode.slice(1, 3)), planned([aPod()])]),
    }),
    found: /topology spread/,
  },
  {
    when: 'spread depends on a zone left open',
    plan: aCase({
      pods: evenly.slice(0, 2),
      plan: planOf([planned(evenly.slice(0, 1), {}, open), planned(evenly.slice(1, 2))]),
      snapshot: aSnapshot({ nodes: [aNode({ labels: { [LABEL.zone]: 'us-east-1c' } })] }),
    }),
    found: /leaves topology.kubernetes.io\/zone open/,
  },
  {
    when: 'the node lacks the label to spread over',
    plan: aCase({ pods: web(1, { topologySpread: [spread('rack')] }) }),
    found: /topology spread/,
  },
];

describe('checkPlan, where pods go', () => {
  for (const { when, plan, found } of [...nodes, ...nominations, ...between]) {
    it(`objects when ${when}`, () => {
      const violations = check(plan);
      assert.ok(
        violations.some((violation) => found.test(violation)),
        `expected ${found}, found ${JSON.stringify(violations)}`,
      );
    });
  }
});
