// The fake kubelet's reading of user data: strict as the boot images are, and at one with what Cooper writes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BootFacts } from '../../src/aws/bootFacts.ts';
import { userData } from '../../src/aws/userData.ts';
import type { AmiFamily, NodeClass } from '../../src/model/nodeClass.ts';
import { nodeadmUserData } from './harness/fleetRequest.ts';
import { eksNodeShape } from './harness/nodeShape.ts';
import { type NodeBoot, readUserData } from './harness/userData.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const LABELS = { 'karpenter.sh/provisioner-name': 'default', team: 'blue' };

const FACTS: BootFacts = {
  clusterName: 'chris',
  clusterEndpoint: 'https://127.0.0.1:6443',
  clusterCaBundle: 'Y2E=',
  serviceCidr: '10.96.0.0/16',
  labels: LABELS,
  taints: [
    { key: 'example.com/gpu', value: 'yes', effect: 'NoSchedule' },
    { key: 'karpenter.sh/unregistered', value: '', effect: 'NoExecute' },
  ],
  kubelet: { kubeReserved: { cpu: '80m', memory: '300Mi' }, systemReserved: { cpu: '100m' } },
  maxPods: 42,
};

function nodeClass(amiFamily: AmiFamily, own: string | null): NodeClass {
  return {
    key: 'AWSNodeTemplate/default',
    generation: 1,
    subnetSelector: {},
    securityGroupSelector: {},
    instanceProfile: null,
    amiFamily,
    amiSelector: {},
    userData: own,
    launchTemplate: null,
    tags: {},
    metadataOptions: null,
    blockDevices: [],
    detailedMonitoring: false,
    context: null,
  };
}

describe('user data, as Cooper writes it and the fake kubelet reads it', () => {
  const cases: readonly { readonly when: string; readonly family: AmiFamily; readonly own: string | null }[] =
    [
      { when: 'AL2023', family: 'AL2023', own: null },
      { when: 'AL2023 with a script of the user', family: 'AL2023', own: '#!/bin/bash\necho --// hello' },
      {
        when: 'AL2023 with a NodeConfig of the user, which loses',
        family: 'AL2023',
        own: 'apiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec: {kubelet: {config: {maxPods: 5}}}\n',
      },
      { when: 'AL2', family: 'AL2', own: null },
      {
        when: 'Bottlerocket',
        family: 'Bottlerocket',
        own: '[settings.host-containers.admin]\nenabled = true\n',
      },
    ];
  for (const { when, family, own } of cases) {
    it(`agrees on cluster, labels, taints and sizes: ${when}`, () => {
      const written = userData(nodeClass(family, own), FACTS);
      assert.equal(written.kind, 'found');
      const boot = readUserData(base64(written.kind === 'found' ? written.value : ''));
      const taints = boot.taints.map(({ key, value, effect }) => `${key}=${value ?? ''}:${effect}`);
      assert.deepEqual(
        { ...boot, taints: taints.sort() },
        {
          clusterName: 'chris',
          labels: LABELS,
          taints: ['example.com/gpu=yes:NoSchedule', 'karpenter.sh/unregistered=:NoExecute'],
          maxPods: 42,
          kubeReserved: { cpu: '80m', memory: '300Mi' },
          systemReserved: { cpu: '100m' },
          evictionHard: {},
          problems: [],
        },
      );
    });
  }
});

describe('user data that makes no node', () => {
  const cases: readonly { readonly when: string; readonly text: string; readonly problem: RegExp }[] = [
    { when: 'nothing', text: '', problem: /holds neither NodeConfig/ },
    {
      when: 'a NodeConfig without CIDR',
      text: [
        'apiVersion: node.eks.aws/v1alpha1',
        'kind: NodeConfig',
        'spec: {cluster: {name: a, apiServerEndpoint: b, certificateAuthority: c}}',
      ].join('\n'),
      problem: /^nodeadm: NodeConfig has no spec.cluster.cidr$/,
    },
    {
      when: 'Bottlerocket settings without certificate',
      text: '[settings.kubernetes]\ncluster-name = "a"\napi-server = "b"\n',
      problem: /cluster-certificate is missing$/,
    },
    {
      when: 'a label that a kubelet may not set',
      text: Buffer.from(
        nodeadmUserData({ cluster: 'a', labels: { 'node-restriction.kubernetes.io/x': 'y', ok: 'yes' } }),
        'base64',
      ).toString(),
      problem: /refuses to start with --node-labels node-restriction.kubernetes.io\/x$/,
    },
  ];
  for (const { when, text, problem } of cases) {
    it(when, () => {
      const { problems } = readUserData(base64(text));
      assert.equal(problems.length, 1, problems.join('; '));
      assert.match(problems[0] ?? '', problem);
    });
  }
});

describe('the size of a node', () => {
  const M5_LARGE = {
    name: 'm5.large',
    vcpus: 2,
    memoryMib: 8192,
    networkInterfaces: 3,
    addressesPerInterface: 10,
    nvidiaGpus: 0,
  };
  const plain: NodeBoot = readUserData(nodeadmUserData({ cluster: 'a' }));

  it('follows from its type when the user data says nothing', () => {
    const { capacity, allocatable } = eksNodeShape(M5_LARGE, plain);
    assert.deepEqual(
      { pods: capacity.pods, cpu: allocatable.cpu, memory: allocatable.memory },
      { pods: '29', cpu: '1930m', memory: `${(7577 - 255 - 11 * 29 - 100) * 1024}Ki` },
    );
  });

  it('follows the reservations of the user data', () => {
    const boot = { ...plain, kubeReserved: { cpu: '80m', memory: '300Mi' }, systemReserved: { cpu: '100m' } };
    const { allocatable } = eksNodeShape(M5_LARGE, boot);
    assert.deepEqual([allocatable.cpu, allocatable.memory], ['1820m', `${(7577 - 400) * 1024}Ki`]);
  });
});
