// The simulator: how long long scenarios take, and how much memory, each in a process of its own.
import { fileURLToPath } from 'node:url';
import { boundedFigure, plainFigure, type Report } from './figure.ts';
import { runCommand } from './karpenterPeer.ts';
import type { SimulatorAnswer } from './simulatorProcess.ts';

const PROCESS = fileURLToPath(new URL('./simulatorProcess.ts', import.meta.url));
const FOLDER = fileURLToPath(new URL('.', import.meta.url));

interface Goal {
  readonly scenario: string;
  readonly name: string;
  readonly secondsAtMost: number;
  readonly peakMibAtMost: number | null;
}

const GOALS: readonly Goal[] = [
  { scenario: 'business-hours', name: 'simulator/month', secondsAtMost: 20, peakMibAtMost: null },
  { scenario: 'cluster-5000', name: 'simulator/day-5000-nodes', secondsAtMost: 600, peakMibAtMost: 4096 },
];

/** The figures `simulator/month/…` and `simulator/day-5000-nodes/…`. */
export async function benchSimulator({ figure, note }: Report): Promise<void> {
  for (const { scenario, name, secondsAtMost, peakMibAtMost } of GOALS) {
    const answer = await replayAlone(scenario);
    const problems = { name: `${name}/problems`, value: answer.problems.length, unit: '' };
    figure(boundedFigure(problems, { atMost: 0 }));
    for (const problem of answer.problems) note(`${name}: ${problem}`);
    note(
      `${name}: ${answer.podsCreated} pods, at most ${answer.nodesMost} nodes, history ${answer.digest} of ` +
        `${answer.entries} entries`,
    );
    figure(
      boundedFigure({ name: `${name}/wall`, value: answer.seconds, unit: 's' }, { atMost: secondsAtMost }),
    );
    figure(plainFigure(`${name}/cpu`, answer.cpuSeconds, 's'));
    const peak = { name: `${name}/peak-rss`, value: answer.peakRssMib, unit: 'MiB' };
    figure(
      peakMibAtMost === null
        ? plainFigure(peak.name, peak.value, peak.unit)
        : boundedFigure(peak, { atMost: peakMibAtMost }),
    );
  }
}

async function replayAlone(scenario: string): Promise<SimulatorAnswer> {
  const { code, stdout, stderr } = await runCommand(process.execPath, [PROCESS, scenario], {
    cwd: FOLDER,
    stdin: '',
  });
  if (code !== 0) throw new Error(`scenario ${scenario} failed: ${stderr.trim()}`);
  return JSON.parse(stdout) as SimulatorAnswer;
}
