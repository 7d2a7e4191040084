// How long the event loop is blocked while a large batch is planned, and how long a probe waits for its answer.
import { fileURLToPath } from 'node:url';
import type { EventLoopAnswer, EventLoopCase } from './eventLoopProcess.ts';
import { boundedFigure, plainFigure, type Report } from './figure.ts';
import { runCommand } from './karpenterPeer.ts';

const PROCESS = fileURLToPath(new URL('./eventLoopProcess.ts', import.meta.url));
const GOAL = { atMost: 50 };
/** A kubelet waits so long for a probe unless told otherwise. Source: Kubernetes, Probe.timeoutSeconds. */
const PROBE_GOAL = { atMost: 1_000 };

const CASES: Readonly<Record<string, EventLoopCase>> = {
  'empty cluster': { pending: 10_000, nodes: 0, boundPods: 0, refused: false },
  '5,000 nodes, 50,000 bound pods': { pending: 10_000, nodes: 5_000, boundPods: 50_000, refused: false },
  'every pod refused': { pending: 10_000, nodes: 0, boundPods: 0, refused: true },
};

/**
 * The figures `eventloop/…`: controllers, planning thread and endpoints of `cooper run` over Kubernetes and EC2 in
 * memory. Times by the clock hold what other processes take of the machine; CPU time does not.
 */
export async function benchEventLoop({ figure, note }: Report): Promise<void> {
  for (const [name, order] of Object.entries(CASES)) {
    const { code, stdout, stderr } = await runCommand(process.execPath, [PROCESS], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      stdin: JSON.stringify(order),
    });
    if (code !== 0) throw new Error(`the event loop benchmark failed on ${name}: ${stderr.trim()}`);
    if (stderr !== '') note(`${name}: ${stderr.trim()}`);
    const seen = JSON.parse(stdout) as EventLoopAnswer;
    const called = `eventloop/${order.pending} pods, ${name}`;
    const bounded = (what: string, value: number, goal = GOAL): void =>
      figure(boundedFigure({ name: `${called}: ${what}`, value, unit: 'ms' }, goal));
    bounded('longest block, CPU time', seen.longestCpuMs);
    bounded('longest block, clock', seen.longestMs);
    bounded('slowest /healthz, less the own waits of who asked', seen.healthzSlowestFairMs, PROBE_GOAL);
    figure(plainFigure(`${called}: slowest /healthz of ${seen.healthzAsked}`, seen.healthzSlowestMs, 'ms'));
    figure(plainFigure(`${called}: event loop delay, perf_hooks`, seen.monitoredMs, 'ms'));
    figure(plainFigure(`${called}: event loop utilization`, 100 * seen.utilization, '%'));
    figure(plainFigure(`${called}: first pod to last answer`, seen.passMs, 'ms'));
    figure(plainFigure(`${called}: NodeClaims stored`, seen.claims, ''));
    figure(plainFigure(`${called}: events published`, seen.events, ''));
  }
}
