// `cooper validate` over texts in memory: what it says, on which line, and how it ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readManifestFile } from '../../src/cli/manifestFiles.ts';
import { validateFiles } from '../../src/cli/validate.ts';

async function validate(
  files: Readonly<Record<string, string>>,
  paths: readonly string[] = Object.keys(files),
): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const code = await validateFiles(paths, {
    readText: async (path) => {
      const text = files[path];
      if (text === undefined) throw new Error('no such file');
      return text;
    },
    listFolder: async (path) =>
      path.endsWith('/') ? Object.keys(files).filter((name) => name.startsWith(path)) : null,
    writeLine: (line) => lines.push(line),
  });
  return { code, lines };
}

const GOOD = `apiVersion: karpenter.sh/v1alpha5
kind: Provisioner
metadata:
  name: good
spec:
  providerRef:
    name: general
`;

const BAD = `# a comment
apiVersion: karpenter.sh/v1alpha5
kind: Provisioner
metadata:
  name: bad
spec:
  ttlSecondsAfterEmtpy: 30
  labels:
    kubernetes.io/mine: x
  requirements:
    - key: karpenter.sh/capacity-type
      operator: In
      values: []
  provider:
    securityGroupSelector: {team: a}
    subnetSelector: {team: a}
`;

const POD = 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n';

test('a good object is ok, and others are skipped', async () => {
  assert.deepEqual(await validate({ 'a.yaml': `${GOOD}---\n${POD}` }), {
    code: 0,
    lines: [
      'a.yaml:1: Provisioner "good" ok',
      'a.yaml:9: Pod "web" skipped: not one of Provisioner, AWSNodeTemplate, NodeClaim',
      '1 ok, 0 with problems, 1 skipped',
    ],
  });
});

test('each problem has the line of its field', async () => {
  const { code, lines } = await validate({ 'b.yaml': `${GOOD}---\n${BAD}` });
  assert.equal(code, 1);
  assert.deepEqual(lines, [
    'b.yaml:1: Provisioner "good" ok',
    `b.yaml:17: Provisioner "bad": spec.labels['kubernetes.io/mine'] has a key that is in a domain that ` +
      'Kubernetes or Cooper sets labels in; use a well-known label or one of your own, such as example.com/team',
    'b.yaml:21: Provisioner "bad": spec.requirements[0].values is empty, but In needs a value; ' +
      'list at least one value',
    'b.yaml:15: Provisioner "bad": spec.ttlSecondsAfterEmtpy is no known field; ' +
      'write ttlSecondsAfterEmpty, or remove it',
    '1 ok, 1 with problems, 0 skipped',
  ]);
});

test('a missing field has the line of what should hold it', async () => {
  const text = GOOD.replace('    name: general', '    kind: AWSNodeTemplate');
  const { lines } = await validate({ 'c.yaml': text });
  assert.equal(
    lines[0],
    'c.yaml:6: Provisioner "good": spec.providerRef.name is missing; set it: name of the AWSNodeTemplate',
  );
});

test('JSON, lists, folders and standard input', async () => {
  const item = {
    apiVersion: 'karpenter.k8s.aws/v1alpha1',
    kind: 'AWSNodeTemplate',
    metadata: { name: 'general' },
    spec: { subnetSelector: { team: 'a' }, securityGroupSelector: { team: 'a' }, amiFamily: 'AL3' },
  };
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [item] }, null, 1);
  const { code, lines } = await validate({ 'in/x.json': list, '-': GOOD }, ['in/', '-']);
  assert.equal(code, 1);
  assert.match(
    lines[0] ?? '',
    /^in\/x\.json:18: AWSNodeTemplate "general": spec\.amiFamily is "AL3"; write one of/,
  );
  assert.equal(lines[1], '-:1: Provisioner "good" ok');
});

test('a wrong version of our kinds is a problem, the same kind of others is skipped', async () => {
  const old = await validate({ 'a.yaml': GOOD.replace('v1alpha5', 'v1alpha4') });
  assert.match(
    old.lines[0] ?? '',
    /apiVersion is not karpenter\.sh\/v1alpha5; write karpenter\.sh\/v1alpha5/,
  );
  const other = await validate({ 'a.yaml': GOOD.replace('karpenter.sh/v1alpha5', 'example.com/v1') });
  assert.match(other.lines[0] ?? '', /skipped/);
});

test('bad YAML is a problem with its line, and the other documents are still checked', async () => {
  const { code, lines } = await validate({ 'a.yaml': `a: [\n---\n${GOOD}` });
  assert.equal(code, 1);
  assert.match(lines[0] ?? '', /^a\.yaml:\d+: is no YAML \(/);
});

test('a file that is not there is a wrong call, and the others are still checked', async () => {
  const { code, lines } = await validate({ 'a.yaml': GOOD }, ['nope.yaml', 'a.yaml']);
  assert.equal(code, 2);
  assert.match(lines[0] ?? '', /^nope\.yaml: cannot be read \(no such file\)/);
  assert.equal(lines[1], 'a.yaml:1: Provisioner "good" ok');
  assert.equal((await validate({}, [])).code, 2);
});

test('any text is read without an exception', async () => {
  const pieces = fc.constantFrom(
    'a: ',
    '- ',
    '*x',
    '&x ',
    '---\n',
    '\n',
    '{',
    '}',
    '[',
    '<<: *x',
    '!!map ',
    GOOD,
  );
  const yamlLike = fc.array(fc.oneof(pieces, fc.string()), { maxLength: 12 }).map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(yamlLike, async (text) => {
      for (const { lineOf } of readManifestFile(text).manifests) assert.ok(lineOf(['spec', 0]) >= 0);
      assert.notEqual((await validate({ 'a.yaml': text })).code, 2);
    }),
    { numRuns: 500 },
  );
});
