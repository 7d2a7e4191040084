// User data by image family against golden files, merged with the user's own, and refused when it cannot work.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { bootFacts, kubeletLabels } from '../../src/aws/bootFacts.ts';
import { readMime, writeMime } from '../../src/aws/mime.ts';
import { shellQuoted, userData } from '../../src/aws/userData.ts';
import { powerShellQuoted } from '../../src/aws/windows.ts';
import type { NodeClaimSpec } from '../../src/model/nodeClaim.ts';
import type { NodeClass } from '../../src/model/nodeClass.ts';
import { aNodeClaim, aNodeClass } from '../builders.ts';
import { SETTINGS } from './account.ts';

const FULL_SPEC: NodeClaimSpec = {
  ...aNodeClaim().spec,
  labels: { team: 'blue', 'example.com/tier': 'web', 'topology.kubernetes.io/zone': 'us-east-1a' },
  taints: [
    { key: 'dedicated', value: 'web', effect: 'NoSchedule' },
    { key: 'dedicated', value: 'web', effect: 'NoExecute' },
  ],
  startupTaints: [{ key: 'cilium.io/agent-not-ready', value: '', effect: 'NoSchedule' }],
  kubelet: {
    clusterDns: ['10.100.0.10'],
    maxPods: 42,
    podsPerCore: 8,
    systemReserved: { cpu: '100m', memory: '100Mi' },
    kubeReserved: { cpu: '200m' },
    evictionHard: { 'memory.available': '5%' },
    evictionSoft: { 'memory.available': '500Mi' },
    evictionSoftGracePeriod: { 'memory.available': '1m' },
    evictionMaxPodGracePeriod: 60,
    imageGcHighThresholdPercent: 85,
    imageGcLowThresholdPercent: 80,
    cpuCfsQuota: true,
  },
};

const USER_MIME = `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="BOUNDARY"

--BOUNDARY
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
echo one

--BOUNDARY
Content-Type: application/node.eks.aws

apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  kubelet:
    config:
      shutdownGracePeriod: 30s

--BOUNDARY--
`;

/** As much of a NodeConfig as is looked at. */
interface OwnConfig {
  readonly spec: { readonly kubelet: { readonly config: Readonly<Record<string, unknown>> } };
}

const USER_TOML = `[settings.host-containers.admin]
enabled = true

[settings.kubernetes]
cluster-name = "theirs"
allowed-unsafe-sysctls = ["net.core.*"]

[settings.kubernetes.node-labels]
"example.com/own" = "yes"
`;

function written(nodeClass: NodeClass, spec = aNodeClaim().spec, maxPods: number | null = null): string {
  const boot = bootFacts(spec, SETTINGS, { capacityType: 'on-demand', maxPods });
  const outcome = userData(nodeClass, boot);
  return outcome.kind === 'found' ? outcome.value : assert.fail(outcome.message);
}

const USER_NODE_CONFIG = `apiVersion: node.eks.aws/v1alpha1
kind: NodeConfig
spec:
  kubelet:
    config:
      shutdownGracePeriod: 30s
`;

const FULL_LINUX = { spec: FULL_SPEC, maxPods: 42 };
const SCRIPT = '#!/bin/bash\necho hello\n';
const POWERSHELL = '<powershell>\nWrite-Output "hello"\n</powershell>\n';

const GOLDEN: readonly { readonly file: string; readonly text: () => string }[] = [
  { file: 'al2023-plain.txt', text: () => written(aNodeClass()) },
  { file: 'al2023-full.txt', text: () => written(aNodeClass(), FULL_SPEC, 42) },
  { file: 'al2023-script.txt', text: () => written(aNodeClass({ userData: '#!/bin/bash\necho hello\n' })) },
  { file: 'al2023-mime.txt', text: () => written(aNodeClass({ userData: USER_MIME })) },
  { file: 'bottlerocket-plain.toml', text: () => written(aNodeClass({ amiFamily: 'Bottlerocket' })) },
  {
    file: 'bottlerocket-full.toml',
    text: () => written(aNodeClass({ amiFamily: 'Bottlerocket', userData: USER_TOML }), FULL_SPEC, 42),
  },
  { file: 'al2023-node-config.txt', text: () => written(aNodeClass({ userData: USER_NODE_CONFIG })) },
  { file: 'al2023-raid0.txt', text: () => written(aNodeClass({ instanceStorePolicy: 'RAID0' })) },
  {
    file: 'bottlerocket-raid0.toml',
    text: () => written(aNodeClass({ amiFamily: 'Bottlerocket', instanceStorePolicy: 'RAID0' })),
  },
  { file: 'ubuntu-plain.txt', text: () => written(aNodeClass({ amiFamily: 'Ubuntu' })) },
  {
    file: 'ubuntu-full.txt',
    text: () =>
      written(aNodeClass({ amiFamily: 'Ubuntu', userData: SCRIPT }), FULL_LINUX.spec, FULL_LINUX.maxPods),
  },
  { file: 'windows2022-plain.txt', text: () => written(aNodeClass({ amiFamily: 'Windows2022' })) },
  {
    file: 'windows2025-full.txt',
    text: () =>
      written(aNodeClass({ amiFamily: 'Windows2025', userData: POWERSHELL }), FULL_SPEC, FULL_LINUX.maxPods),
  },
  { file: 'custom.txt', text: () => written(aNodeClass({ amiFamily: 'Custom', userData: 'as it is\n' })) },
  { file: 'al2-plain.txt', text: () => written(aNodeClass({ amiFamily: 'AL2' })) },
  {
    file: 'al2-full.txt',
    text: () =>
      written(aNodeClass({ amiFamily: 'AL2', userData: '#!/bin/bash\necho hello\n' }), FULL_SPEC, 42),
  },
];

describe('user data', () => {
  for (const { file, text } of GOLDEN) {
    it(`is what ${file} says`, () => {
      const path = new URL(`golden/${file}`, import.meta.url);
      // UPDATE_GOLDEN=1 writes them anew; read the difference before it is committed.
      if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text());
      assert.equal(text(), readFileSync(path, 'utf8'));
    });
  }

  it('leaves a Custom image its own words', () => {
    const own = '<anything>\n that "it" wants';
    assert.equal(written(aNodeClass({ amiFamily: 'Custom', userData: own })), own);
  });

  it('puts the cluster last in AL2023, so that nodeadm lets it win', () => {
    const parts = readMime(written(aNodeClass({ userData: USER_MIME }))) ?? assert.fail();
    assert.deepEqual(
      parts.map(({ contentType }) => contentType),
      ['text/x-shellscript; charset="us-ascii"', 'application/node.eks.aws', 'application/node.eks.aws'],
    );
    const body = parts[2]?.body ?? '';
    assert.deepEqual((parse(body) as OwnConfig).spec.kubelet.config.registerWithTaints, [
      { key: 'karpenter.sh/unregistered', effect: 'NoExecute' },
    ]);
  });

  const REFUSALS = [
    {
      when: 'it is too long',
      fields: { userData: `#!/bin/bash\n# ${'x'.repeat(16_384)}` },
      says: /spec.userData: makes \d+ bytes .* EC2 takes 16384/,
    },
    {
      when: 'it is none of the known forms',
      fields: { userData: 'echo hello' },
      says: /begin a script with #!\/bin\/bash/,
    },
    {
      when: 'it is MIME without a boundary',
      fields: { userData: 'Content-Type: multipart/mixed\n\nhello' },
      says: /MIME without a boundary/,
    },
    {
      when: 'it is no TOML',
      fields: { amiFamily: 'Bottlerocket' as const, userData: '[settings]\nmotd = hello' },
      says: /spec.userData: is no TOML \(line 2: hello is no value; put text in quotes\)/,
    },
  ];
  for (const { when, fields, says } of REFUSALS) {
    it(`is refused when ${when}`, () => {
      const boot = bootFacts(aNodeClaim().spec, SETTINGS, { capacityType: 'spot', maxPods: null });
      const outcome = userData(aNodeClass(fields), boot);
      assert.match(outcome.kind === 'notReady' ? outcome.message : 'written', says);
    });
  }

  it('of Windows is refused when it holds the tags of EC2Launch in the middle', () => {
    const text = 'echo one\n</powershell>\n<script>format c:</script>';
    const boot = bootFacts(aNodeClaim().spec, SETTINGS, { capacityType: 'spot', maxPods: null });
    const outcome = userData(aNodeClass({ amiFamily: 'Windows2022', userData: text }), boot);
    assert.match(outcome.kind === 'notReady' ? outcome.message : 'written', /tags of EC2Launch inside/);
  });

  it('asks for the service CIDR where nodeadm needs it', () => {
    const settings = { ...SETTINGS, serviceCidr: null };
    const boot = bootFacts(aNodeClaim().spec, settings, { capacityType: 'spot', maxPods: null });
    const outcome = userData(aNodeClass(), boot);
    assert.match(outcome.kind === 'notReady' ? outcome.message : '', /setting serviceCidr: missing/);
    assert.equal(userData(aNodeClass({ amiFamily: 'Bottlerocket' }), boot).kind, 'found');
  });
});

describe('labels and words that reach a root shell', () => {
  it('keep out what kubelets may not say and what is no label', () => {
    const labels = kubeletLabels({
      good: 'yes',
      'karpenter.sh/provisioner-name': 'default',
      'node.kubernetes.io/role': 'web',
      'node-restriction.kubernetes.io/role': 'web',
      'kubernetes.io/role': 'web',
      'topology.kubernetes.io/zone': 'us-east-1a',
      'karpenter.k8s.aws/instance-family': 'm5',
      bad: '$(reboot)',
      'also bad': 'x',
    });
    assert.deepEqual(labels, {
      good: 'yes',
      'karpenter.sh/provisioner-name': 'default',
      'node.kubernetes.io/role': 'web',
    });
  });

  it('stay one word to a shell, whatever they hold', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        // Inside single quotes only a single quote means anything; each one is closed, escaped and opened again.
        const quoted = shellQuoted(text);
        const read = quoted.slice(1, -1).split(`'\\''`).join("'");
        return (
          quoted.startsWith("'") &&
          quoted.endsWith("'") &&
          read === text &&
          !/'/.test(quoted.slice(1, -1).replaceAll(`'\\''`, ''))
        );
      }),
    );
  });
});

describe('words that reach PowerShell', () => {
  it('stay one literal, whatever they hold', () => {
    const nasty = fc.array(
      fc.constantFrom("'", '\u2018', '\u2019', '\u201a', '\u201b', '$(calc)', '`', 'a', '"'),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          nasty.map((parts) => parts.join('')),
        ),
        (text) => {
          assert.equal(readPowerShellLiteral(powerShellQuoted(text)), text);
        },
      ),
    );
  });
});

/** What PowerShell makes of a verbatim string: any of its quotes, twice, is one; once, it ends the string. */
function readPowerShellLiteral(literal: string): string {
  const isQuote = (at: string | undefined): boolean => /^['\u2018-\u201b]$/u.test(at ?? '');
  assert.ok(isQuote(literal[0]) && isQuote(literal.at(-1)));
  const inner = literal.slice(1, -1);
  let text = '';
  for (let index = 0; index < inner.length; index += 1) {
    text += inner[index];
    if (!isQuote(inner[index])) continue;
    assert.ok(isQuote(inner[index + 1]), 'the literal ends early');
    index += 1;
  }
  return text;
}

describe('MIME', () => {
  it('takes a line for a boundary only when it is nothing but one', () => {
    const script = '#!/bin/sh\njoin \\\n--apiserver-endpoint x\n--a-b';
    const part = `--a \nContent-Type: text/x-shellscript\n\n${script}`;
    const text = `Content-Type: multipart/mixed; boundary=a\n\n${part}\n--a--\n`;
    assert.deepEqual(
      readMime(text)?.map(({ body }) => body.trim()),
      [script],
    );
  });

  it('keeps the transfer encoding of a part, which says how its body is to be read', () => {
    const part = 'Content-Transfer-Encoding: base64\nContent-Type: text/x-shellscript\n\nIyEvYmluL3NoCg==\n';
    const userData = `Content-Type: multipart/mixed; boundary="b"\n\n--b\n${part}--b--\n`;
    const text = written(aNodeClass({ userData }));
    assert.match(text, /\nContent-Transfer-Encoding: base64\n\nIyEvYmluL3NoCg==\n/);
    assert.equal(text.match(/Transfer-Encoding/g)?.length, 1);
    const [read] = readMime(text) ?? [];
    assert.deepEqual(read?.transferEncoding, 'base64');
  });

  it('reads back what it writes, even with its own boundary in a body', () => {
    const body = fc
      .array(fc.constantFrom('--//', '--COOPER-1', 'a', 'Content-Type: x', '#!/bin/sh', ':'))
      .map((lines) => `#${lines.join('\n')}`);
    fc.assert(
      fc.property(fc.array(body, { minLength: 1, maxLength: 4 }), (bodies) => {
        const parts = bodies.map((text) => ({ contentType: 'text/x-shellscript', body: text.trim() }));
        const read = readMime(writeMime(parts)) ?? [];
        assert.deepEqual(
          read.map(({ contentType, body: text }) => ({ contentType, body: text.trimEnd() })),
          parts,
        );
      }),
    );
  });
});
