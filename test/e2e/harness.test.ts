// What the end-to-end tests stand on, tested itself: control plane, EC2 stand-in, fake kubelet, and how they meet.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import {
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeSpotPriceHistoryCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { createFleet, makeLaunchTemplate, nodeadmUserData } from './harness/fleetRequest.ts';
import { conditionOf } from './harness/kube.ts';
import { EXITS_AFTER_ANNOTATION } from './harness/podRunner.ts';
import { reasonToSkip } from './harness/prerequisites.ts';
import { holdsFor } from './harness/until.ts';
import { startWorld, type World } from './harness/world.ts';

const PRICES = { 'm5.large': 0.096, 'c5.large': 0.085, 'r5.large': 0.126 };

function deployment(name: string, replicas: number, extra: object = {}): string {
  const labels = { app: name };
  const container = {
    name: 'main',
    image: 'nginx',
    resources: { requests: { cpu: '500m', memory: '256Mi' } },
  };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container], ...extra } },
    },
  });
}

describe('the harness', { skip: await reasonToSkip() }, () => {
  let world: World;
  before(
    async () => {
      world = await startWorld({
        namespaces: ['web'],
        onDemandPrices: PRICES,
        pendingMs: 600,
        shuttingDownMs: 600,
      });
    },
    { timeout: 20 * 60_000 },
  );
  after(() => world?.stop());

  const subnetIn = (zone: string): string => {
    const subnet = world.network.subnets.find((candidate) => candidate.zone === zone);
    assert.ok(subnet, `no subnet in ${zone}`);
    return subnet.id;
  };
  const live = async (): Promise<string[]> => (await world.moto.liveInstances()).map(({ id }) => id);
  const terminateAll = async (): Promise<void> => {
    const ids = await live();
    if (ids.length > 0) await world.ec2.send(new TerminateInstancesCommand({ InstanceIds: ids }));
    const gone = async (): Promise<boolean> =>
      (await world.nodes()).every(({ metadata }) => metadata.name === 'static');
    await world.until(gone, { what: 'the nodes of terminated instances to go', timeoutMs: 15_000 });
  };

  afterEach(async () => {
    await world.moto.setScarcities([]);
    await world.moto.setFaults([]);
    world.kubelet.settings.registers = () => true;
    await terminateAll();
  });

  it('leaves pods without a node Unschedulable, and gives them to a node that joins', async () => {
    await world.apply(deployment('nginx', 2));
    const unschedulable = async (): Promise<boolean> => {
      const pods = await world.pods('web');
      return pods.length === 2 && pods.every((pod) => conditionOf(pod, 'PodScheduled') === 'False');
    };
    await world.until(unschedulable, { what: 'two Unschedulable pods', timeoutMs: 10_000 });
    await world.kubelet.addStaticNode({ name: 'static', cpu: '1', memory: '2Gi' });
    await world.untilRunning('web', 2, 15_000);
  });

  it('turns an instance into a node as its user data says, and back into nothing', async () => {
    const userData = nodeadmUserData({
      cluster: world.cluster,
      labels: { team: 'blue', 'karpenter.sh/provisioner-name': 'default' },
      taints: [{ key: 'example.com/starting', effect: 'NoExecute' }],
      maxPods: 42,
    });
    await makeLaunchTemplate(world, 'joins', {
      UserData: userData,
      MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 2 },
      BlockDeviceMappings: [
        { DeviceName: '/dev/xvda', Ebs: { VolumeSize: 30, VolumeType: 'gp3', Encrypted: true } },
      ],
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'from', Value: 'template' }] }],
    });
    await world.kube.scale('web', 'nginx', 4);
    const overrides = [{ InstanceType: 'm5.large' as const, SubnetId: subnetIn('us-east-1b') }];
    const fleet = await createFleet(world, { template: 'joins', overrides });
    const id = fleet.Instances?.[0]?.InstanceIds?.[0];
    assert.ok(id, JSON.stringify(fleet));

    const tainted = async (): Promise<boolean> =>
      (await world.nodes()).some(({ spec }) =>
        spec.taints?.some(({ key }) => key === 'example.com/starting'),
      );
    await world.until(tainted, { what: 'a node with its startup taint', timeoutMs: 15_000 });
    world.kubelet.settings.startupTaints = { keys: ['example.com/starting'], removeAfterMs: 300 };
    await world.untilRunning('web', 4, 30_000);
    const joined = async (): Promise<Awaited<ReturnType<World['nodes']>>[number] | undefined> =>
      (await world.nodes()).find(({ spec }) => spec.providerID === `aws:///us-east-1b/${id}`);
    // The node lifecycle controller takes its own taints of new nodes off a moment after they are Ready.
    const isUntainted = async (): Promise<boolean> => ((await joined())?.spec.taints ?? []).length === 0;
    await world.until(isUntainted, { what: 'a node without taints', timeoutMs: 15_000 });
    const node = await joined();
    assert.ok(node, await world.diagnose());
    assert.match(node.metadata.name, /^ip-10-0-\d+-\d+\.ec2\.internal$/);
    const labels = {
      team: node.metadata.labels?.team,
      provisioner: node.metadata.labels?.['karpenter.sh/provisioner-name'],
      zone: node.metadata.labels?.['topology.kubernetes.io/zone'],
      type: node.metadata.labels?.['node.kubernetes.io/instance-type'],
    };
    assert.deepEqual(labels, { team: 'blue', provisioner: 'default', zone: 'us-east-1b', type: 'm5.large' });
    assert.equal(node.status.capacity?.pods, '42');
    assert.equal(node.status.allocatable?.cpu, '1930m');
    const lease = `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node.metadata.name}`;
    assert.ok(await world.kube.get(lease));

    const instance = (await world.moto.instances()).find((candidate) => candidate.id === id);
    assert.ok(instance);
    assert.deepEqual(instance.securityGroupIds, [world.network.securityGroupId]);
    assert.match(instance.instanceProfileArn ?? '', /:instance-profile\/e2e-node$/);
    assert.equal(instance.metadataOptions.httpTokens, 'required');
    assert.equal(instance.metadataOptions.httpPutResponseHopLimit, 2);
    assert.deepEqual(
      instance.blockDevices.map(({ sizeGib, type, encrypted }) => [sizeGib, type, encrypted]),
      [[30, 'gp3', true]],
    );
    assert.equal(instance.tags.from, 'template');
    assert.equal(instance.tags['kubernetes.io/cluster/e2e'], 'owned');
    assert.equal(instance.tags['aws:ec2:fleet-id'], fleet.FleetId);

    await world.kube.scale('web', 'nginx', 2);
    await terminateAll();
    const states = (await world.moto.instances()).find((candidate) => candidate.id === id)?.history;
    assert.deepEqual(
      states?.map(({ state }) => state),
      ['pending', 'running', 'shutting-down', 'terminated'],
    );
    assert.deepEqual(world.kubelet.problems, []);
  });

  it('launches once per ClientToken, and refuses a token with other parameters', async () => {
    await makeLaunchTemplate(world, 'once', {});
    const overrides = [{ InstanceType: 'm5.large' as const, SubnetId: subnetIn('us-east-1a') }];
    const before = (await world.moto.calls()).length;
    const request = { template: 'once', overrides, token: 'claim-1' };
    const [first, second] = await Promise.all([createFleet(world, request), createFleet(world, request)]);
    const third = await createFleet(world, request);
    assert.deepEqual(first.Instances, second.Instances);
    assert.deepEqual(first.Instances, third.Instances);
    assert.equal((await live()).length, 1);
    await assert.rejects(createFleet(world, { ...request, count: 2 }), {
      name: 'IdempotentParameterMismatch',
    });
    assert.equal((await live()).length, 1);

    const calls = await world.moto.calls('CreateFleet', before);
    assert.deepEqual(
      calls.map(({ errorCode }) => errorCode),
      [null, null, null, 'IdempotentParameterMismatch'],
    );
    assert.equal(calls[0]?.params.ClientToken, 'claim-1');
  });

  it('buys the cheapest type that is to be had, and names those that are not', async () => {
    await makeLaunchTemplate(world, 'cheapest', {});
    const overrides = (['m5.large', 'r5.large', 'c5.large'] as const).map((InstanceType) => ({
      InstanceType,
      SubnetId: subnetIn('us-east-1c'),
    }));
    const cheapest = await createFleet(world, { template: 'cheapest', overrides });
    assert.equal(cheapest.Instances?.[0]?.InstanceType, 'c5.large');
    assert.deepEqual(cheapest.Errors ?? [], []);

    await world.moto.setScarcities([{ instanceType: 'c5.large', zone: 'us-east-1c', remaining: 1 }]);
    const mixed = await createFleet(world, { template: 'cheapest', overrides, count: 3 });
    assert.deepEqual(
      mixed.Instances?.map(({ InstanceType }) => InstanceType),
      ['c5.large', 'm5.large', 'm5.large'],
    );
    assert.equal(mixed.Errors?.[0]?.ErrorCode, 'InsufficientInstanceCapacity');
    assert.equal(mixed.Errors?.[0]?.LaunchTemplateAndOverrides?.Overrides?.InstanceType, 'c5.large');

    await world.moto.setScarcities([{ capacityType: 'spot' }]);
    const none = await createFleet(world, { template: 'cheapest', overrides, capacityType: 'spot' });
    assert.deepEqual(none.Instances ?? [], []);
    assert.equal(none.Errors?.length, 3);
    await world.moto.setScarcities([]);
    const spot = await createFleet(world, { template: 'cheapest', overrides, capacityType: 'spot' });
    assert.equal(spot.Instances?.[0]?.Lifecycle, 'spot');
  });

  it('refuses what EC2 would: a type of another architecture, an unknown profile', async () => {
    await makeLaunchTemplate(world, 'wrong-profile', { IamInstanceProfile: { Name: 'nobody' } });
    await makeLaunchTemplate(world, 'intel', {});
    const SubnetId = subnetIn('us-east-1a');
    for (const [template, InstanceType] of [
      ['wrong-profile', 'm5.large'],
      ['intel', 'm6g.large'],
    ] as const) {
      const answer = await createFleet(world, { template, overrides: [{ InstanceType, SubnetId }] });
      assert.deepEqual(
        answer.Errors?.map(({ ErrorCode }) => ErrorCode),
        ['InvalidParameterValue'],
        template,
      );
    }
    assert.deepEqual(await live(), []);
  });

  it('can lose an answer, throttle, and take an instance back', async () => {
    await makeLaunchTemplate(world, 'faults', {});
    const overrides = [{ InstanceType: 'm5.large' as const, SubnetId: subnetIn('us-east-1a') }];
    await world.moto.setFaults([
      { action: 'CreateFleet', code: 'RequestLimitExceeded' },
      { action: 'CreateFleet', loseAnswer: true },
    ]);
    const fleet = await createFleet(world, { template: 'faults', overrides, token: 'claim-2' }); // the SDK repeats
    assert.equal((await live()).length, 1);
    const id = fleet.Instances?.[0]?.InstanceIds?.[0] ?? '';
    await world.moto.reclaim(id);
    await world.until(async () => !(await live()).includes(id), {
      what: 'the instance to go',
      timeoutMs: 5000,
    });
  });

  it('pages long lists and has plausible Spot prices', async () => {
    const types = new Set<string>();
    let NextToken: string | undefined;
    do {
      const page = await world.ec2.send(
        new DescribeInstanceTypesCommand({ MaxResults: 100, ...(NextToken ? { NextToken } : {}) }),
      );
      assert.ok((page.InstanceTypes?.length ?? 0) <= 100);
      for (const type of page.InstanceTypes ?? []) types.add(type.InstanceType ?? '');
      NextToken = page.NextToken;
    } while (NextToken && types.size < 300);
    assert.equal(types.size, 300);
    const history = await world.ec2.send(
      new DescribeSpotPriceHistoryCommand({
        InstanceTypes: ['m5.large'],
        ProductDescriptions: ['Linux/UNIX'],
      }),
    );
    const zones = (history.SpotPriceHistory ?? []).map(({ AvailabilityZone }) => AvailabilityZone);
    assert.ok(
      ['us-east-1a', 'us-east-1b', 'us-east-1c'].every((zone) => zones.includes(zone)),
      `${zones}`,
    );
    for (const { SpotPrice } of history.SpotPriceHistory ?? []) {
      const ratio = Number(SpotPrice) / PRICES['m5.large'];
      assert.ok(ratio >= 0.3 && ratio <= 0.45, `${SpotPrice}`);
    }
  });

  it('shows no node for an instance that never joins, and ends pods that end by themselves', async () => {
    world.kubelet.settings.registers = () => false;
    await makeLaunchTemplate(world, 'silent', {});
    const overrides = [{ InstanceType: 'm5.large' as const, SubnetId: subnetIn('us-east-1a') }];
    await createFleet(world, { template: 'silent', overrides });
    const job = {
      metadata: { name: 'job', annotations: { [EXITS_AFTER_ANNOTATION]: '100' } },
      spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox' }] },
    };
    await world.kube.scale('web', 'nginx', 0);
    await world.kube.create('/api/v1/namespaces/default/pods', job);
    const succeeded = async (): Promise<boolean> =>
      (await world.pods('default'))[0]?.status.phase === 'Succeeded';
    await world.until(succeeded, { what: 'the job to end', timeoutMs: 15_000 });
    const runs = new DescribeInstancesCommand({
      Filters: [{ Name: 'instance-state-name', Values: ['running'] }],
    });
    const running = async (): Promise<boolean> => (await world.ec2.send(runs)).Reservations?.length === 1;
    await world.until(running, { what: 'the instance to run', timeoutMs: 5000 });
    await holdsFor(async () => (await world.nodes()).length === 1, {
      durationMs: 1500,
      what: 'no node joined',
    });
  });

  it('speaks to the API server as a ServiceAccount, which may do nothing by itself', async () => {
    await world.kubectl(['create', 'serviceaccount', 'cooper', '-n', 'web']);
    const kubeconfig = await world.controlPlane.serviceAccountKubeconfig('web', 'cooper');
    await assert.rejects(world.kubectl([`--kubeconfig=${kubeconfig}`, 'get', 'nodes']), /forbidden/);
  });
});
