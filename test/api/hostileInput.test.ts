// Whatever JSON comes: no parser throws, and no key reaches a prototype.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unknownManifestFields } from '../../src/api/manifest.ts';
import { parseNodeClaim } from '../../src/api/nodeClaims.ts';
import { parseAwsNodeTemplate } from '../../src/api/nodeClasses.ts';
import { describeProblem } from '../../src/api/parsed.ts';
import { parseProvisioner } from '../../src/api/provisioners.ts';
import { NODE_CLAIM } from '../../src/api/schemas/nodeClaim.ts';
import { PROVISIONER } from '../../src/api/schemas/provisioner.ts';
import {
  AWS_SPEC,
  claimManifest,
  inlineManifest,
  provisionerManifest,
  templateManifest,
} from './manifests.ts';

const PARSERS = [parseProvisioner, parseAwsNodeTemplate, parseNodeClaim];

function parseWithAll(json: unknown): void {
  for (const parse of PARSERS) {
    const parsed = parse(json);
    if (parsed.kind === 'valid') continue;
    assert.ok(parsed.problems.length > 0);
    for (const problem of parsed.problems) assert.equal(typeof describeProblem(problem), 'string');
  }
  unknownManifestFields(PROVISIONER, json);
  unknownManifestFields(NODE_CLAIM, json);
}

test('any JSON is answered', () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 5 }), parseWithAll));
});

/** Real manifests with one field, anywhere, replaced by any JSON. */
const VALID = [
  provisionerManifest({
    labels: { a: 'b' },
    taints: [{ key: 'a', effect: 'NoSchedule' }],
    requirements: [{ key: 'a', operator: 'In', values: ['b'] }],
    kubeletConfiguration: { evictionHard: { 'memory.available': '5%' }, kubeReserved: { cpu: 1 } },
    limits: { resources: { cpu: 1 } },
    consolidation: { enabled: true },
    disruption: { budgets: [{ nodes: '1', schedule: '@daily', duration: '1h', timeZone: 'UTC' }] },
  }),
  inlineManifest({ ...AWS_SPEC, metadataOptions: {}, tags: { a: 'b' } }),
  templateManifest({ ...AWS_SPEC, blockDeviceMappings: [{ deviceName: 'a', ebs: { volumeSize: '1Gi' } }] }),
  {
    ...claimManifest({ taints: [] }),
    status: { conditions: [{ type: 'Launched', status: 'True' }], capacity: {} },
  },
];

type Container = Record<string | number, unknown>;

function replaceNth(value: unknown, n: number, by: unknown): unknown {
  const copy = structuredClone(value);
  const slots: (readonly [Container, string])[] = [];
  const collect = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, child] of Object.entries(node)) {
      slots.push([node as Container, key]);
      collect(child);
    }
  };
  collect(copy);
  const slot = slots[n % slots.length];
  if (slot !== undefined) slot[0][slot[1]] = by;
  return copy;
}

test('any JSON in any field is answered', () => {
  const names = fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf');
  const hostile = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.dictionary(names, fc.jsonValue()), names);
  fc.assert(
    fc.property(fc.constantFrom(...VALID), fc.nat({ max: 200 }), hostile, (manifest, n, by) =>
      parseWithAll(replaceNth(manifest, n, by)),
    ),
    { numRuns: 2000 },
  );
});

for (const key of ['__proto__', 'constructor', 'prototype']) {
  test(`the key ${key} is refused wherever it stands`, () => {
    const labels = JSON.parse(`{"${key}": "x"}`) as object;
    const parsed = parseProvisioner(provisionerManifest({ labels }));
    assert.equal(parsed.kind, 'invalid');
    assert.deepEqual(parsed.problems, [
      { field: `spec.labels.${key}`, problem: 'has a key that is not safe', mend: 'rename it' },
    ]);
    assert.equal(parseProvisioner(inlineManifest({ ...AWS_SPEC, tags: labels })).kind, 'invalid');
  });
}

test('names that every object inherits are ordinary keys', () => {
  const parsed = parseProvisioner(provisionerManifest({ labels: { toString: 'x', valueOf: 'y' } }));
  assert.equal(parsed.kind, 'valid');
  const unknown = unknownManifestFields(PROVISIONER, provisionerManifest({ toString: 'x' }));
  assert.deepEqual(
    unknown.map(({ field }) => field),
    ['spec.toString'],
  );
});

test('megabytes of text in one field are refused at once', () => {
  const long = 'a'.repeat(2_000_000);
  const parsed = parseProvisioner(
    provisionerManifest({
      labels: { a: `${long}!` },
      requirements: [{ key: `${long}!`, operator: 'Exists' }],
    }),
  );
  assert.equal(parsed.kind, 'invalid');
  for (const problem of parsed.problems) assert.ok(describeProblem(problem).length < 300);
});
