// The planning thread's side of the conversation: takes news of the cluster, plans and checks when asked.
import { serialize } from 'node:v8';
import type { MessagePort } from 'node:worker_threads';
import { consolidate, stillPays } from '../disruption/consolidation.ts';
import type { Deciding } from '../disruption/consolidationSearch.ts';
import type { SchedulingPlan } from '../model/plan.ts';
import type { PlanProblem } from '../ports/planner.ts';
import type { checkedPlan } from '../scheduling/checkedPlan.ts';
import { dumpsInto } from '../telemetry/dumps.ts';
import type { Decided, DecideMessage, Planned, ThreadSettings, ToThread } from './messages.ts';
import { ProblemReceiver } from './problemReceiver.ts';
import { giveMemoryBack } from './restingMemory.ts';

/** Reading so many takes a few milliseconds. */
const CLAIMS_A_SLICE = 500;

/** Answers every problem that is asked on the port, one after the other. */
export function servePlans(port: MessagePort, settings: ThreadSettings, plan: typeof checkedPlan): void {
  const dump = dumpsInto(settings.dumpFolder, Date.now);
  const receiver = new ProblemReceiver();
  port.on('message', (message: ToThread) => {
    if (message.kind === 'news') return receiver.take(message);
    if (message.kind === 'rest') return giveMemoryBack();
    if (message.kind === 'decide') {
      void decidedOn(message, receiver).then((decided) => port.postMessage(decided));
      return;
    }
    const answer = answerTo(() => receiver.problem(message), plan, dump);
    const moved = answer.kind === 'passed' ? answer.slices.map(({ buffer }) => buffer) : [];
    port.postMessage(answer, moved);
  });
}

/** Makes a decision, one plan a turn: plans that are asked for meanwhile are made in between. */
async function decidedOn(message: DecideMessage, receiver: ProblemReceiver): Promise<Decided> {
  try {
    const consolidation = receiver.consolidation(message);
    if (message.ordered === null)
      return { kind: 'decided', decision: await inTurns(consolidate(consolidation)) };
    return { kind: 'lookedAgain', changed: await inTurns(stillPays(consolidation, message.ordered)) };
  } catch (failure) {
    return { kind: 'undecided', reason: faultText(failure) };
  }
}

async function inTurns<T>(deciding: Deciding<T>): Promise<T> {
  let step = deciding.next();
  while (!step.done) {
    await new Promise((resolve) => setImmediate(resolve));
    step = deciding.next();
  }
  return step.value;
}

function faultText(failure: unknown): string {
  const text = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
  return `planning failed, which is a fault of Cooper: ${text}`;
}

/** A fault in the packer or the checker becomes an answer: the thread itself is none the worse for it. */
function answerTo(
  problem: () => PlanProblem,
  plan: typeof checkedPlan,
  dump: (name: string, content: unknown) => string,
): Planned {
  try {
    return solved(problem(), plan, dump);
  } catch (failure) {
    return { kind: 'failed', reason: faultText(failure) };
  }
}

function solved(
  { snapshot, catalogue, pods, nominated, budgetMs }: PlanProblem,
  planOf: typeof checkedPlan,
  dump: (name: string, content: unknown) => string,
): Planned {
  const startedAtMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedAtMs;
  const { plan, violations } = planOf(snapshot, catalogue, pods, { budgetMs, elapsedMs, nominated });
  if (violations.length === 0) return sliced(plan);
  const found = { violations, plan, pods, snapshot, catalogue: [...catalogue] };
  return { kind: 'violating', violations, dump: dump('rejected-plan', found) };
}

function sliced({ nodeClaims, ...plan }: SchedulingPlan): Planned {
  const slices: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < nodeClaims.length; at += CLAIMS_A_SLICE) {
    slices.push(Uint8Array.from(serialize(nodeClaims.slice(at, at + CLAIMS_A_SLICE))));
  }
  return { kind: 'passed', plan, slices };
}
