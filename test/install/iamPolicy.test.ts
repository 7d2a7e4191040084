// The evaluator of policies answers as IAM documents it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAllowed, matchesPattern, type Statement } from './harness/iamPolicy.ts';

const END_OWN: Statement = {
  Effect: 'Allow',
  Action: ['ec2:TerminateInstances'],
  Resource: 'arn:aws:ec2:us-east-1:*:instance/*',
  Condition: { StringEquals: { 'aws:ResourceTag/cluster': 'mine' } },
};
const REQUEST = {
  action: 'ec2:TerminateInstances',
  resource: 'arn:aws:ec2:us-east-1:1:instance/i-1',
  context: { 'aws:ResourceTag/cluster': 'mine' },
};
const FORBID: Statement = { ...END_OWN, Effect: 'Deny' };

const CASES: readonly {
  readonly when: string;
  readonly statements: readonly Statement[];
  readonly request?: Partial<typeof REQUEST>;
  readonly allowed: boolean;
}[] = [
  { when: 'all of it matches', statements: [END_OWN], allowed: true },
  { when: 'nothing is said', statements: [], allowed: false },
  { when: 'another action', statements: [END_OWN], request: { action: 'ec2:StopInstances' }, allowed: false },
  {
    when: 'the action in other letters',
    statements: [{ ...END_OWN, Action: 'EC2:terminate*' }],
    allowed: true,
  },
  {
    when: 'another kind of resource',
    statements: [END_OWN],
    request: { resource: 'arn:aws:ec2:us-east-1:1:volume/v' },
    allowed: false,
  },
  {
    when: 'another region',
    statements: [END_OWN],
    request: { resource: 'arn:aws:ec2:eu-west-1:1:instance/i' },
    allowed: false,
  },
  {
    when: 'a foreign tag',
    statements: [END_OWN],
    request: { context: { 'aws:ResourceTag/cluster': 'theirs' } },
    allowed: false,
  },
  {
    when: 'no tag',
    statements: [END_OWN],
    request: { context: {} as typeof REQUEST.context },
    allowed: false,
  },
  { when: 'it is allowed and forbidden', statements: [END_OWN, FORBID], allowed: false },
  {
    when: 'one of two conditions fails',
    statements: [
      { ...END_OWN, Condition: { ...END_OWN.Condition, StringLike: { 'aws:ResourceTag/other': '*' } } },
    ],
    allowed: false,
  },
];

for (const { when, statements, request = {}, allowed } of CASES) {
  test(`${when}: ${allowed ? 'allowed' : 'refused'}`, () => {
    assert.equal(isAllowed([{ Statement: statements }], { ...REQUEST, ...request }), allowed);
  });
}

test('an operator that is not known is no quiet yes or no', () => {
  const odd = { ...END_OWN, Condition: { NumericLessThan: { x: '1' } } };
  assert.throws(() => isAllowed([{ Statement: [odd] }], REQUEST), /does not know the operator/);
});

test('patterns: a star is any text, a dot is a dot', () => {
  assert.ok(matchesPattern('a*c?', 'abbbcd'));
  assert.ok(!matchesPattern('a.c', 'abc'));
});
