// One decision on consolidation over a large cluster: its time, and how long it keeps the event loop from others.
import { fileURLToPath } from 'node:url';
import type { DecisionAnswer, DecisionOrder } from './decisionProcess.ts';
import { boundedFigure, plainFigure, type Report } from './figure.ts';
import { runCommand } from './karpenterPeer.ts';

const PROCESS = fileURLToPath(new URL('./decisionProcess.ts', import.meta.url));
const ORDER: DecisionOrder = { nodes: 5_000, repeats: 5 };
const DECISION_GOAL = { atMost: 1_000 };
const BLOCK_GOAL = { atMost: 50 };

/** The figures `consolidation/thread…`: a process of its own with the planning thread of `cooper run`. */
export async function benchDecisionInThread({ figure, note }: Report): Promise<void> {
  const { code, stdout, stderr } = await runCommand(process.execPath, [PROCESS], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdin: JSON.stringify(ORDER),
  });
  if (code !== 0) throw new Error(`the benchmark of decisions failed: ${stderr.trim()}`);
  const { nodes, pods, wallMs, cpuMs, telling, deciding, wentAway } = JSON.parse(stdout) as DecisionAnswer;
  const name = 'consolidation/thread';
  note(`${name}: ${nodes} nodes, ${pods} pods; the decision takes ${wentAway} nodes away`);
  const bounded = (what: string, value: number, goal: { readonly atMost: number }): void =>
    figure(boundedFigure({ name: `${name}, ${what}`, value, unit: 'ms' }, goal));
  bounded('a decision, clock', Math.min(...wallMs), DECISION_GOAL);
  bounded('a decision, CPU time of all threads', Math.min(...cpuMs), DECISION_GOAL);
  figure(plainFigure(`${name}, the first decision, CPU time`, cpuMs[0] ?? Number.NaN, 'ms'));
  bounded('longest block while deciding, CPU time', deciding.longestCpuMs, BLOCK_GOAL);
  bounded('longest block while deciding, clock', deciding.longestMs, BLOCK_GOAL);
  bounded('longest block while the cluster is told, CPU time', telling.longestCpuMs, BLOCK_GOAL);
}
