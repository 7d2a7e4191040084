// The checker has nothing to say of plans that may be carried out.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import { podKey } from '../../src/model/pod.ts';
import {
  aBoundPod,
  aNode,
  aNodeClaim,
  anOwnedNode,
  aPod,
  aProvisioner,
  aSnapshot,
  somePods,
} from '../builders.ts';

import {
  aCase,
  apart,
  type Case,
  check,
  evenly,
  gpu,
  inA,
  inB,
  labels,
  limited,
  nominated,
  nomination,
  on,
  onDemand,
  one,
  open,
  perNode,
  planned,
  planOf,
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

const loner = [
  aPod({
    name: 'loner',
    labels,
    spec: { podAffinity: [term(LABEL.hostname)], podAntiAffinity: [term(LABEL.hostname)] },
  }),
];

/** Equal to the last label, and apart by namespace alone. */
const [TWIN] = somePods(1, { name: 'twin', labels, spec: { podAntiAffinity: [term(LABEL.hostname)] } });
const TWINS = TWIN === undefined ? [] : [TWIN, { ...TWIN, namespace: 'other' }];

const valid: { readonly when: string; readonly plan: Case }[] = [
  { when: 'two pods on one node', plan: aCase() },
  {
    when: 'replicas that keep apart within their namespaces',
    plan: aCase({ pods: TWINS, plan: planOf([planned(TWINS)]) }),
  },
  {
    when: 'refused pods',
    plan: aCase({
      plan: planOf([], {
        refusals: TWO.map((pod) => ({
          pod: podKey(pod),
          code: 'NoCapacity',
          provisioner: '',
          reason: '',
          nearest: '',
        })),
      }),
    }),
  },
  {
    when: 'pods on a node with room',
    plan: nomination(on({}, [aBoundPod('a', { name: 'b', cpuMillis: 1800 })])),
  },
  {
    when: 'a node overfull with what the pods do not ask for',
    plan: nomination(on({}, [aBoundPod('a', { name: 'b', requests: { 'example.com/fpga': 1 } })])),
  },
  {
    when: 'a node that boots, with its startup taints',
    plan: nomination({
      ...on({
        providerId: 'i',
        labels: { [LABEL.initialized]: '' },
        taints: [gpu, { key: 'node.kubernetes.io/not-ready', value: '', effect: 'NoSchedule' }],
      }),
      nodeClaims: [
        aNodeClaim({
          spec: { ...aNodeClaim().spec, startupTaints: [gpu] },
          status: { ...aNodeClaim().status, providerId: 'i', nodeName: 'a' },
        }),
      ],
    }),
  },
  {
    when: 'a claim in flight',
    plan: aCase({
      snapshot: aSnapshot({ nodeClaims: [aNodeClaim({ name: 'c' })] }),
      plan: nominated(TWO, 'c', 'nodeClaim'),
    }),
  },
  { when: 'a limit met exactly', plan: aCase({ snapshot: limited({ cpu: 4000, nodes: 1 }) }) },
  { when: 'anti-affine pods in two zones', plan: aCase({ pods: zonal, plan: apart(zonal, [inA, inB]) }) },
  {
    when: 'anti-affinity among bound pods alone',
    plan: nomination({
      ...runningWeb,
      pods: [1, 2].map((n) =>
        aBoundPod('a', { name: `w${n}`, labels, spec: { podAntiAffinity: [term(LABEL.hostname)] } }),
      ),
    }),
  },
  {
    when: 'self-affine pods on one node with an open zone',
    plan: aCase({ pods: together, plan: planOf([planned(together, {}, open)]) }),
  },
  {
    when: 'self-affine pods on two nodes of a zone',
    plan: aCase({ pods: together, plan: apart(together, [inA, inA]) }),
  },
  {
    when: 'spread over two zones, the third without nodes',
    plan: aCase({ pods: evenly, plan: apart(evenly, [inA, inA, inB, inB]) }),
  },
  { when: 'spread one to a node', plan: aCase({ pods: perNode, plan: apart(perNode, [inA, inA, inA]) }) },
  {
    when: 'spread that only wishes',
    plan: aCase({
      pods: web(3, { topologySpread: [spread(LABEL.hostname, { whenUnsatisfiable: 'ScheduleAnyway' })] }),
    }),
  },
  {
    when: 'counted pods without rules that come last',
    plan: aCase({
      pods: [...evenly.slice(0, 2), ...somePods(3, { labels })],
      plan: planOf([
        planned([...evenly.slice(0, 1), ...somePods(3, { labels })]),
        planned(evenly.slice(1, 2), { zone: 'us-east-1b' }, { requirements: [inB, onDemand] }),
      ]),
    }),
  },
  {
    when: 'a custom label that the Provisioner lets pods choose',
    plan: aCase({
      snapshot: aSnapshot({
        provisioners: [aProvisioner({ requirements: [{ key: 'team', operator: 'Exists', values: [] }] })],
      }),
      pods: one({ spec: { nodeSelector: { team: 'a' } } }),
      plan: planOf([planned([aPod()], {}, { labels: { team: 'a' } })]),
    }),
  },
  {
    when: 'the volume in the zone of the node',
    plan: aCase({
      pods: one({ spec: withVolume }),
      snapshot: aSnapshot({ persistentVolumeClaims: [ssd], persistentVolumes: [volumeIn('us-east-1a')] }),
    }),
  },
  {
    when: 'a request of nothing on a node overfull with it',
    plan: nomination(
      on({}, [aBoundPod('a', { name: 'b', requests: { 'example.com/fpga': 1 } })]),
      one({ requests: { 'example.com/fpga': 0 } }),
    ),
  },
  {
    when: 'spread beside a pod that is on its way out',
    plan: aCase({
      pods: evenly.slice(0, 1),
      snapshot: aSnapshot({
        nodes: [anOwnedNode({ name: 'a' }), aNode({ name: 'b', labels: { [LABEL.zone]: 'us-east-1b' } })],
        pods: [aBoundPod('a', { name: 'w', labels, deletionRequestedAtMs: 1 })],
      }),
      plan: nominated(evenly.slice(0, 1), 'a'),
    }),
  },
  {
    when: 'spread past a zone whose only node is tainted, when taints are honoured',
    plan: aCase({
      pods: spreadInA({ nodeTaintsPolicy: 'Honor' }, {}),
      snapshot: aSnapshot({ nodes: [aNode({ labels: { [LABEL.zone]: 'us-east-1c' }, taints: [gpu] })] }),
      plan: apart(spreadInA({}, {}), [inA, inA]),
    }),
  },
  {
    when: 'spread past a zone that the pod does not select, when that is honoured',
    plan: aCase({
      pods: spreadInA({}, { nodeSelector: { [LABEL.zone]: 'us-east-1a' } }),
      snapshot: aSnapshot({ nodes: [aNode({ labels: { [LABEL.zone]: 'us-east-1c' } })] }),
      plan: apart(spreadInA({}, {}), [inA, inA]),
    }),
  },
  {
    when: 'a self-affine pod that keeps off its like, as long as it comes first',
    plan: aCase({
      pods: [...evenly.slice(0, 1), ...loner],
      plan: apart([...evenly.slice(0, 1), ...loner], [inA, inB]),
    }),
  },
];

describe('checkPlan, valid plans', () => {
  for (const { when, plan } of valid) {
    it(`accepts ${when}`, () => assert.deepEqual(check(plan), []));
  }
});
