import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notInitializedBecause, registrationPatch } from '../../src/controllers/registration.ts';
import { LABEL, TERMINATION_FINALIZER } from '../../src/model/labels.ts';
import type { Node } from '../../src/model/node.ts';
import type { Taint } from '../../src/model/taint.ts';
import { aNode, aNodeClaim } from '../builders.ts';

const STARTUP: Taint = { key: 'cni', value: '', effect: 'NoExecute' };
const CLAIM = aNodeClaim();
const WITH_STARTUP = aNodeClaim({ spec: { ...CLAIM.spec, startupTaints: [STARTUP] } });
const WITH_GPU = aNodeClaim({ spec: { ...CLAIM.spec, requests: { cpu: 100, 'nvidia.com/gpu': 1 } } });

function aBootTaint(key: string): Taint {
  return { key, value: '', effect: 'NoSchedule' };
}

const cases: readonly { when: string; claim?: typeof CLAIM; node: Partial<Node>; because: RegExp | null }[] =
  [
    { when: 'Ready and clean', node: {}, because: null },
    {
      when: 'not Ready',
      node: { conditions: [{ type: 'Ready', status: 'False', sinceMs: 0 }] },
      because: /not Ready/,
    },
    { when: 'without conditions', node: { conditions: [] }, because: /not Ready/ },
    {
      when: 'its startup taint is on',
      claim: WITH_STARTUP,
      node: { taints: [STARTUP] },
      because: /startup taint cni/,
    },
    { when: 'its startup taint is off', claim: WITH_STARTUP, node: {}, because: null },
    {
      when: 'unregistered',
      node: { taints: [aBootTaint('karpenter.sh/unregistered')] },
      because: /unregistered/,
    },
    {
      when: 'tainted not-ready',
      node: { taints: [aBootTaint('node.kubernetes.io/not-ready')] },
      because: /not-ready/,
    },
    { when: 'a planned GPU is not reported', claim: WITH_GPU, node: {}, because: /nvidia.com\/gpu/ },
    {
      when: 'a planned GPU is reported',
      claim: WITH_GPU,
      node: { allocatable: { 'nvidia.com/gpu': 1 } },
      because: null,
    },
  ];

for (const { when, claim, node, because } of cases) {
  test(`initialized: ${when}`, () => {
    const reason = notInitializedBecause(claim ?? CLAIM, aNode(node));
    if (because === null) assert.equal(reason, null);
    else assert.match(reason ?? '', because);
  });
}

test('registering writes labels and finalizer, puts missing taints on and takes the boot taint off', () => {
  const taint: Taint = { key: 'team', value: 'web', effect: 'NoSchedule' };
  const claim = aNodeClaim({ spec: { ...WITH_STARTUP.spec, taints: [taint], labels: { team: 'web' } } });
  const patch = registrationPatch(claim, aNode(), { size: 'large', team: 'x' });
  assert.deepEqual(patch.labels, {
    size: 'large',
    team: 'web',
    [LABEL.provisioner]: 'default',
    [LABEL.registered]: 'true',
  });
  assert.deepEqual(patch.addTaints, [taint]);
  assert.deepEqual(patch.removeTaints, [{ key: 'karpenter.sh/unregistered', effect: 'NoExecute' }]);
  assert.equal(patch.addFinalizer, TERMINATION_FINALIZER);
});

test('a startup taint that its daemon took off before the registration is not put back', () => {
  assert.deepEqual(registrationPatch(WITH_STARTUP, aNode(), {}).addTaints, []);
});
