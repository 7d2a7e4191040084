// Gauges of Provisioners: they come, follow their figures, and go with their Provisioner or limit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ShownGauges, showProvisioners } from '../../src/controllers/provisionerGauges.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { aNodeClaim, aProvisioner } from '../builders.ts';

test('a Provisioner that is deleted takes its series along, and a limit that is lifted its own', async () => {
  const { metrics, registry } = createMetrics();
  const shown: ShownGauges = new Map();
  const claim = aNodeClaim();
  const nodeClaims = [{ ...claim, status: { ...claim.status, usdPerHour: 0.25 } }];
  const used = new Map([['default', { cpu: 2000 }]]);
  const series = async (): Promise<readonly string[]> => {
    const text = await registry.metrics();
    return text.split('\n').filter((line) => /^(karpenter|cooper)_provisioner_.*\{/.test(line));
  };
  const limited = aProvisioner({ name: 'default', limits: { cpu: 4000 } });
  const paused = new Set(['default']);
  showProvisioners(metrics, shown, { provisioners: [limited], nodeClaims, used, paused });
  assert.deepEqual(await series(), [
    'karpenter_provisioner_usage{provisioner="default",resource_type="cpu"} 2000',
    'karpenter_provisioner_limit{provisioner="default",resource_type="cpu"} 4000',
    'karpenter_provisioner_usage_pct{provisioner="default",resource_type="cpu"} 50',
    'cooper_provisioner_usd_per_hour{provisioner="default"} 0.25',
    'cooper_provisioner_launches_paused{provisioner="default"} 1',
  ]);
  showProvisioners(metrics, shown, {
    provisioners: [{ ...limited, limits: null }],
    nodeClaims,
    used,
    paused: new Set(),
  });
  assert.deepEqual(await series(), [
    'karpenter_provisioner_usage{provisioner="default",resource_type="cpu"} 2000',
    'cooper_provisioner_usd_per_hour{provisioner="default"} 0.25',
    'cooper_provisioner_launches_paused{provisioner="default"} 0',
  ]);
  showProvisioners(metrics, shown, { provisioners: [], nodeClaims, used, paused: new Set() });
  assert.deepEqual(await series(), []);
  assert.equal(shown.size, 0);
});
