// What nodes were made from, as written on claims that are out there: a new release must not take it for drift.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAwsNodeTemplate } from '../../src/api/nodeClasses.ts';
import { parseProvisioner } from '../../src/api/provisioners.ts';
import { madeFrom } from '../../src/disruption/drift.ts';
import { AWS_SPEC, provisionerManifest, templateManifest } from '../api/manifests.ts';

interface Case {
  readonly what: string;
  readonly provisioner: object;
  readonly template: object;
  readonly stamp: string;
}

/**
 * Where one of these changes, a field or a default has come into the hash: every node of every cluster would drift at
 * the upgrade. Leave it out of the hash, or raise its version, which stamps all claims anew instead.
 */
const CASES: readonly Case[] = [
  {
    what: 'the least that manifests say',
    provisioner: {},
    template: AWS_SPEC,
    stamp: 'v1/vnovcxybl3/x9xe9obd2v',
  },
  {
    what: 'manifests that say much',
    provisioner: {
      labels: { team: 'a' },
      annotations: { note: 'text' },
      taints: [{ key: 'gpu', effect: 'NoSchedule' }],
      startupTaints: [{ key: 'agent', value: 'x', effect: 'NoExecute' }],
      kubeletConfiguration: { maxPods: 20, systemReserved: { cpu: '100m' } },
    },
    template: {
      ...AWS_SPEC,
      amiFamily: 'AL2',
      userData: '#!/bin/bash\n',
      tags: { a: 'b' },
      metadataOptions: { httpTokens: 'optional' },
      blockDeviceMappings: [{ deviceName: '/dev/xvda', ebs: { volumeSize: '20Gi', volumeType: 'gp3' } }],
    },
    stamp: 'v1/o5xf9jybgk/fsus959g8x',
  },
];

for (const { what, provisioner, template, stamp } of CASES) {
  test(`nodes made from ${what} are known again after an upgrade`, () => {
    const parsed = parseProvisioner(provisionerManifest(provisioner));
    const nodeClass = parseAwsNodeTemplate(templateManifest(template));
    assert.ok(parsed.kind === 'valid' && nodeClass.kind === 'valid');
    assert.equal(madeFrom(parsed.value.provisioner, nodeClass.value), stamp);
  });
}
