// What an event shows of a console: the lines that tell most, and nothing that is secret.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { consoleExcerpt } from '../../src/aws/consoleExcerpt.ts';
import { aWorld } from './account.ts';

const BOOT = [
  '[    0.000000] Linux version 6.1.112 (mockbuild@host) (gcc 11.4.1) #1 SMP',
  '[    1.203040] systemd[1]: Mounting /sys/fs/cgroup...',
  '\u001b[0;1;31mFailed\u001b[0m to start nodeadm-config.service - EKS Nodeadm Config.',
  '\u001b[0;1;31mFailed\u001b[0m to start nodeadm-config.service - EKS Nodeadm Config.',
  'cloud-init[1802]: ++ aws ecr get-login-password --region eu-west-1',
  'ci-info: | eth0 | True | 10.0.1.17 | 255.255.255.0 |',
  '-----BEGIN SSH HOST KEY KEYS-----',
  'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI root@ip-10-0-1-17',
  '-----END SSH HOST KEY KEYS-----',
  ...Array.from({ length: 40 }, (_, index) => `[   ${index}.000] eth0: state ${index}`),
  '',
  'ip-10-0-1-17 login: ',
].join('\r\n');

describe('the excerpt of a console', () => {
  it('shows the lines that tell most, once each and in their order', () => {
    const lines = consoleExcerpt(BOOT, 200);
    assert.equal(lines[0], 'Failed to start nodeadm-config.service - EKS Nodeadm Config.');
    assert.equal(lines.at(-1), 'eth0: state 39');
    assert.equal(lines.filter((line) => line.startsWith('Failed')).length, 1);
    assert.ok(lines.join('').length <= 200);
  });

  it('hides traces, key blocks and login prompts', () => {
    const text = consoleExcerpt(BOOT, 10_000).join('\n');
    for (const hidden of ['get-login-password', 'ecdsa', 'BEGIN', 'login', 'ci-info'])
      assert.ok(!text.includes(hidden), hidden);
  });

  const SECRETS: readonly (readonly [line: string, secret: string])[] = [
    ['DB_PASSWORD=hunter2 exported', 'hunter2'],
    ['login failed: password: "two words"', 'two words'],
    ['curl: failed with Authorization: Bearer abc.def', 'abc.def'],
    ['error: token="s3cr3t"', 's3cr3t'],
    ['joining with --bootstrap-token abcdef.0123', 'abcdef.0123'],
    ['aws_secret_access_key = wJalrXUtnFEMI', 'wJalrXUtnFEMI'],
    ['failed as AKIAIOSFODNN7EXAMPLE', 'IOSFODNN7EXAMPLE'],
    ['error: jwt eyJhbGciOi.eyJzdWIi.c2ln refused', 'eyJzdWIi'],
    ['cannot pull https://user:pass@example.com/x', 'user:pass'],
    ['GET https://bucket.example.com/key?X-Amz-Signature=12ab failed', '12ab'],
    ['failed: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM5', 'LS0tLS1CRUdJ'],
  ];
  for (const [line, secret] of SECRETS) {
    it(`hides ${secret}`, () => {
      const [shown = ''] = consoleExcerpt(line, 600);
      assert.ok(shown.includes('[hidden]') && !shown.includes(secret), shown);
    });
  }

  const HARMLESS = [
    'nodeadm: Unauthorized: cannot get token from https://sts.eu-west-1.amazonaws.com/',
    'error: InvalidInstanceProfileArnException: arn:aws:iam::123456789012:role/KarpenterNodeRole-chris',
    'Failed to start amazon-eks-node-al2023-x86_64-standard.service',
  ];
  for (const line of HARMLESS) {
    it(`shows ${line}`, () => assert.deepEqual(consoleExcerpt(line, 600), [line]));
  }

  it('cuts what has no end, and is nothing of nothing', () => {
    assert.deepEqual(consoleExcerpt('', 600), []);
    const [line = ''] = consoleExcerpt('x '.repeat(30_000), 600);
    assert.equal(line.length, 200);
  });
});

describe('the console of an instance', () => {
  const provider = () => {
    const world = aWorld();
    const tail = (id: string) => world.cloud.consoleTail(`aws:///us-east-1a/${id}`);
    return { ...world, tail };
  };

  it('says why there is nothing: unknown, refused, empty', async () => {
    const { ec2, tail } = provider();
    const unknown = await tail('i-0');
    assert.ok(unknown.kind === 'none' && /InvalidInstanceID.NotFound/.test(unknown.because));
    ec2.order({ action: 'getConsoleOutput', when: 'before', code: 'UnauthorizedOperation' });
    const refused = await tail('i-0');
    assert.ok(refused.kind === 'none' && /policy lacks .*ec2:GetConsoleOutput/.test(refused.because));
  });
});
