// The CloudProvider contract over the AWS SDK and moto, and what of the requests EC2 has kept.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { AwsCloudProvider } from '../../src/aws/provider.ts';
import { RequestPacer } from '../../src/aws/requestPacer.ts';
import { connectEc2 } from '../../src/aws/sdkEc2.ts';
import { connectSsm } from '../../src/aws/sdkSsm.ts';
import { shippedPrices } from '../../src/aws/shippedCatalogue.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/telemetry.ts';
import { SETTINGS } from '../aws/account.ts';
import { aNodeClass, aProvisioner } from '../builders.ts';
import { type CloudHarness, claimFor, cloudProviderContract } from '../contracts/cloudProvider.ts';
import { type Moto, startMoto } from './harness/moto.ts';
import { reasonToSkip } from './harness/prerequisites.ts';

/*
 * Where moto is not EC2, and what EC2 does. The pages are named where `moto/` adds the behaviour:
 * - ClientToken: moto ignores it; EC2 answers a repeated token as before, or with IdempotentParameterMismatch.
 *   "Ensuring idempotency in Amazon EC2 API requests" (`moto/fleet.py`, create_fleet_once)
 * - capacity: moto never lacks any; EC2 answers with what it got beside Errors. "Configure an EC2 Fleet of type
 *   instant", "Error codes for the Amazon EC2 API" (`moto/fleet.py`, fulfil, refusal)
 * - allocation: moto takes the first override; EC2 goes by the strategy. "Use allocation strategies to determine how
 *   EC2 Fleet or Spot Fleet fulfills Spot and On-Demand capacity" (`moto/fleet.py`, ranked)
 * - launch templates: moto applies few fields; EC2 applies all. "RequestLaunchTemplateData" (`moto/fleet.py`, launch)
 * - states: moto's instances run and end at once; EC2's are pending, shutting down, and seen late. "Instance
 *   lifecycle", "Eventual consistency in the Amazon EC2 API" (`moto/lifecycle.py`)
 * - pages: moto answers with one; EC2 keeps to MaxResults. "Pagination" (`moto/catalogue.py`, paged)
 * - spot prices: moto has one of 2006 for all; EC2 has one for each type and zone. "DescribeSpotPriceHistory"
 *   (`moto/catalogue.py`)
 * Not added, so not shown here: request limits and capacity reservations, which `test/aws` plays in memory.
 */
const CLUSTER = SETTINGS.clusterName;
const SELECTOR = { [`kubernetes.io/cluster/${CLUSTER}`]: '*' };
const CLOCK: Clock = {
  nowMs: () => Date.now(),
  sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
};
const logged: string[] = [];
const write = (fields: Readonly<Record<string, unknown>>, message: string): void => {
  logged.push(`${message} ${JSON.stringify(fields)}`);
};
const LOG: Log = { debug: write, info: write, warn: write, error: write };

interface MotoHarness extends CloudHarness {
  readonly moto: Moto;
  readonly cloud: AwsCloudProvider;
}

async function overMoto(): Promise<MotoHarness> {
  const moto = await startMoto({ dir: mkdtempSync(join(tmpdir(), 'cooper-aws-')) });
  // What every SDK reads: nothing in the provider knows that this is not AWS.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: moto.endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  });
  const zones = ['us-east-1a', 'us-east-1b', 'us-east-1c'];
  await moto.layNetwork({ cluster: CLUSTER, zones, instanceProfile: 'nodes' });
  const restarted = (): AwsCloudProvider =>
    new AwsCloudProvider({
      ec2: connectEc2('us-east-1'),
      ssm: connectSsm('us-east-1'),
      clock: CLOCK,
      pacer: new RequestPacer(CLOCK),
      chance: () => 0.5,
      log: LOG,
      settings: SETTINGS,
      onDemandPrices: shippedPrices().onDemand,
    });
  return {
    moto,
    cloud: restarted(),
    provisioner: aProvisioner(),
    nodeClass: aNodeClass({
      subnetSelector: SELECTOR,
      securityGroupSelector: SELECTOR,
      instanceProfile: 'nodes',
    }),
    instanceTypes: ['c5.large', 'm5.large'],
    nowMs: () => CLOCK.nowMs(),
    // Real time: what must be waited for here takes a moment, not the minutes of a real account.
    pass: (durationMs) => CLOCK.sleep(Math.min(durationMs, 6_000)),
    living: async () => (await moto.liveInstances()).length,
    restarted,
    runOutOf: (instanceType) => scarceToo(moto, instanceType),
    // The SDK repeats a lost call by itself, twice, under the same token; all three answers are lost.
    loseNextLaunch: () => moto.setFaults([{ action: 'CreateFleet', loseAnswer: true, times: 3 }]),
    close: () => moto.stop(),
  };
}

const scarce: { instanceType: string; capacityType: 'on-demand'; remaining: number }[] = [];

function scarceToo(moto: Moto, instanceType: string): Promise<void> {
  scarce.push({ instanceType, capacityType: 'on-demand', remaining: 0 });
  return moto.setScarcities(scarce);
}

const skip = await reasonToSkip();
if (skip === false) cloudProviderContract('AWS over moto', overMoto);

describe('AWS over moto', { skip }, () => {
  let harness: MotoHarness;
  before(
    async () => {
      harness = await overMoto();
    },
    { timeout: 10 * 60_000 },
  );
  after(() => harness.close());

  it('reads all types of a region, their zones and prices, page by page', async () => {
    const outcome = await harness.cloud.instanceTypes(harness.provisioner, harness.nodeClass);
    const types = outcome.kind === 'found' ? outcome.instanceTypes : assert.fail(outcome.message);
    assert.ok(types.length > 1200, `${types.length} types`);
    const { capacity, offerings } = types.find(({ name }) => name === 'm5.large') ?? assert.fail();
    assert.deepEqual([capacity.cpu, capacity.pods], [2000, 29]);
    const zones = (capacityType: string): readonly string[] =>
      offerings.filter((one) => one.capacityType === capacityType).map(({ zone }) => zone);
    assert.deepEqual(zones('on-demand'), ['us-east-1a', 'us-east-1b', 'us-east-1c']);
    assert.deepEqual(zones('spot'), ['us-east-1a', 'us-east-1b', 'us-east-1c']);
  });

  it('launches what the node class says', async () => {
    const claim = claimFor(harness, ['m5.large']);
    const outcome = await harness.cloud.launch(claim, harness.nodeClass);
    const launched = outcome.kind === 'launched' ? outcome.instance : assert.fail(JSON.stringify(outcome));
    const [instance] = (await harness.moto.instances()).filter(({ id }) => launched.providerId.endsWith(id));
    assert.ok(instance !== undefined);
    assert.equal(instance.zone, launched.zone);
    assert.equal(instance.imageId, launched.imageId);
    assert.match(instance.instanceProfileArn ?? '', /nodes$/);
    assert.equal(instance.securityGroupIds.length, 1);
    assert.deepEqual(instance.metadataOptions, {
      httpTokens: 'required',
      httpPutResponseHopLimit: 1,
      httpEndpoint: 'enabled',
    });
    const [disk] = instance.blockDevices;
    assert.deepEqual(
      [disk?.deviceName, disk?.sizeGib, disk?.type, disk?.encrypted],
      ['/dev/xvda', 20, 'gp3', true],
    );
    assert.equal(instance.tags['karpenter.sh/nodeclaim'], claim.name);
    assert.equal(instance.tags[`kubernetes.io/cluster/${CLUSTER}`], 'owned');
    assert.match(Buffer.from(instance.userDataBase64, 'base64').toString(), /kind: NodeConfig/);
  });

  it('sends nothing but CreateFleet for a claim once warm', async () => {
    const calls = await harness.moto.calls();
    const outcome = await harness.cloud.launch(claimFor(harness, ['m5.large']), harness.nodeClass);
    assert.equal(outcome.kind, 'launched');
    const later = await harness.moto.calls(undefined, calls.at(-1)?.id ?? 0);
    assert.deepEqual(
      later.map(({ action }) => action),
      ['CreateFleet'],
    );
  });
});
