// The example of a whole cluster: applied on stand-ins, it fits the module, the chart, and its own Provisioner.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { DescribeSecurityGroupsCommand, DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2';
import { parse } from 'yaml';
import { type Moto, startMoto } from '../e2e/harness/moto.ts';
import { EXAMPLE, exampleOnStandIns } from './harness/completeExample.ts';
import { environmentOf, only, renderChart } from './harness/helm.ts';
import { reasonToSkipInstall, TERRAFORM } from './harness/prerequisites.ts';
import { prepareTerraform, type Terraform } from './harness/terraform.ts';

interface ProvisionerManifest {
  readonly spec: {
    readonly provider: {
      readonly subnetSelector: Readonly<Record<string, string>>;
      readonly securityGroupSelector: Readonly<Record<string, string>>;
    };
  };
}

describe('the example of a whole cluster', { skip: await reasonToSkipInstall([TERRAFORM]) }, () => {
  let scratch: string;
  let moto: Moto;
  let terraform: Terraform;
  let folder: string;
  const flags = ['-no-color', '-input=false', '-var=image_repository=registry.example.com/cooper'];

  before(
    async () => {
      scratch = mkdtempSync(join(tmpdir(), 'cooper-complete-'));
      moto = await startMoto({ dir: scratch, managedPolicies: true });
      terraform = await prepareTerraform(scratch, moto.endpoint);
      folder = exampleOnStandIns(scratch);
    },
    { timeout: 40 * 60_000 },
  );
  after(async () => {
    await moto?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  test('it is applied, and a second plan finds nothing to do', async () => {
    await terraform.run(folder, 'get');
    await terraform.run(folder, 'apply', '-auto-approve', ...flags);
    // Exit code 2, and so an error, if there were something to change.
    assert.match(await terraform.run(folder, 'plan', '-detailed-exitcode', ...flags), /No changes/);
  });

  test('the chart takes the values that it gives', async () => {
    const file = join(scratch, 'values.yaml');
    writeFileSync(file, await terraform.run(folder, 'output', '-raw', 'chart_values'));
    const { objects } = await renderChart(['--values', file]);
    const env = environmentOf(only(objects, 'Deployment'), 'karpenter');
    assert.equal(env.CLUSTER_NAME, 'chris');
    assert.equal(env.INTERRUPTION_QUEUE, 'chris');
    const profile = await terraform.run(folder, 'output', '-raw', 'instance_profile_name');
    assert.equal(env.AWS_DEFAULT_INSTANCE_PROFILE, profile);
    const account = only(objects, 'ServiceAccount');
    const role = account.metadata.annotations?.['eks.amazonaws.com/role-arn'] ?? '';
    assert.match(role, /:role\/karpenter-controller-chris$/);
  });

  test('its Provisioner finds the private subnets and the security group of nodes, and nothing else', async () => {
    const manifest = readFileSync(join(EXAMPLE, 'manifests', 'provisioner.yaml'), 'utf8');
    const { subnetSelector, securityGroupSelector } = (parse(manifest) as ProvisionerManifest).spec.provider;
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const ec2 = new EC2Client({ endpoint: moto.endpoint, region: moto.region, credentials });
    const byTags = (selector: Readonly<Record<string, string>>) => ({
      Filters: Object.entries(selector).map(([tag, value]) => ({ Name: `tag:${tag}`, Values: [value] })),
    });
    const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand(byTags(subnetSelector)));
    const groups = await ec2.send(new DescribeSecurityGroupsCommand(byTags(securityGroupSelector)));
    ec2.destroy();
    assert.deepEqual(Subnets.map(({ CidrBlock }) => CidrBlock).sort(), [
      '10.0.1.0/24',
      '10.0.2.0/24',
      '10.0.3.0/24',
    ]);
    assert.deepEqual(
      groups.SecurityGroups?.map(({ GroupName }) => GroupName),
      ['chris-node'],
    );
  });
});
