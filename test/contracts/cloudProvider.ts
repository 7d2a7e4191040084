// What every CloudProvider must do, whoever stands behind it: one suite, run over each of them.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import { type LaunchGroup, NO_STATUS, type NodeClaim } from '../../src/model/nodeClaim.ts';
import type { NodeClass } from '../../src/model/nodeClass.ts';
import type { Provisioner } from '../../src/model/provisioner.ts';
import type { Requirement } from '../../src/model/requirement.ts';
import type { CloudProvider, LaunchedInstance } from '../../src/ports/cloudProvider.ts';

/** One account with a provider over it. */
export interface CloudHarness {
  readonly cloud: CloudProvider;
  readonly provisioner: Provisioner;
  readonly nodeClass: NodeClass;
  /** Two types that the account sells on demand, at known prices. */
  readonly instanceTypes: readonly [string, string];
  nowMs(): number;
  /** Lets this much time pass, or waits for as long as the account needs to settle. */
  pass(durationMs: number): Promise<void>;
  /** Instances that the account itself counts as living and owned, asked around the provider. */
  living(): Promise<number>;
  /** A provider over the same account that remembers nothing: the controller started again. */
  restarted(): CloudProvider;
  /** The account runs out of a type, in all zones, on demand. */
  runOutOf(instanceType: string): Promise<void>;
  /** The next launch goes through, and its answer is lost. */
  loseNextLaunch(): Promise<void>;
  close(): Promise<void>;
}

/** What an account can be made to do; the tests that need more are not registered for it. */
export interface CloudAbilities {
  readonly restarts: boolean;
  readonly runsOut: boolean;
  readonly losesAnswers: boolean;
}

export const ALL_ABILITIES: CloudAbilities = { restarts: true, runsOut: true, losesAnswers: true };

let claims = 0;

/** A claim that any of the types would do for, cheapest first. */
export function claimFor(
  harness: CloudHarness,
  instanceTypes: readonly string[],
  launchGroup?: LaunchGroup,
): NodeClaim {
  claims += 1;
  const requirements: readonly Requirement[] = [
    { key: LABEL.capacityType, operator: 'In', values: ['on-demand'] },
    { key: LABEL.instanceType, operator: 'In', values: instanceTypes },
  ];
  const { provisioner } = harness;
  return {
    name: `${provisioner.name}-${claims}`,
    uid: `00000000-0000-4000-8000-${String(claims).padStart(12, '0')}`,
    resourceVersion: '1',
    finalizers: [],
    createdAtMs: harness.nowMs(),
    deletionRequestedAtMs: null,
    emptySinceMs: null,
    spec: {
      provisioner: provisioner.name,
      nodeClassRef: provisioner.nodeClassRef,
      labels: provisioner.labels,
      annotations: {},
      taints: [],
      startupTaints: [],
      kubelet: provisioner.kubelet,
      requirements,
      instanceTypes,
      requests: {},
      ...(launchGroup === undefined ? {} : { launchGroup }),
    },
    status: NO_STATUS,
  };
}

/** Claims of one plan that are alike, as the controllers mark them. */
function groupFor(harness: CloudHarness, size: number): readonly NodeClaim[] {
  const launchGroup = { id: `group-${claims + 1}-${harness.nowMs()}`, size };
  return Array.from({ length: size }, () => claimFor(harness, harness.instanceTypes, launchGroup));
}

/** Provider ids by claim uid, of the claims that got an instance; `stored` is what their statuses said before. */
async function launchTogether(
  harness: CloudHarness,
  cloud: CloudProvider,
  group: readonly NodeClaim[],
  stored: ReadonlyMap<string, string> = new Map(),
): Promise<ReadonlyMap<string, string>> {
  const got = new Map(stored);
  const waiting = group.filter(({ uid }) => !stored.has(uid));
  const taken = (): ReadonlySet<string> => new Set(stored.values());
  await Promise.all(
    waiting.map(async (claim) => {
      const outcome = await cloud.launch(claim, harness.nodeClass, taken);
      if (outcome.kind === 'launched') got.set(claim.uid, outcome.instance.providerId);
    }),
  );
  return got;
}

function assertOneEach(got: ReadonlyMap<string, string>, group: readonly NodeClaim[]): void {
  assert.equal(got.size, group.length, 'a claim without an instance');
  assert.equal(new Set(got.values()).size, group.length, 'an instance for two claims');
}

async function launched(harness: CloudHarness, claim: NodeClaim): Promise<LaunchedInstance> {
  const outcome = await harness.cloud.launch(claim, harness.nodeClass);
  assert.equal(outcome.kind, 'launched', JSON.stringify(outcome));
  return outcome.kind === 'launched' ? outcome.instance : assert.fail();
}

async function terminated(harness: CloudHarness, cloud: CloudProvider, providerId: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    if ((await cloud.terminate(providerId)) === 'gone') return;
    await harness.pass(5_000);
  }
  assert.fail(`${providerId} is not gone after 50 tries`);
}

/** Registers the suite. `open` makes a fresh account. */
export function cloudProviderContract(
  name: string,
  open: () => Promise<CloudHarness>,
  abilities: CloudAbilities = ALL_ABILITIES,
): void {
  describe(`${name}: the CloudProvider contract`, () => {
    let harness: CloudHarness;
    before(async () => {
      harness = await open();
    });
    after(() => harness.close());

    sellingTests(() => harness);
    launchingTests(() => harness);
    groupTests(() => harness);
    terminatingTests(() => harness);
    if (abilities.restarts) {
      restartTests(() => harness);
      restartedGroupTests(() => harness);
    }
    if (abilities.losesAnswers) {
      lostAnswerTests(() => harness);
      lostGroupTests(() => harness);
    }
    // Last: it leaves the account empty.
    if (abilities.runsOut) shortageTests(() => harness);
  });
}

function sellingTests(current: () => CloudHarness): void {
  it('offers types with capacity, less allocatable, priced offerings and labels', async () => {
    const { cloud, provisioner, nodeClass, instanceTypes } = current();
    const outcome = await cloud.instanceTypes(provisioner, nodeClass);
    assert.equal(outcome.kind, 'found', JSON.stringify(outcome));
    const types = outcome.kind === 'found' ? outcome.instanceTypes : [];
    for (const name of instanceTypes) {
      const type = types.find((one) => one.name === name) ?? assert.fail(`${name} is not offered`);
      assert.ok((type.allocatable.cpu ?? 0) > 0 && (type.allocatable.cpu ?? 0) <= (type.capacity.cpu ?? 0));
      assert.ok(
        (type.allocatable.memory ?? 0) > 0 && (type.allocatable.memory ?? 0) < (type.capacity.memory ?? 0),
      );
      assert.ok((type.capacity.pods ?? 0) > 0);
      assert.ok(type.offerings.length > 0 && type.offerings.every(({ usdPerHour }) => usdPerHour > 0));
      const labels = new Map(type.requirements.map(({ key, values }) => [key, values]));
      assert.deepEqual(labels.get(LABEL.instanceType), [name]);
      assert.equal(labels.get(LABEL.arch)?.length, 1);
    }
  });
}

function launchingTests(current: () => CloudHarness): void {
  it('launches one instance of an allowed type and says what it is', async () => {
    const harness = current();
    const [type] = harness.instanceTypes;
    const claim = claimFor(harness, [type]);
    const before = await harness.living();
    const instance = await launched(harness, claim);
    assert.match(instance.providerId, /^aws:\/\/\/[a-z0-9-]+\/i-[0-9a-z]+$/);
    assert.equal(instance.instanceType, type);
    assert.equal(instance.capacityType, 'on-demand');
    assert.equal(instance.nodeClaim, claim.name);
    assert.equal(instance.nodeClaimUid, claim.uid);
    assert.ok((instance.usdPerHour ?? 0) > 0);
    assert.ok((instance.allocatable.cpu ?? 0) > 0);
    assert.equal(await harness.living(), before + 1);
  });

  it('gives the same instance when a launch is repeated', async () => {
    const harness = current();
    const claim = claimFor(harness, harness.instanceTypes);
    const first = await launched(harness, claim);
    const before = await harness.living();
    const second = await launched(harness, claim);
    assert.equal(second.providerId, first.providerId);
    assert.equal(await harness.living(), before);
  });

  it('lists what it launched, with owner, at once', async () => {
    const harness = current();
    const claim = claimFor(harness, harness.instanceTypes);
    const instance = await launched(harness, claim);
    const listed = (await harness.cloud.list()).filter(
      ({ providerId }) => providerId === instance.providerId,
    );
    assert.equal(listed.length, 1);
    const { nodeClaim, nodeClaimUid, provisioner, instanceType, zone } = listed[0] ?? assert.fail();
    assert.deepEqual(
      { nodeClaim, nodeClaimUid, provisioner, instanceType, zone },
      {
        nodeClaim: claim.name,
        nodeClaimUid: claim.uid,
        provisioner: claim.spec.provisioner,
        instanceType: instance.instanceType,
        zone: instance.zone,
      },
    );
  });

  it('has launched with what a launch would use now: nothing has drifted', async () => {
    const harness = current();
    const instance = await launched(harness, claimFor(harness, harness.instanceTypes));
    const targets = (await harness.cloud.nodeClassTargets?.(harness.nodeClass)) ?? assert.fail();
    const listed = async () =>
      (await harness.cloud.list()).find(({ providerId }) => providerId === instance.providerId);
    let described = await listed();
    for (let tries = 0; described?.subnetId === undefined && tries < 20; tries += 1) {
      await harness.pass(5_000);
      described = await listed();
    }
    assert.ok(targets.imageIds?.includes(instance.imageId), `${instance.imageId} of ${targets.imageIds}`);
    assert.ok(targets.subnetIds.includes(described?.subnetId ?? ''));
    assert.deepEqual(
      [...(described?.securityGroupIds ?? [])].sort(),
      [...(targets.securityGroupIds ?? [])].sort(),
    );
  });
}

function groupTests(current: () => CloudHarness): void {
  it('gives each claim of a group an instance of its own, and says at once whose it is', async () => {
    const harness = current();
    const group = groupFor(harness, 5);
    const before = await harness.living();
    const got = await launchTogether(harness, harness.cloud, group);
    assertOneEach(got, group);
    assert.equal(await harness.living(), before + 5);
    const listed = new Map((await harness.cloud.list()).map((one) => [one.providerId, one.nodeClaimUid]));
    for (const [uid, providerId] of got) assert.equal(listed.get(providerId), uid);
    // Asked again, in another order: the same.
    assert.deepEqual(await launchTogether(harness, harness.cloud, group.toReversed()), got);
    assert.equal(await harness.living(), before + 5);
  });
}

function lostGroupTests(current: () => CloudHarness): void {
  it('launches each claim of a group once when the answer is lost', async () => {
    const harness = current();
    const group = groupFor(harness, 4);
    const before = await harness.living();
    await harness.loseNextLaunch();
    let got = await launchTogether(harness, harness.cloud, group);
    for (let tries = 0; got.size < 4 && tries < 10; tries += 1)
      got = await launchTogether(harness, harness.cloud, group, got);
    assertOneEach(got, group);
    assert.equal(await harness.living(), before + 4);
  });
}

function restartedGroupTests(current: () => CloudHarness): void {
  it('finds the instances of a group again after a restart', async () => {
    const harness = current();
    const group = groupFor(harness, 4);
    const first = await launchTogether(harness, harness.cloud, group);
    assertOneEach(first, group);
    const before = await harness.living();
    await harness.pass(60_000);
    // The second claim's status was written, the others' answers died with the controller.
    const stored = new Map([...first].slice(1, 2));
    const again = await launchTogether(harness, harness.restarted(), group, stored);
    assertOneEach(again, group);
    assert.deepEqual(new Set(again.values()), new Set(first.values()));
    assert.equal(await harness.living(), before);
  });
}

function restartTests(current: () => CloudHarness): void {
  it('finds the instance of a claim again after a restart', async () => {
    const harness = current();
    const claim = claimFor(harness, harness.instanceTypes);
    const first = await launched(harness, claim);
    const before = await harness.living();
    await harness.pass(60_000);
    const outcome = await harness.restarted().launch(claim, harness.nodeClass);
    assert.equal(outcome.kind === 'launched' && outcome.instance.providerId, first.providerId);
    assert.equal(await harness.living(), before);
  });
}

function terminatingTests(current: () => CloudHarness): void {
  it('terminates until gone, and an instance already gone is gone', async () => {
    const harness = current();
    const instance = await launched(harness, claimFor(harness, harness.instanceTypes));
    const before = await harness.living();
    await terminated(harness, harness.cloud, instance.providerId);
    assert.equal(await harness.living(), before - 1);
    assert.equal(await harness.cloud.terminate(instance.providerId), 'gone');
    const listed = await harness.cloud.list();
    assert.ok(listed.every((one) => one.providerId !== instance.providerId || one.state === 'terminated'));
  });

  it('says of a console what there is, or why there is nothing, and never throws', async () => {
    const harness = current();
    const instance = await launched(harness, claimFor(harness, harness.instanceTypes));
    const { zone, providerId } = instance;
    for (const id of [providerId, `aws:///${zone}/i-0123456789abcdef0`]) {
      const tail = (await harness.cloud.consoleTail?.(id)) ?? assert.fail('consoles are not known');
      const text = tail.kind === 'lines' ? tail.lines.join(' | ') : tail.because;
      assert.ok(text.length > 0 && text.length < 900, text);
      if (id !== providerId) assert.equal(tail.kind, 'none');
    }
  });

  it('says gone of an instance that never was', async () => {
    const harness = current();
    const { zone } = await launched(harness, claimFor(harness, harness.instanceTypes));
    assert.equal(await harness.cloud.terminate(`aws:///${zone}/i-0123456789abcdef0`), 'gone');
  });
}

function lostAnswerTests(current: () => CloudHarness): void {
  it('launches once when the answer to a launch is lost', async () => {
    const harness = current();
    const claim = claimFor(harness, harness.instanceTypes);
    const before = await harness.living();
    await harness.loseNextLaunch();
    assert.equal((await harness.cloud.launch(claim, harness.nodeClass)).kind, 'retryable');
    await launched(harness, claim);
    assert.equal(await harness.living(), before + 1);
  });
}

function shortageTests(current: () => CloudHarness): void {
  it('takes the next type when one is out of stock, and says so when all are', async () => {
    const harness = current();
    const [first, second] = harness.instanceTypes;
    await harness.runOutOf(first);
    const claim = claimFor(harness, [first, second]);
    let outcome = await harness.cloud.launch(claim, harness.nodeClass);
    // A provider may tell of the shortage first: asked again, it leaves out what it was told of.
    if (outcome.kind === 'insufficientCapacity')
      outcome = await harness.cloud.launch(claim, harness.nodeClass);
    assert.equal(outcome.kind === 'launched' && outcome.instance.instanceType, second);
    await harness.runOutOf(second);
    const before = await harness.living();
    outcome = await harness.cloud.launch(claimFor(harness, [first, second]), harness.nodeClass);
    assert.equal(outcome.kind, 'insufficientCapacity');
    assert.equal(await harness.living(), before);
    const types = await harness.cloud.instanceTypes(harness.provisioner, harness.nodeClass);
    const sold = types.kind === 'found' ? types.instanceTypes.filter(({ name }) => name === first) : [];
    const onDemand = sold
      .flatMap(({ offerings }) => offerings)
      .filter((one) => one.capacityType === 'on-demand');
    assert.ok(onDemand.length > 0 && onDemand.every(({ available }) => !available));
  });
}
