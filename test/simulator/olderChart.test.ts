// A newer Cooper under the rights of an older chart: drains go on, and volumes still detach first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeed } from '../fuzz/runSeed.ts';

const SEEDS = 10;

test('where attachments may not be listed, drains end, and no instance goes under a volume', async () => {
  let waits = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violations } = await runSeed(seed, ({ kube }) => {
      const reports = kube.reportsVolumes.bind(kube);
      kube.readVolumeAttachments = async () => 'forbidden';
      kube.reportsVolumes = async (nodeName) => {
        const isReported = await reports(nodeName);
        if (isReported) waits += 1;
        return isReported;
      };
    });
    assert.deepEqual(violations, [], `seed ${seed}`);
  }
  assert.ok(waits > 0, 'no drain had a volume to wait for');
});
