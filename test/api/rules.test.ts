// The rules of the schemas, over one broken and one mended manifest each.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNodeClaim } from '../../src/api/nodeClaims.ts';
import { parseAwsNodeTemplate } from '../../src/api/nodeClasses.ts';
import type { Parsed } from '../../src/api/parsed.ts';
import { parseProvisioner } from '../../src/api/provisioners.ts';
import { RESOURCES } from '../../src/api/schemas/resources.ts';
import { ruleMessage, type Schema } from '../../src/api/schemas/schema.ts';
import { RULE_EXAMPLES } from './ruleExamples.ts';

const PARSERS: Readonly<Record<string, (manifest: unknown) => Parsed<unknown>>> = {
  Provisioner: parseProvisioner,
  AWSNodeTemplate: parseAwsNodeTemplate,
  NodeClaim: parseNodeClaim,
};

function parse(manifest: Record<string, unknown>): Parsed<unknown> {
  const parser = PARSERS[String(manifest.kind)];
  assert.ok(parser);
  return parser(manifest);
}

for (const { field, message, bad, good } of RULE_EXAMPLES) {
  test(`${String(bad.kind)} ${field} ${message}`, () => {
    const parsed = parse(bad);
    assert.equal(parsed.kind, 'invalid');
    const found = parsed.problems.map((problem) => [problem.field, `${problem.problem}; ${problem.mend}`]);
    assert.deepEqual(found, [[field, message]]);
    assert.equal(parse(good).kind, 'valid');
  });
}

function messagesOf(schema: Schema): readonly string[] {
  const below =
    schema.type === 'object'
      ? Object.values(schema.properties ?? {})
      : schema.type === 'map'
        ? [schema.values]
        : schema.type === 'list'
          ? [schema.items]
          : [];
  return [...(schema.rules ?? []).map(ruleMessage), ...below.flatMap(messagesOf)];
}

test('every rule has an example, but for the one that compares with the old object', () => {
  const all = new Set(RESOURCES.flatMap(({ spec, status }) => [...messagesOf(spec), ...messagesOf(status)]));
  const shown = new Set(RULE_EXAMPLES.map(({ message }) => message));
  const immutable = 'was changed after creation; leave it: delete the NodeClaim to get another node';
  assert.deepEqual([...all.difference(shown)], [immutable]);
});
