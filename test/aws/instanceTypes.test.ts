// What a node of each type holds, is labelled with and costs, against figures worked out by hand from AWS documents.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { burstOf } from '../../src/aws/burst.ts';
import { typeName } from '../../src/aws/instanceTypeLabels.ts';
import { unpricedType } from '../../src/aws/instanceTypes.ts';
import { eniLimitedPods, kubeReservedMillis, podCapacity } from '../../src/aws/overhead.ts';
import { onDemandPrices, parsePriceOverrides, priceOf } from '../../src/aws/prices.ts';
import { kubernetesMinor } from '../../src/aws/settings.ts';
import { shippedCatalogue, shippedFacts, shippedPrices } from '../../src/aws/shippedCatalogue.ts';
import { type OfferingKey, UnavailableOfferings } from '../../src/aws/unavailableOfferings.ts';
import type { BlockDevice, NodeClass } from '../../src/model/nodeClass.ts';
import type { KubeletConfiguration } from '../../src/model/provisioner.ts';
import { aNodeClass, aProvisioner, GIB, MIB } from '../builders.ts';
import { aWorld, SETTINGS } from './account.ts';

const FACTS = new Map(shippedFacts().facts.map((facts) => [facts.name, facts]));

function factsOf(name: string) {
  return FACTS.get(name) ?? assert.fail(`${name} is not shipped`);
}

function typeOf(
  name: string,
  kubelet: KubeletConfiguration = {},
  nodeClass = aNodeClass(),
  settings = SETTINGS,
) {
  return unpricedType(factsOf(name), { settings, kubelet, nodeClass });
}

describe('pods', () => {
  const CASES = [
    // AWS's own table, eni-max-pods.txt in the EKS AMI.
    { type: 'm5.large', pods: 29 },
    { type: 't3.nano', pods: 4 },
    { type: 'm5.24xlarge', pods: 737 },
    { type: 'c6g.medium', pods: 8 },
    // Only the default network card counts: 2 of 64 interfaces.
    { type: 'p5.48xlarge', pods: 100 },
    { type: 'm5.large', kubelet: { maxPods: 110 }, pods: 110 },
    { type: 'm5.large', kubelet: { podsPerCore: 10 }, pods: 20 },
    { type: 'm5.large', kubelet: { podsPerCore: 100 }, pods: 29 },
    { type: 'm5.large', settings: { eniLimitedPodDensity: false }, pods: 110 },
    { type: 'm5.large', settings: { reservedEnis: 1 }, pods: 20 },
    { type: 'm5.large', settings: { reservedEnis: 9 }, pods: 0 },
    { type: 'm5.large', settings: { prefixDelegation: true }, pods: 110 },
    { type: 't3.nano', settings: { prefixDelegation: true }, pods: 34 },
    { type: 'm5.24xlarge', settings: { prefixDelegation: true }, pods: 250 },
    // Xen has no prefixes.
    { type: 'm4.large', settings: { prefixDelegation: true }, pods: 20 },
  ];
  for (const { type, kubelet = {}, settings = {}, pods } of CASES) {
    it(`of ${type} with ${JSON.stringify({ ...kubelet, ...settings })} are ${pods}`, () => {
      assert.equal(podCapacity(factsOf(type), kubelet, { ...SETTINGS, ...settings }), pods);
    });
  }
});

describe('overhead', () => {
  it('keeps CPU for the kubelet by the steps of EKS', () => {
    const CASES = [
      [1, 60],
      [2, 70],
      [4, 80],
      [8, 90],
      [48, 190],
      [96, 310],
    ] as const;
    for (const [vcpus, millis] of CASES) assert.equal(kubeReservedMillis(vcpus), millis);
  });

  it('is 7.5 % of memory, then 255 Mi and 11 Mi a pod, then 100 Mi, for m5.large', () => {
    const { capacity, allocatable } = typeOf('m5.large');
    assert.equal(capacity.memory, (8192 - 615) * MIB);
    assert.equal(allocatable.memory, (8192 - 615 - 255 - 11 * 29 - 100) * MIB);
    assert.equal(capacity.cpu, 2000);
    assert.equal(allocatable.cpu, 1930);
    assert.equal(capacity['ephemeral-storage'], 20 * GIB);
    assert.equal(allocatable['ephemeral-storage'], 20 * GIB - GIB - 2 * GIB);
    assert.equal(allocatable.pods, 29);
  });

  it('follows the kubelet settings', () => {
    const kubelet = {
      systemReserved: { cpu: '100m', memory: '100Mi', 'ephemeral-storage': '1Gi', pid: '1000' },
      kubeReserved: { cpu: '1', memory: '1Gi' },
      evictionHard: { 'memory.available': '10%' },
      evictionSoft: { 'memory.available': '1Gi', 'nodefs.available': '15%' },
    };
    const { capacity, allocatable } = typeOf('m5.large', kubelet);
    const total = capacity.memory ?? 0;
    assert.equal(allocatable.cpu, 2000 - 1000 - 100);
    assert.equal(allocatable.memory, total - GIB - 100 * MIB - GIB);
    assert.equal(allocatable['ephemeral-storage'], 20 * GIB - GIB - GIB - 3 * GIB);
    assert.equal(allocatable.pid, undefined);
    const off = typeOf('m5.large', { evictionHard: { 'memory.available': '100%' } });
    assert.equal(off.allocatable.memory, total - (255 + 11 * 29) * MIB);
  });

  it('counts the pods of interfaces on AL2023 even with maxPods, its own on Bottlerocket', () => {
    const kubelet = { maxPods: 110 };
    const total = (8192 - 615 - 100) * MIB;
    assert.equal(typeOf('m5.large', kubelet).allocatable.memory, total - (255 + 11 * 29) * MIB);
    const bottlerocket = aNodeClass({ amiFamily: 'Bottlerocket' });
    assert.equal(
      typeOf('m5.large', kubelet, bottlerocket).allocatable.memory,
      total - (255 + 11 * 110) * MIB,
    );
  });

  it('is never more than there is', () => {
    const { allocatable } = typeOf('t3.nano', { systemReserved: { memory: '4Gi', cpu: '64' } });
    assert.equal(allocatable.memory, 0);
    assert.equal(allocatable.cpu, 0);
  });

  const disk = (deviceName: string, volumeSizeGib: number): BlockDevice => ({
    ...{ deviceName, volumeSizeGib, volumeType: null, iops: null, throughput: null },
    ...{ encrypted: null, kmsKeyId: null, deleteOnTermination: null, snapshotId: null },
  });
  const DISKS = [
    { family: null, blockDevices: [disk('/dev/xvda', 50)], gib: 50 },
    { family: null, blockDevices: [disk('/dev/xvdb', 50)], gib: 20 },
    { family: 'Bottlerocket' as const, blockDevices: [disk('/dev/xvda', 4), disk('/dev/xvdb', 80)], gib: 80 },
    { family: 'Custom' as const, blockDevices: [disk('/dev/sda', 10), disk('/dev/sdb', 90)], gib: 90 },
    { family: 'Ubuntu' as const, blockDevices: [disk('/dev/sda1', 30)], gib: 30 },
  ];
  for (const { family, blockDevices, gib } of DISKS) {
    it(`leaves ${gib} GiB of disk on ${family ?? 'the default family'} with ${blockDevices.length} device(s)`, () => {
      const { capacity } = typeOf('m5.large', {}, aNodeClass({ amiFamily: family, blockDevices }));
      assert.equal(capacity['ephemeral-storage'], gib * GIB);
    });
  }
});

describe('devices and labels', () => {
  it('name GPUs, Neuron devices, EFA and branch interfaces', () => {
    assert.equal(typeOf('p5.48xlarge').capacity['nvidia.com/gpu'], 8);
    assert.equal(typeOf('p5.48xlarge').capacity['vpc.amazonaws.com/efa'], 32);
    assert.equal(typeOf('inf2.xlarge').capacity['aws.amazon.com/neuron'], 1);
    assert.equal(typeOf('inf2.xlarge').capacity['aws.amazon.com/neuroncore'], 2);
    assert.equal(typeOf('g6f.large').capacity['nvidia.com/gpu'], 1);
    assert.equal(typeOf('m5.large').capacity['vpc.amazonaws.com/pod-eni'], undefined);
    const settings = { ...SETTINGS, podEni: true };
    assert.equal(typeOf('m5.large', {}, aNodeClass(), settings).capacity['vpc.amazonaws.com/pod-eni'], 9);
  });

  const NAMES = [
    { name: 'c6gn.2xlarge', parts: ['c', 'c6gn', '6', '2xlarge'] },
    { name: 'u-6tb1.metal', parts: ['u', 'u-6tb1', '1', 'metal'] },
    { name: 'u7i-12tb.224xlarge', parts: ['u', 'u7i-12tb', '7', '224xlarge'] },
    { name: 'x2iedn.metal', parts: ['x', 'x2iedn', '2', 'metal'] },
    { name: 'is4gen.large', parts: ['is', 'is4gen', '4', 'large'] },
    { name: 'm7i-flex.large', parts: ['m', 'm7i-flex', '7', 'large'] },
    { name: 'trn1n.32xlarge', parts: ['trn', 'trn1n', '1', '32xlarge'] },
    { name: 'i7ie.metal-48xl', parts: ['i', 'i7ie', '7', 'metal-48xl'] },
  ];
  for (const { name, parts } of NAMES) {
    it(`takes ${name} apart`, () => {
      const { category, family, generation, size } = typeName(name);
      assert.deepEqual([category, family, generation, size], parts);
    });
  }

  it('say what a type has, and that it has no other', () => {
    const labels = (name: string) =>
      Object.fromEntries(
        typeOf(name).requirements.map(({ key, values }) => [
          key.replace(/.*instance-/, ''),
          values[0] ?? null,
        ]),
      );
    const g5 = labels('g5.xlarge');
    assert.equal(g5['gpu-name'], 'a10g');
    assert.equal(g5['gpu-manufacturer'], 'nvidia');
    assert.equal(g5['gpu-count'], '1');
    assert.equal(g5['local-nvme'], '250');
    assert.equal(g5.hypervisor, 'nitro');
    const m5 = labels('m5.large');
    assert.deepEqual(
      [m5.cpu, m5.memory, m5.pods, m5['gpu-name'], m5['local-nvme']],
      ['2', '8192', '29', null, null],
    );
    assert.equal(labels('m5.metal').hypervisor, null);
  });

  it('know what burstable types include', () => {
    assert.deepEqual(burstOf('t3.large', 2), { baselineMillis: 600, usdPerVcpuHour: 0.05 });
    assert.deepEqual(burstOf('t4g.nano', 2), { baselineMillis: 100, usdPerVcpuHour: 0.04 });
    assert.deepEqual(burstOf('t2.2xlarge', 8), { baselineMillis: 1360, usdPerVcpuHour: 0.05 });
    assert.equal(burstOf('m5.large', 2), undefined);
  });
});

describe('the shipped catalogue', () => {
  const catalogue = shippedCatalogue();

  it('holds the current types, each priced, sane and of one architecture', () => {
    assert.ok(catalogue.length > 1300, `${catalogue.length} types`);
    for (const { name, capacity, allocatable, offerings } of catalogue) {
      assert.ok((allocatable.cpu ?? 0) > 0 && (capacity.cpu ?? 0) > (allocatable.cpu ?? 0), name);
      assert.ok((capacity.memory ?? 0) > (allocatable.memory ?? 0), name);
      assert.ok(
        offerings.every(
          ({ usdPerHour, available, capacityType }) =>
            usdPerHour > 0 && available && capacityType === 'on-demand',
        ),
        name,
      );
    }
    assert.equal(new Set(catalogue.map(({ name }) => name)).size, catalogue.length);
    assert.ok(eniLimitedPods(factsOf('m5.large'), 0) === 29);
  });

  it('offers made-up spot prices only when asked, and only the zones asked for', () => {
    const options = { simulatedSpotFraction: 0.3, zones: ['eu-west-1a'] };
    const m5 = shippedCatalogue('eu-west-1', options).find(({ name }) => name === 'm5.large');
    assert.deepEqual(m5?.offerings, [
      { zone: 'eu-west-1a', capacityType: 'on-demand', usdPerHour: 0.096, available: true },
      { zone: 'eu-west-1a', capacityType: 'spot', usdPerHour: 0.096 * 0.3, available: true },
    ]);
  });
});

describe('prices', () => {
  it('take the user’s own figures, then the first discount that names the type', () => {
    const parsed = parsePriceOverrides(
      JSON.stringify({
        onDemand: { 'm5.large': 0.08, 'x9.new': 1 },
        discounts: [
          { instanceTypes: 'm5.*', percent: 50 },
          { instanceTypes: '*', percent: 10 },
        ],
      }),
    );
    const overrides = parsed.kind === 'valid' ? parsed.value : assert.fail();
    const prices = onDemandPrices(shippedPrices().onDemand, overrides);
    assert.equal(prices.get('m5.large'), 0.04);
    assert.equal(prices.get('x9.new'), 0.9);
    assert.equal(prices.get('c5.large'), 0.085 * 0.9);
  });

  const surcharges = [
    { instanceTypes: '*', usdPerHour: 0.01 },
    { instanceTypes: 'm5.*', usdPerHour: 0.02, capacityType: 'spot' },
  ];
  const SURCHARGED = [
    { instanceType: 'm5.large', capacityType: 'on-demand', usdPerHour: 0.11 },
    { instanceType: 'm5.large', capacityType: 'spot', usdPerHour: 0.07 },
    { instanceType: 'c5.large', capacityType: 'spot', usdPerHour: 0.06 },
    { instanceType: 'x9.new', capacityType: 'on-demand', usdPerHour: null },
  ] as const;
  for (const { instanceType, capacityType, usdPerHour } of SURCHARGED) {
    it(`add up the surcharges that name ${instanceType} as ${capacityType}`, () => {
      const parsed = parsePriceOverrides(JSON.stringify({ onDemand: { 'm5.large': 0.1 }, surcharges }));
      const overrides = parsed.kind === 'valid' ? parsed.value : assert.fail();
      const onDemand = onDemandPrices(new Map(), overrides);
      const spot = new Map([
        ['m5.large/a', 0.04],
        ['c5.large/a', 0.05],
      ]);
      const prices = { onDemand, spot, surcharges: overrides.surcharges };
      const price = priceOf(prices, { instanceType, zone: 'a', capacityType });
      assert.equal(price === null ? null : Math.round(price * 1e6) / 1e6, usdPerHour);
    });
  }

  const BAD = [
    {
      text: '{"surcharges": [{"instanceTypes": "*", "usdPerHour": -1}]}',
      says:
        'prices.surcharges[0]: needs instanceTypes ("*"), usdPerHour (0 or more), ' +
        'and if any a capacityType (spot, on-demand)',
    },
    { text: 'nonsense', says: 'prices: is no JSON; write {"onDemand": {"m5.large": 0.08}}' },
    { text: '[]', says: 'prices: must be an object' },
    { text: '{"spot": {}}', says: 'prices.spot: unknown field; write onDemand, discounts or surcharges' },
    {
      text: '{"onDemand": {"m5.large": "a"}}',
      says: 'prices.onDemand["m5.large"]: must be a number of USD per hour, 0 or more',
    },
    {
      text: '{"discounts": [{"percent": 101}]}',
      says: 'prices.discounts[0]: needs instanceTypes ("m5.*") and percent (0 to 100)',
    },
  ];
  for (const { text, says } of BAD) {
    it(`refuse ${text}`, () => {
      assert.deepEqual(parsePriceOverrides(text), { kind: 'invalid', problems: [says] });
    });
  }
});

describe('the memory of shortages', () => {
  const offering: OfferingKey = { instanceType: 'm5.large', zone: 'us-east-1a', capacityType: 'spot' };
  const minutes = (count: number): number => count * 60_000;

  it('lasts 3 minutes, then longer with each repeat, and is forgotten after a while', () => {
    const memory = new UnavailableOfferings(() => 0.5);
    memory.markUnavailable(offering, 0);
    memory.markUnavailable(offering, minutes(1));
    assert.ok(memory.isUnavailable(offering, minutes(3) - 1));
    assert.ok(!memory.isUnavailable(offering, minutes(3)));
    memory.markUnavailable(offering, minutes(4));
    assert.ok(memory.isUnavailable(offering, minutes(10) - 1));
    assert.ok(!memory.isUnavailable(offering, minutes(10)));
    memory.version(minutes(100));
    memory.markUnavailable(offering, minutes(100));
    assert.ok(!memory.isUnavailable(offering, minutes(103)));
  });

  it('never lasts longer than 12 minutes, jitter aside', () => {
    const memory = new UnavailableOfferings(() => 0.5);
    const marks = [0, 3, 9, 21, 33, 45].map(minutes);
    const lengths = marks.map((nowMs) => {
      memory.markUnavailable(offering, nowMs);
      const isOver = (count: number): boolean => !memory.isUnavailable(offering, nowMs + minutes(count));
      return [3, 6, 12].find(isOver);
    });
    assert.deepEqual(lengths, [3, 6, 12, 12, 12, 12]);
  });

  it('lasts a tenth shorter or longer by chance', () => {
    const untilOver = (chance: number): number => {
      const memory = new UnavailableOfferings(() => chance);
      memory.markUnavailable(offering, 0);
      return [162_000, 180_000, 197_999].filter((nowMs) => memory.isUnavailable(offering, nowMs)).length;
    };
    assert.deepEqual([0, 0.5, 0.999_999].map(untilOver), [0, 1, 3]);
  });

  it('covers only its own offering, or all of a capacity type', () => {
    const memory = new UnavailableOfferings(() => 0.5);
    memory.markUnavailable(offering, 0);
    assert.ok(!memory.isUnavailable({ ...offering, zone: 'us-east-1b' }, 0));
    assert.ok(!memory.isUnavailable({ ...offering, capacityType: 'on-demand' }, 0));
    memory.markUnavailable({ instanceType: '*', zone: '*', capacityType: 'spot' }, 0);
    assert.ok(memory.isUnavailable({ ...offering, zone: 'us-east-1b' }, 0));
    assert.ok(!memory.isUnavailable({ ...offering, capacityType: 'on-demand' }, 0));
  });

  it('changes its version when an offering goes and when it comes back', () => {
    const memory = new UnavailableOfferings(() => 0.5);
    const versions = [memory.version(0)];
    memory.markUnavailable(offering, 0);
    versions.push(memory.version(0), memory.version(minutes(3)));
    assert.equal(new Set(versions).size, 3);
    assert.equal(memory.version(minutes(2)), versions[1]);
  });
});

describe('settings', () => {
  it('read the minor version of Kubernetes', () => {
    assert.deepEqual(['1.34', 'v1.33.2-eks-1a2b', '1.29+', 'x'].map(kubernetesMinor), [34, 33, 29, 0]);
  });
});

describe('what an image family and a policy change', () => {
  const RAID0 = { instanceStorePolicy: 'RAID0' } as const;
  const HUGE = '[settings.kernel.sysctl]\n"vm.nr_hugepages" = "512"\n';

  it('RAID0 gives pods the local disks, where there are any', () => {
    const ephemeral = (name: string, fields: Partial<NodeClass>): number | undefined =>
      typeOf(name, {}, aNodeClass(fields)).capacity['ephemeral-storage'];
    assert.equal(ephemeral('m5d.large', RAID0), 75e9);
    assert.equal(ephemeral('i3en.24xlarge', RAID0), 60_000e9);
    assert.equal(ephemeral('m5d.large', {}), 20 * GIB);
    assert.equal(ephemeral('m5.large', RAID0), 20 * GIB);
  });

  it('huge pages come out of memory', () => {
    const plain = typeOf('m5.large', {}, aNodeClass({ amiFamily: 'Bottlerocket' }));
    const huge = typeOf('m5.large', {}, aNodeClass({ amiFamily: 'Bottlerocket', userData: HUGE }));
    assert.equal(huge.capacity['hugepages-2Mi'], GIB);
    assert.equal(huge.allocatable['hugepages-2Mi'], GIB);
    assert.equal((plain.allocatable.memory ?? 0) - (huge.allocatable.memory ?? 0), GIB);
    assert.equal(huge.capacity.memory, plain.capacity.memory);
    assert.equal(plain.capacity['hugepages-2Mi'], undefined);
  });

  it('Windows nodes are labelled, take 110 pods, and have addresses to ask for', () => {
    const { capacity, requirements } = typeOf('m5.large', {}, aNodeClass({ amiFamily: 'Windows2022' }));
    const label = (key: string) => requirements.find((one) => one.key === key)?.values;
    assert.deepEqual(label('kubernetes.io/os'), ['windows']);
    assert.deepEqual(label('node.kubernetes.io/windows-build'), ['10.0.20348']);
    assert.equal(capacity.pods, 110);
    assert.equal(capacity['vpc.amazonaws.com/PrivateIPv4Address'], 9);
    assert.equal(capacity['ephemeral-storage'], 50 * GIB);
  });

  const DEVICES = [
    { type: 'p5.48xlarge', resource: 'nvidia.com/gpu', amount: 8 },
    { type: 'p5.48xlarge', resource: 'vpc.amazonaws.com/efa', amount: 32 },
    { type: 'inf2.24xlarge', resource: 'aws.amazon.com/neuron', amount: 6 },
    { type: 'trn1.2xlarge', resource: 'aws.amazon.com/neuroncore', amount: 2 },
    { type: 'm5.large', resource: 'vpc.amazonaws.com/pod-eni', amount: 9 },
  ];
  for (const { type, resource, amount } of DEVICES) {
    it(`${type} offers ${amount} ${resource}`, () => {
      const { capacity } = typeOf(type, {}, aNodeClass(), { ...SETTINGS, podEni: true });
      assert.equal(capacity[resource], amount);
    });
  }
});

describe('accelerators of other makers', () => {
  const MAKERS = [
    { manufacturer: 'AMD', resource: 'amd.com/gpu' },
    { manufacturer: 'Habana', resource: 'habana.ai/gaudi' },
    { manufacturer: 'NVIDIA', resource: 'nvidia.com/gpu' },
  ];
  for (const { manufacturer, resource } of MAKERS) {
    it(`${manufacturer}'s are ${resource}`, () => {
      const gpu = { name: 'x', manufacturer, count: 8, memoryMib: 1024 };
      const shape = { settings: SETTINGS, kubelet: {}, nodeClass: aNodeClass() };
      const { capacity } = unpricedType({ ...factsOf('m5.large'), gpu }, shape);
      assert.equal(capacity[resource], 8);
    });
  }
});

describe('memory learned from nodes', () => {
  const memoryOf = async (cloud: ReturnType<typeof aWorld>['cloud']): Promise<number | undefined> => {
    const outcome = await cloud.instanceTypes(aProvisioner(), aNodeClass());
    const types = outcome.kind === 'found' ? outcome.instanceTypes : assert.fail(outcome.message);
    return types.find(({ name }) => name === 'm5.large')?.capacity.memory;
  };
  const seen = (memoryBytes: number, imageId = 'ami-amd64') => ({
    instanceType: 'm5.large',
    imageId,
    memoryBytes,
  });

  it('takes the place of the guess, the least counting, for the image that it was seen with', async () => {
    const { cloud, restarted } = aWorld();
    const guess = (8192 - 615) * MIB;
    assert.equal(await memoryOf(cloud), guess);
    cloud.noteNode(seen(1 * GIB, 'ami-other'));
    assert.equal(await memoryOf(cloud), guess);
    cloud.noteNode(seen(8_000_000_000));
    assert.equal(await memoryOf(cloud), 8_000_000_000);
    cloud.noteNode(seen(7_999_000_000));
    cloud.noteNode(seen(8_000_000_000));
    assert.equal(await memoryOf(cloud), 7_999_000_000);
    cloud.noteNode(seen(0));
    assert.equal(await memoryOf(cloud), 7_999_000_000);
    // A new process knows nothing until the nodes that are there have told it again.
    const next = restarted();
    assert.equal(await memoryOf(next), guess);
    next.noteNode(seen(8_000_000_000));
    assert.equal(await memoryOf(next), 8_000_000_000);
  });
});
