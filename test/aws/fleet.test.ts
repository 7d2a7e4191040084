// What a fleet is asked for: how many types and offerings at most, and which subnet while other fleets are under way.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Candidate, clientToken, fleetCandidates } from '../../src/aws/fleet.ts';
import { launchTemplateDraft } from '../../src/aws/launchTemplates.ts';
import { fleetInput, launchTemplateInput } from '../../src/aws/sdkEc2Requests.ts';
import { shippedFacts } from '../../src/aws/shippedCatalogue.ts';
import { SubnetLedger } from '../../src/aws/subnets.ts';
import type { CapacityType } from '../../src/model/instanceType.ts';
import { aNodeClass, anInstanceType } from '../builders.ts';
import { SETTINGS, StillClock } from './account.ts';

const [facts = assert.fail()] = shippedFacts().facts;

/** That many types, each dearer than the one before, in that many zones. */
function candidates(types: number, zones: number, capacityType: CapacityType): readonly Candidate[] {
  return Array.from({ length: types }, (_, index) => index).flatMap((index) => {
    const type = anInstanceType({ name: `m5.size${index}` });
    return Array.from({ length: zones }, (_zone, zone) => ({
      zone: `us-east-1${zone}`,
      capacityType,
      usdPerHour: 1 + index / 100,
      available: true,
      launchable: { type, facts, image: null },
    }));
  });
}

function typesOf(chosen: readonly Candidate[]): readonly string[] {
  return [...new Set(chosen.map(({ launchable }) => launchable.type.name))];
}

describe('what a fleet may buy', () => {
  it('is at most 60 types, the cheapest, whatever their order', () => {
    const chosen = fleetCandidates(candidates(80, 3, 'on-demand').toReversed());
    assert.equal(chosen.length, 180);
    assert.deepEqual(
      new Set(typesOf(chosen)),
      new Set(Array.from({ length: 60 }, (_, index) => `m5.size${index}`)),
    );
  });

  it('is at most 300 overrides', () => {
    assert.equal(fleetCandidates(candidates(60, 6, 'spot')).length, 300);
  });

  it('is spot alone while any is in stock that is no dearer than the cheapest on-demand', () => {
    const onDemand = candidates(3, 1, 'on-demand');
    const spot = candidates(3, 1, 'spot');
    assert.deepEqual(typesOf(fleetCandidates([...onDemand, ...spot])), ['m5.size0']);
    const gone = spot.map((one) => ({ ...one, available: false }));
    assert.equal(fleetCandidates([...onDemand, ...gone])[0]?.capacityType, 'on-demand');
  });

  it('names a token of 64 characters that differs from try to try', () => {
    const tokens = [0, 1, 2].map((attempt) => clientToken('uid', attempt));
    assert.equal(new Set(tokens).size, 3);
    assert.ok(tokens.every(({ length }) => length === 64));
  });
});

describe('the subnet of a zone', () => {
  const subnets = [
    { id: 'a', zone: 'z', freeAddresses: 100 },
    { id: 'b', zone: 'z', freeAddresses: 90 },
  ];
  const chosen = (ledger: SubnetLedger): string | undefined => ledger.choose(subnets).get('z')?.id;

  it('is another one while a fleet that has not been answered may take the addresses of the first', () => {
    const ledger = new SubnetLedger(new StillClock());
    assert.equal(chosen(ledger), 'a');
    const release = ledger.hold(new Map([['a', 20]]));
    assert.equal(chosen(ledger), 'b');
    release();
    assert.equal(chosen(ledger), 'a');
    ledger.reserve('a', 11);
    assert.equal(chosen(ledger), 'b');
  });

  it('is the first again once EC2 counts what was taken, or has had time to', () => {
    const clock = new StillClock();
    const ledger = new SubnetLedger(clock);
    ledger.reserve('a', 50);
    ledger.markExhausted('b');
    assert.equal(chosen(ledger), 'a');
    clock.pass(181_000);
    assert.equal(chosen(ledger), 'a');
    ledger.markExhausted('a');
    assert.equal(chosen(ledger), 'b');
  });
});

describe('what a node class adds', () => {
  it('is detailed monitoring in the template and the context in the request', () => {
    const nodeClass = aNodeClass({ detailedMonitoring: true });
    const draft = launchTemplateDraft(
      {
        ...{ provisioner: 'default', nodeClass, imageId: 'ami-1', userData: '', instanceProfile: 'nodes' },
        securityGroupIds: ['sg-1'],
        capacityReservationId: null,
      },
      SETTINGS,
    );
    assert.deepEqual(launchTemplateInput(draft).LaunchTemplateData?.Monitoring, { Enabled: true });
    const request = { clientToken: 't', capacityType: 'spot' as const, count: 1, templates: [], tags: {} };
    assert.equal(fleetInput({ ...request, context: 'reserved-1' }).Context, 'reserved-1');
    assert.equal(fleetInput({ ...request, context: null }).Context, undefined);
  });
});
