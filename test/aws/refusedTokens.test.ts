// A fleet that EC2 refuses leaves its token unused: the next one must use it, or a restart could buy twice.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LABEL } from '../../src/model/labels.ts';
import { aNodeClass } from '../builders.ts';
import { aWorld } from './account.ts';

const nodeClass = aNodeClass();
const ON_DEMAND = [{ key: LABEL.capacityType, operator: 'In' as const, values: ['on-demand'] }];

describe('a fleet refused before the one that bought', () => {
  const CODES = [
    'InvalidLaunchTemplateName.NotFoundException',
    'InsufficientInstanceCapacity',
    'MaxSpotInstanceCountExceeded',
    'UnauthorizedOperation',
    'InvalidSubnetID.NotFound',
  ];
  for (const code of CODES) {
    for (const pauseMs of [1_000, 10_000]) {
      it(`with ${code}: one instance, though the controller dies and EC2 lags, ${pauseMs} ms later`, async () => {
        const world = aWorld();
        world.ec2.lagMs = 20_000;
        const claim = world.claim({}, { requirements: ON_DEMAND });
        world.ec2.order({ action: 'createFleet', when: 'before', code });
        let outcome = await world.cloud.launch(claim, nodeClass);
        // Tried again as the controllers do, or as a person does who has mended the policy.
        if (outcome.kind !== 'launched') {
          world.clock.pass(200_000);
          await world.cloud.refresh();
          outcome = await world.cloud.launch(claim, nodeClass);
        }
        assert.equal(outcome.kind, 'launched', JSON.stringify(outcome));
        world.clock.pass(pauseMs);
        const again = world.restarted();
        for (let tries = 0; tries < 30; tries += 1) {
          const found = await again.launch(claim, nodeClass);
          if (found.kind === 'launched') break;
          world.clock.pass(3_000);
        }
        assert.equal(world.ec2.everyInstance().length, 1);
      });
    }
  }
});
