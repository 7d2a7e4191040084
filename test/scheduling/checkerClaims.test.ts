// The checker finds each violation planted into the accounts, the list, the price or the limits of a valid plan.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import { podKey } from '../../src/model/pod.ts';
import {
  aNodeClaim,
  anInstanceType,
  anOwnedNode,
  aPod,
  aProvisioner,
  aSnapshot,
  somePods,
} from '../builders.ts';

import {
  aCase,
  check,
  gpu,
  inA,
  LARGE,
  limited,
  onDemand,
  planned,
  planOf,
  type Row,
  TWO,
  XLARGE,
} from './checkerCases.ts';

const ARM = somePods(2, { name: 'arm', spec: { nodeSelector: { [LABEL.arch]: 'arm64' } } });

/** Nodes of one pattern are judged together: each of these differs from a right one in what is its own. */
const alike: Row[] = [
  {
    when: 'the second of two like nodes states another price',
    plan: aCase({ plan: planOf([planned(TWO.slice(0, 1)), planned(TWO.slice(1), { usdPerHour: 0.09 })]) }),
    found: /planned node 1 states \$0.09/,
  },
  {
    when: 'the second of two like nodes has other taints',
    plan: aCase({
      plan: planOf([
        planned(TWO.slice(0, 1)),
        planned(TWO.slice(1), {}, { taints: [{ key: 'own', value: '', effect: 'NoSchedule' }] }),
      ]),
    }),
    found: /taints of planned node 1/,
  },
  {
    when: 'the second of two like nodes has a label that nobody defines',
    plan: aCase({
      plan: planOf([planned(TWO.slice(0, 1)), planned(TWO.slice(1), {}, { labels: { own: 'label' } })]),
    }),
    found: /does not define own=label/,
  },
  {
    when: 'the second of two like nodes lists a type too many',
    plan: aCase({
      plan: planOf([
        planned(TWO.slice(0, 1)),
        planned(TWO.slice(1), {}, { instanceTypes: ['m5.large', 'm5.xlarge', 'm9.huge'] }),
      ]),
    }),
    found: /planned node 1 lists m9.huge/,
  },
  {
    when: 'the second of two like nodes holds more than fits',
    plan: aCase({
      pods: [aPod({ name: 'a' }), aPod({ name: 'b', cpuMillis: 3000 })],
      plan: planOf([planned([aPod({ name: 'a' })]), planned([aPod({ name: 'b', cpuMillis: 3000 })])]),
    }),
    found: /planned node 1 as m5.large holds 2 of cpu, 3 are placed there/,
  },
  {
    when: 'neither of two like nodes has labels that their pods select',
    plan: aCase({ pods: ARM, plan: planOf([planned(ARM.slice(0, 1)), planned(ARM.slice(1))]) }),
    found: /arm-1 does not select the labels of planned node 1/,
  },
  {
    when: 'the cheapest type has room, and another one of the list has not',
    plan: aCase({
      types: [anInstanceType({ name: 'm5.large', usdPerHour: 0.3 }), { ...XLARGE }],
      pods: [aPod({ cpuMillis: 3000 })],
      plan: planOf([
        planned(
          [aPod({ cpuMillis: 3000 })],
          { instanceType: 'm5.xlarge', usdPerHour: 0.192 },
          { instanceTypes: ['m5.xlarge', 'm5.large'] },
        ),
      ]),
    }),
    found: /as m5.large holds 2 of cpu, 3 are placed there/,
  },
];

const accounting: Row[] = [
  {
    when: 'a pod is in no part of the plan',
    plan: aCase({ plan: planOf([planned(TWO.slice(1))]) }),
    found: /pod-0 is neither placed nor refused/,
  },
  {
    when: 'a pod is placed twice',
    plan: aCase({ plan: planOf([planned(TWO), planned(TWO.slice(1))]) }),
    found: /pod-1 is answered 2 times/,
  },
  {
    when: 'a pod is unknown',
    plan: aCase({ plan: planOf([planned([...TWO, aPod({ name: 'stranger' })])]) }),
    found: /stranger is none of the pods/,
  },
  {
    when: 'the pods are not sorted',
    plan: aCase({ plan: planOf([planned(TWO, { pods: TWO.map(podKey).reverse() })]) }),
    found: /not sorted/,
  },
  {
    when: 'a node is for nothing',
    plan: aCase({ plan: planOf([planned(TWO), planned([])]) }),
    found: /for no pod/,
  },
  {
    when: 'the sum is wrong',
    plan: aCase({ plan: planOf([planned(TWO)], { usdPerHour: 0.09 }) }),
    found: /its nodes cost/,
  },
  {
    when: 'the bound is above the price',
    plan: aCase({ plan: planOf([planned(TWO)], { lowerBoundUsdPerHour: 0.1 }) }),
    found: /lower bound/,
  },
  {
    when: 'the bound is negative',
    plan: aCase({ plan: planOf([planned(TWO)], { lowerBoundUsdPerHour: -1 }) }),
    found: /negative/,
  },
  {
    when: 'the bound is no number',
    plan: aCase({ plan: planOf([planned(TWO)], { lowerBoundUsdPerHour: Number.NaN }) }),
    found: /lower bound/,
  },
];

const claims: Row[] = [
  {
    when: 'the price is not that of the cheapest offering',
    plan: aCase({ plan: planOf([planned(TWO, { usdPerHour: 0.05 })]) }),
    found: /cheapest offering is/,
  },
  {
    when: 'a cheaper capacity type is allowed',
    plan: aCase({ plan: planOf([planned(TWO, {}, { requirements: [inA] })]) }),
    found: /cheapest offering is/,
  },
  {
    when: 'the surcharge of a burstable type is forgotten',
    plan: aCase({ types: [{ ...LARGE, burst: { baselineMillis: 100, usdPerVcpuHour: 0.05 } }, XLARGE] }),
    found: /cheapest offering is/,
  },
  {
    when: 'the list is not cheapest first',
    plan: aCase({ plan: planOf([planned(TWO, {}, { instanceTypes: ['m5.xlarge', 'm5.large'] })]) }),
    found: /not cheapest first/,
  },
  {
    when: 'the list is empty',
    plan: aCase({ plan: planOf([planned(TWO, {}, { instanceTypes: [] })]) }),
    found: /lists no instance type/,
  },
  {
    when: 'the list is too long',
    plan: aCase({
      types: [LARGE, ...Array.from({ length: 60 }, (_, i) => anInstanceType({ name: `m5.${i}x` }))],
      plan: planOf([
        planned(
          TWO,
          {},
          { instanceTypes: ['m5.large', ...Array.from({ length: 60 }, (_, i) => `m5.${i}x`)] },
        ),
      ]),
    }),
    found: /60 are allowed/,
  },
  {
    when: 'a type is unknown',
    plan: aCase({ plan: planOf([planned(TWO, {}, { instanceTypes: ['m5.large', 'm9.large'] })]) }),
    found: /m9.large, which "default" may not buy/,
  },
  {
    when: 'a listed type is out of stock',
    plan: aCase({
      types: [LARGE, { ...XLARGE, offerings: XLARGE.offerings.map((one) => ({ ...one, available: false })) }],
    }),
    found: /m5.xlarge, of which no allowed offering/,
  },
  {
    when: 'the requirements exclude a listed type',
    plan: aCase({
      plan: planOf([
        planned(
          TWO,
          {},
          { requirements: [inA, onDemand, { key: LABEL.instanceGpuCount, operator: 'Exists', values: [] }] },
        ),
      ]),
    }),
    found: /m5.large, which its own requirements exclude/,
  },
  {
    when: 'the stated zone is not allowed',
    plan: aCase({ plan: planOf([planned(TWO, { zone: 'us-east-1b' })]) }),
    found: /states m5.large in us-east-1b/,
  },
  {
    when: 'the Provisioner is unknown',
    plan: aCase({ plan: planOf([planned(TWO, {}, { provisioner: 'other' })]) }),
    found: /"other", which is unknown/,
  },
  {
    when: 'the Provisioner is being deleted',
    plan: aCase({ snapshot: aSnapshot({ provisioners: [aProvisioner({ deletionRequestedAtMs: 1 })] }) }),
    found: /being deleted/,
  },
  {
    when: 'the node would break a requirement of the Provisioner',
    plan: aCase({
      plan: planOf([planned(TWO, { capacityType: 'spot', usdPerHour: 0.0384 }, { requirements: [inA] })]),
    }),
    found: /breaks karpenter.sh\/capacity-type In/,
  },
  {
    when: 'the taints are left out',
    plan: aCase({
      snapshot: aSnapshot({
        provisioners: [aProvisioner({ taints: [{ ...gpu, effect: 'PreferNoSchedule' }] })],
      }),
    }),
    found: /taints of planned node 0 are not those/,
  },
  {
    when: 'a label of the Provisioner is left out',
    plan: aCase({ snapshot: aSnapshot({ provisioners: [aProvisioner({ labels: { team: 'a' } })] }) }),
    found: /lacks label team/,
  },
  {
    when: 'a label is made up',
    plan: aCase({ plan: planOf([planned(TWO, {}, { labels: { team: 'a' } })]) }),
    found: /does not define team=a/,
  },
  {
    when: 'minValues are not kept',
    plan: aCase({
      snapshot: aSnapshot({
        provisioners: [
          aProvisioner({
            requirements: [{ key: LABEL.instanceType, operator: 'Exists', values: [], minValues: 3 }],
          }),
        ],
      }),
    }),
    found: /leaves 2 values of .*wants 3/,
  },
  {
    when: 'minValues of zones are not kept by what the types are sold in',
    plan: aCase({
      types: [LARGE, XLARGE].map((type) => ({
        ...type,
        offerings: type.offerings.filter(({ zone }) => zone === 'us-east-1a'),
      })),
      snapshot: aSnapshot({
        provisioners: [
          aProvisioner({
            requirements: [{ key: LABEL.zone, operator: 'Exists', values: [], minValues: 2 }],
          }),
        ],
      }),
    }),
    found: /leaves 1 values of topology.kubernetes.io\/zone, .*wants 2/,
  },
  {
    when: 'the requests are understated',
    plan: aCase({ plan: planOf([planned(TWO, {}, { requests: { cpu: 100 } })]) }),
    found: /requests less cpu/,
  },
  {
    when: 'a limit is exceeded by the largest listed type',
    plan: aCase({ snapshot: limited({ cpu: 3000 }) }),
    found: /may have 3000 of cpu, the plan makes it 4000/,
  },
  {
    when: 'a limit is exceeded with the nodes there are',
    plan: aCase({ snapshot: { ...limited({ cpu: 5000 }), nodes: [anOwnedNode()] } }),
    found: /the plan makes it 6000/,
  },
  {
    when: 'a limit is exceeded with a launch in flight',
    plan: aCase({ snapshot: { ...limited({ nodes: 1 }), nodeClaims: [aNodeClaim()] } }),
    found: /may have 1 of nodes, the plan makes it 2/,
  },
  {
    when: 'the hourly price limit is exceeded',
    plan: aCase({ snapshot: limited({ usdPerHour: 0.05 }) }),
    found: /of usdPerHour/,
  },
];

describe('checkPlan, the claim itself', () => {
  for (const { when, plan, found } of [...accounting, ...alike, ...claims]) {
    it(`objects when ${when}`, () => {
      const violations = check(plan);
      assert.ok(
        violations.some((violation) => found.test(violation)),
        `expected ${found}, found ${JSON.stringify(violations)}`,
      );
    });
  }
});
