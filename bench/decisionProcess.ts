// Decisions on consolidation over a large cluster, made in the planning thread while the event loop is watched.
import { text } from 'node:stream/consumers';
import { PodChanges } from '../src/controllers/podChanges.ts';
import { ThreadPlanner } from '../src/planner/threadPlanner.ts';
import type { Telemetry } from '../src/ports/telemetry.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createMetrics } from '../src/telemetry/metrics.ts';
import { type Blocks, watchEventLoop } from './eventLoopWatch.ts';
import { fragmentedCluster } from './fragmented.ts';

export interface DecisionOrder {
  readonly nodes: number;
  readonly repeats: number;
}

export interface DecisionAnswer {
  readonly nodes: number;
  readonly pods: number;
  /** Of each decision, the first in a thread that has just been started. */
  readonly wallMs: readonly number[];
  /** Of all threads. */
  readonly cpuMs: readonly number[];
  /** While the cluster was told for the first time, and while the decisions were made. */
  readonly telling: Blocks;
  readonly deciding: Blocks;
  readonly wentAway: number;
}

const PAUSE_MS = 200;

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

async function main({ nodes, repeats }: DecisionOrder): Promise<DecisionAnswer> {
  const { metrics } = createMetrics();
  const log = createLog('error', (line) => process.stderr.write(line));
  const telemetry: Telemetry = { log, metrics, dump: () => 'not kept' };
  const { snapshot, catalogue } = fragmentedCluster('crowded', nodes);
  const planner = new ThreadPlanner({ telemetry, dumpFolder: '' });
  const podChanges = new PodChanges();
  podChanges.look(snapshot);
  await pause();
  const untilTold = watchEventLoop();
  await planner.prepare(snapshot);
  const telling = untilTold();
  const wallMs: number[] = [];
  const cpuMs: number[] = [];
  let wentAway = 0;
  await pause();
  const untilDecided = watchEventLoop();
  for (let index = 0; index < repeats; index++) {
    const startMs = performance.now();
    const cpu = process.cpuUsage();
    // What the controller does before it asks, in the turn in which it asks.
    podChanges.look(snapshot);
    const view = { nominatedUntilMs: new Map<string, number>(), podsChangedAtMs: podChanges.changes() };
    const { action, halted } = await planner.consolidate({ snapshot, catalogue, view });
    if (action === null) throw new Error(`nothing was found: ${halted}`);
    const used = process.cpuUsage(cpu);
    wallMs.push(performance.now() - startMs);
    cpuMs.push((used.user + used.system) / 1000);
    wentAway = action.nodeClaims.length;
  }
  const deciding = untilDecided();
  await planner.stop();
  const { nodes: standing, pods } = snapshot;
  return { nodes: standing.length, pods: pods.length, wallMs, cpuMs, telling, deciding, wentAway };
}

process.stdout.write(JSON.stringify(await main(JSON.parse(await text(process.stdin)) as DecisionOrder)));
