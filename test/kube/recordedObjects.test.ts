// What recordings keep: every field that decides, and nothing that may hold a secret.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AWS_NODE_TEMPLATE } from '../../src/api/schemas/awsNodeTemplate.ts';
import { NODE_CLAIM } from '../../src/api/schemas/nodeClaim.ts';
import { PROVISIONER } from '../../src/api/schemas/provisioner.ts';
import { recordedObject } from '../../src/kube/recordedObjects.ts';

/** What a recording leaves out on purpose: it may hold anything, and changes neither prices nor decisions. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  Provisioner: ['annotations'],
  AWSNodeTemplate: ['capacityReservationSelector', 'context', 'tags', 'userData'],
  NodeClaim: ['annotations'],
};

for (const { kind, spec, status } of [PROVISIONER, AWS_NODE_TEMPLATE, NODE_CLAIM]) {
  test(`${kind}: each field of its schema is kept, or left out on purpose`, () => {
    const fields = (schema: { readonly properties?: object }) => Object.keys(schema.properties ?? {});
    const filled = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, {}]));
    const object = { metadata: { name: 'one' }, spec: filled(fields(spec)), status: filled(fields(status)) };
    const kept = recordedObject(kind, 'v1', object);
    const lost = fields(spec).filter((name) => !(name in (kept.spec as object)));
    assert.deepEqual(lost.sort(), LEFT_OUT[kind]);
    // The status of what users write says what Cooper has found: that of a NodeClaim is what it decides by.
    if (kind === 'NodeClaim')
      assert.deepEqual(Object.keys(kept.status as object).sort(), fields(status).sort());
  });
}

const ANNOTATIONS: readonly { readonly name: string; readonly value: string; readonly isKept: boolean }[] = [
  { name: 'karpenter.sh/do-not-evict', value: 'true', isKept: true },
  { name: 'karpenter.sh/do-not-disrupt', value: '4h', isKept: true },
  { name: 'karpenter.sh/do-not-disrupt', value: '1h30m', isKept: true },
  { name: 'karpenter.sh/do-not-disrupt', value: 'hunter2', isKept: false },
  { name: 'karpenter.sh/emptiness-timestamp', value: '2026-03-02T10:00:00Z', isKept: true },
  { name: 'karpenter.sh/emptiness-timestamp', value: '2026-03-02T10:00:00.123Z', isKept: true },
  { name: 'karpenter.sh/emptiness-timestamp', value: '2026-03-02T10:00:00Z hunter2', isKept: false },
  { name: 'cooper.sh/replaces', value: 'default-a,default-b', isKept: true },
  { name: 'note', value: 'true', isKept: false },
];
for (const { name, value, isKept } of ANNOTATIONS) {
  test(`the annotation ${name}: ${value} is ${isKept ? 'kept' : 'dropped'}`, () => {
    const object = { metadata: { name: 'one', annotations: { [name]: value } } };
    const { metadata } = recordedObject('NodeClaim', 'v1', object) as {
      readonly metadata: { readonly annotations?: unknown };
    };
    assert.deepEqual(metadata.annotations, isKept ? { [name]: value } : undefined);
  });
}
