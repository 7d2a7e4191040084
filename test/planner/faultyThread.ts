// A planning thread with a fault, named in a file of its dump folder: what `threadPlanner.test.ts` starts.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { ThreadSettings } from '../../src/planner/messages.ts';
import { servePlans } from '../../src/planner/planServer.ts';
import { checkedPlan } from '../../src/scheduling/checkedPlan.ts';
import { checkPlan } from '../../src/scheduling/checker/checkPlan.ts';
import { schedule } from '../../src/scheduling/scheduler.ts';

const settings = workerData as ThreadSettings;
const fault = readFileSync(join(settings.dumpFolder, 'fault'), 'utf8');

/** True in the first life of the thread alone. */
function isFirstLife(): boolean {
  const mark = join(settings.dumpFolder, 'has-lived');
  if (existsSync(mark)) return false;
  writeFileSync(mark, '');
  return true;
}

const faulty: typeof checkedPlan = (snapshot, catalogue, pods, options) => {
  switch (fault) {
    case 'dies':
      process.exit(3);
      break;
    case 'dies once':
      if (isFirstLife()) process.exit(3);
      break;
    case 'hangs':
      for (;;);
    case 'throws':
      throw new Error('planted');
    case 'forgets a pod': {
      const plan = schedule(snapshot, catalogue, pods, options);
      const nodeClaims = plan.nodeClaims.map((claim) => ({ ...claim, pods: claim.pods.slice(1) }));
      return { plan, violations: checkPlan(snapshot, catalogue, pods, { ...plan, nodeClaims }) };
    }
  }
  return checkedPlan(snapshot, catalogue, pods, options);
};

if (parentPort !== null) servePlans(parentPort, settings, faulty);
