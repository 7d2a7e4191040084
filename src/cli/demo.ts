// `cooper demo`: the controllers at work on a simulated cluster and EC2 account, told as it happens.
import { setTimeout as sleep } from 'node:timers/promises';
import picocolors from 'picocolors';
import type { Colors } from 'picocolors/types.js';
import type { Scenario } from '../simulator/scenario.ts';
import { setupOf } from '../simulator/scenario.ts';
import { type Pace, Simulation } from '../simulator/simulation.ts';
import { DemoTimeline } from './demoTimeline.ts';
import { DemoVerdict } from './demoVerdict.ts';
import { REAL_CLOCK } from './realClock.ts';
import { instanceTypesFor, loadScenario } from './scenarioFiles.ts';

const STORY = 'elastic-nginx';
/** Between two looks at whether the story is over, and whether a line is to be written. */
const STEP_MS = 250;

export interface DemoOptions {
  /** On a virtual clock that does not wait. */
  readonly fast: boolean;
  readonly seed?: string;
}

export interface DemoIo {
  readonly writeLine: (line: string) => void;
  /** Whether lines may be coloured; a terminal's standard output decides when absent. */
  readonly colours?: boolean;
}

/** Tells the story; returns 0 when it held, 1 when it did not. The last line is one sentence with the outcome. */
export async function demoCommand({ fast, seed = '1' }: DemoOptions, io: DemoIo): Promise<number> {
  const loaded = loadScenario(STORY);
  if (loaded.kind === 'refused') {
    for (const problem of loaded.problems) io.writeLine(problem);
    return 1;
  }
  const { scenario } = loaded;
  const colors = picocolors.createColors(io.colours ?? process.stdout.isTTY === true);
  const simulation = new Simulation(setupOf(scenario, seed, instanceTypesFor(scenario)));
  const timeline = new DemoTimeline(scenario.startMs, colors, io.writeLine);
  const verdict = new DemoVerdict();
  simulation.history.listen((entry) => {
    timeline.note(entry);
    verdict.note(entry);
  });
  simulation.onStep(() => timeline.flush(simulation.clock.nowMs()));
  introduce(scenario, colors, { fast, writeLine: io.writeLine });
  const pace = fast ? undefined : realPace(scenario.startMs);
  let untilMs = scenario.startMs;
  while (untilMs < scenario.endMs && !verdict.isOver(simulation)) {
    untilMs += STEP_MS;
    await simulation.run(untilMs, pace);
  }
  timeline.flush(Number.POSITIVE_INFINITY);
  const { holds, sentence } = verdict.conclude(simulation);
  io.writeLine('');
  io.writeLine(holds ? colors.green(sentence) : colors.red(sentence));
  return holds ? 0 : 1;
}

function introduce(
  { objects, staticNodes }: Scenario,
  colors: Colors,
  { fast, writeLine }: { readonly fast: boolean; readonly writeLine: (line: string) => void },
): void {
  const clock = fast ? 'on a virtual clock' : 'in real time, for about a minute and a half';
  writeLine(colors.bold(`Cooper's controllers on a simulated cluster and EC2 account, ${clock}.`));
  for (const { name, instanceType, zone } of staticNodes) {
    writeLine(`Node ${name} (${instanceType}, ${zone}) is there and nearly full.`);
  }
  for (const { name, ttlAfterEmptyMs, limits } of objects.provisioners) {
    const limit = limits === null ? 'no limits' : `at most ${(limits.cpu ?? 0) / 1000} CPU in all`;
    const ttl = ttlAfterEmptyMs === null ? 'stay' : `go after ${ttlAfterEmptyMs / 1000} s`;
    writeLine(`Provisioner ${name} is applied: on-demand capacity, ${limit}, empty nodes ${ttl}.`);
  }
  writeLine('Deployment web/nginx goes from 1 to 8 replicas after 5 s, and to 0 after 45 s.');
  writeLine('');
}

/** Holds simulated time back to the pace of the machine's clock. */
function realPace(startMs: number): Pace {
  const aheadMs = startMs - REAL_CLOCK.nowMs();
  return async (virtualMs) => {
    const waitMs = virtualMs - aheadMs - REAL_CLOCK.nowMs();
    if (waitMs > 0) await sleep(waitMs);
  };
}
