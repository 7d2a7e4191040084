// Entry of the planning thread.
import { parentPort, workerData } from 'node:worker_threads';
import { checkedPlan } from '../scheduling/checkedPlan.ts';
import type { ThreadSettings } from './messages.ts';
import { servePlans } from './planServer.ts';
import { warmUp } from './warmUp.ts';

if (parentPort === null) throw new Error('this is the entry of a thread; `cooper run` starts it');
warmUp();
servePlans(parentPort, workerData as ThreadSettings, checkedPlan);
