// Which SSM parameter is asked for, by family, version, architecture and accelerator; and which pin is understood.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bootImages, imageFor } from '../../src/aws/amis.ts';
import { shippedFacts } from '../../src/aws/shippedCatalogue.ts';
import type { NodeClass } from '../../src/model/nodeClass.ts';
import { aNodeClass } from '../builders.ts';

/** An SSM in which every parameter exists, its value being its name. */
const EVERYTHING = { parameter: async (name: string) => name, images: async () => [] };
const FACTS = new Map(shippedFacts().facts.map((facts) => [facts.name, facts]));
const EKS = '/aws/service/eks/optimized-ami/1.32';
const ROCKET = '/aws/service/bottlerocket/aws-k8s-1.32';
const CANONICAL = '/aws/service/canonical/ubuntu/eks/24.04/1.32/stable/current';
const WINDOWS = '/aws/service/ami-windows-latest/Windows_Server';

async function bootedBy(fields: Partial<NodeClass>, instanceType: string): Promise<string | null> {
  const outcome = await bootImages(aNodeClass(fields), 'v1.32.4-eks-abc', EVERYTHING);
  const images = outcome.kind === 'found' ? outcome.value : assert.fail(outcome.message);
  const facts = FACTS.get(instanceType) ?? assert.fail(`${instanceType} is not shipped`);
  return imageFor(images, facts, {})?.id ?? null;
}

const CASES: readonly (readonly [Partial<NodeClass>, string, string | null])[] = [
  [{}, 'm5.large', `${EKS}/amazon-linux-2023/x86_64/standard/recommended/image_id`],
  [{}, 'm6g.large', `${EKS}/amazon-linux-2023/arm64/standard/recommended/image_id`],
  [{}, 'g5.xlarge', `${EKS}/amazon-linux-2023/x86_64/nvidia/recommended/image_id`],
  [{}, 'g5g.xlarge', `${EKS}/amazon-linux-2023/arm64/nvidia/recommended/image_id`],
  [{}, 'inf2.xlarge', `${EKS}/amazon-linux-2023/x86_64/neuron/recommended/image_id`],
  [
    { amiSelector: { 'aws::alias': 'al2023@v20260801' } },
    'm6g.large',
    `${EKS}/amazon-linux-2023/arm64/standard/amazon-eks-node-al2023-arm64-standard-1.32-v20260801/image_id`,
  ],
  [
    { amiSelector: { 'aws::alias': 'al2023@latest' } },
    'm5.large',
    `${EKS}/amazon-linux-2023/x86_64/standard/recommended/image_id`,
  ],
  [{ amiFamily: 'AL2' }, 'm5.large', `${EKS}/amazon-linux-2/recommended/image_id`],
  [{ amiFamily: 'AL2' }, 'inf2.xlarge', `${EKS}/amazon-linux-2-gpu/recommended/image_id`],
  [
    { amiFamily: 'AL2', amiSelector: { 'aws::alias': 'al2@v20250801' } },
    'm6g.large',
    `${EKS}/amazon-linux-2-arm64/amazon-eks-arm64-node-1.32-v20250801/image_id`,
  ],
  [{ amiFamily: 'Bottlerocket' }, 'm6g.large', `${ROCKET}/arm64/latest/image_id`],
  [{ amiFamily: 'Bottlerocket' }, 'g5.xlarge', `${ROCKET}-nvidia/x86_64/latest/image_id`],
  [
    { amiFamily: 'Bottlerocket', amiSelector: { 'aws::alias': 'bottlerocket@v1.44.0' } },
    'm5.large',
    `${ROCKET}/x86_64/1.44.0/image_id`,
  ],
  [{ amiFamily: 'Ubuntu' }, 'm5.large', `${CANONICAL}/amd64/hvm/ebs-gp3/ami-id`],
  [{ amiFamily: 'Ubuntu' }, 'm6g.large', `${CANONICAL}/arm64/hvm/ebs-gp3/ami-id`],
  [{ amiFamily: 'Windows2022' }, 'm5.large', `${WINDOWS}-2022-English-Core-EKS_Optimized-1.32/image_id`],
  [{ amiFamily: 'Windows2025' }, 'm5.large', `${WINDOWS}-2025-English-Core-EKS_Optimized-1.32/image_id`],
  [{ amiFamily: 'Windows2022' }, 'm6g.large', null],
  [{ amiFamily: 'Windows2022' }, 'g5.xlarge', null],
];

describe('the image of a family', () => {
  for (const [fields, instanceType, id] of CASES) {
    const { amiFamily = 'the default', amiSelector = {} } = fields;
    it(`that ${instanceType} boots with ${amiFamily} ${JSON.stringify(amiSelector)}`, async () => {
      assert.equal(await bootedBy(fields, instanceType), id);
    });
  }
});
