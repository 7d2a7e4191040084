// Plans in a thread of its own, so that the event loop goes on answering probes and watches meanwhile.
import { deserialize } from 'node:v8';
import { Worker } from 'node:worker_threads';
import {
  type Consolidation,
  type ConsolidationDecision,
  type OrderedConsolidation,
  undecided,
} from '../model/consolidation.ts';
import type { PlannedNodeClaim, SchedulingPlan } from '../model/plan.ts';
import type { ClusterSnapshot } from '../model/snapshot.ts';
import type { Planner, PlanOutcome, PlanProblem } from '../ports/planner.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import type { Decided, FromThread, Planned, ThreadSettings, ToThread } from './messages.ts';
import { ProblemSender } from './problemSender.ts';

export interface ThreadPlannerOptions {
  readonly telemetry: Telemetry;
  /** Where plans that fail their check are kept. */
  readonly dumpFolder: string;
  /** A plan that takes longer is given up, and its thread replaced. */
  readonly deadlineMs?: number;
  /** The thread's code; a test may give code with a fault. */
  readonly entry?: URL;
}

/** A file of its own, so that a bundler can find it and make it one too. */
const ENTRY = new URL('./planThread.ts', import.meta.url);

/** Ten times what 50,000 pods take, transfer and check with them. */
const DEADLINE_MS = 30_000;

/** A batch whose thread dies is planned again so often; one that kills every thread is given up. */
const LIVES_A_PLAN = 2;

/** A problem of so many pods is sent at once, in the turn in which it is asked. */
const PODS_IN_ASKING_TURN = 500;

interface Death {
  readonly kind: 'died';
  readonly error: string;
}

type Answer = PlanOutcome | Death | { readonly kind: 'overdue' };
type Verdict = Decided | Death | { readonly kind: 'overdue' };

export class ThreadPlanner implements Planner {
  readonly #options: ThreadPlannerOptions;
  readonly #deadlineMs: number;
  #thread: PlanThread;
  #queue: Promise<unknown> = Promise.resolve();
  #decisions: Promise<unknown> = Promise.resolve();
  #stopped = false;

  /** Starts the thread, which warms itself up meanwhile. */
  constructor(options: ThreadPlannerOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    this.#thread = this.#startThread();
  }

  /** Plans one problem at a time, in the order asked. */
  plan(problem: PlanProblem): Promise<PlanOutcome> {
    return this.#inTurn(() => this.#plan(problem));
  }

  /** Tells the thread how the cluster stands, so that the next plan has less to send. */
  prepare(snapshot: ClusterSnapshot): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#thread.hasEnded) await this.#thread.prepare(snapshot);
    });
  }

  async consolidate(consolidation: Consolidation): Promise<ConsolidationDecision> {
    const verdict = await this.#decided(consolidation, null);
    return verdict.kind === 'decided' ? verdict.decision : undecided(failureOf(verdict));
  }

  async stillPays(consolidation: Consolidation, ordered: OrderedConsolidation): Promise<string | null> {
    const verdict = await this.#decided(consolidation, ordered);
    return verdict.kind === 'lookedAgain' ? verdict.changed : failureOf(verdict);
  }

  /** Has the thread give back memory that it does not need. */
  rest(): void {
    if (!this.#thread.hasEnded) this.#thread.rest();
  }

  /** Ends the thread; a plan under way answers 'failed'. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#thread.end();
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(act);
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** One decision at a time. Only telling the thread of it takes a turn among the plans. */
  #decided(consolidation: Consolidation, ordered: OrderedConsolidation | null): Promise<Verdict> {
    const decision = this.#decisions.then(() => this.#decide(consolidation, ordered));
    this.#decisions = decision.catch(() => {});
    return decision;
  }

  async #decide(consolidation: Consolidation, ordered: OrderedConsolidation | null): Promise<Verdict> {
    const { log } = this.#options.telemetry;
    const { thread, verdict } = await this.#inTurn(async () => {
      if (this.#thread.hasEnded && !this.#stopped) this.#restart();
      const verdict = this.#thread.decision(this.#deadlineMs);
      await this.#thread.tellDecision(consolidation, ordered);
      return { thread: this.#thread, verdict };
    });
    const answer = await verdict;
    if (answer.kind === 'decided' || answer.kind === 'lookedAgain' || this.#stopped) return answer;
    if (answer.kind === 'overdue') await thread.end();
    const { kind } = answer;
    log.error({ kind, reason: failureOf(answer) }, 'no decision on consolidation was made');
    return answer;
  }

  async #plan(problem: PlanProblem): Promise<PlanOutcome> {
    const { log } = this.#options.telemetry;
    for (let life = 1; ; life++) {
      if (this.#stopped) return { kind: 'failed', reason: 'Cooper is stopping' };
      if (this.#thread.hasEnded) this.#restart();
      const answer = await this.#thread.ask(problem, this.#deadlineMs);
      if (answer.kind === 'overdue') {
        await this.#thread.end();
        const reason = `no plan for ${problem.pods.length} pods within ${this.#deadlineMs / 1000} s`;
        log.error({ pods: problem.pods.length, deadlineMs: this.#deadlineMs }, 'planning took too long');
        if (!this.#stopped) this.#restart();
        return { kind: 'failed', reason };
      }
      if (answer.kind !== 'died') return answer;
      if (this.#stopped) continue;
      const { error } = answer;
      log.error({ pods: problem.pods.length, error, again: life < LIVES_A_PLAN }, 'planning thread died');
      if (life >= LIVES_A_PLAN) return { kind: 'failed', reason: `the planning thread died: ${error}` };
    }
  }

  #restart(): void {
    this.#options.telemetry.metrics.count('cooper_planner_restarts_total', {});
    this.#thread = this.#startThread();
  }

  #startThread(): PlanThread {
    return new PlanThread(this.#options.entry ?? ENTRY, { dumpFolder: this.#options.dumpFolder });
  }
}

/** One life of the thread, and what it has been told in it. */
class PlanThread {
  readonly #worker: Worker;
  readonly #sender: ProblemSender;
  #onAnswer: (answer: Planned) => void = () => {};
  #onDecision: (decided: Decided) => void = () => {};
  readonly #mourners = new Set<(death: Death) => void>();
  hasEnded = false;

  constructor(entry: URL, settings: ThreadSettings) {
    this.#worker = new Worker(entry, { workerData: settings, name: 'planning' });
    this.#worker.unref();
    this.#sender = new ProblemSender((message) => this.#worker.postMessage(message), nextTurn);
    this.#worker.on('message', (answer: FromThread) => {
      if (isDecided(answer)) this.#onDecision(answer);
      else this.#onAnswer(answer);
    });
    const died = (error: string): void => {
      this.hasEnded = true;
      void this.#worker.terminate();
      for (const mourner of this.#mourners) mourner({ kind: 'died', error });
    };
    this.#worker.on('error', (failure) => died(String(failure)));
    this.#worker.on('messageerror', (failure) => died(String(failure)));
    this.#worker.on('exit', (code) => died(`it exited with code ${code}`));
  }

  async ask(problem: PlanProblem, deadlineMs: number): Promise<Answer> {
    // Not a race with a promise that lives as long as the thread: it would keep every plan ever made.
    const first = Promise.withResolvers<Answer>();
    const timer = setTimeout(() => first.resolve({ kind: 'overdue' }), deadlineMs);
    this.#mourners.add(first.resolve);
    const answer = new Promise<Planned>((resolve) => {
      this.#onAnswer = resolve;
    });
    this.#converse(problem, answer).then(first.resolve, first.reject);
    try {
      return await first.promise;
    } finally {
      clearTimeout(timer);
      this.#mourners.delete(first.resolve);
      this.#onAnswer = () => {};
    }
  }

  /** What comes of the decision that is told next. */
  async decision(deadlineMs: number): Promise<Verdict> {
    if (this.hasEnded) return { kind: 'died', error: 'it has ended' };
    const first = Promise.withResolvers<Verdict>();
    const timer = setTimeout(() => first.resolve({ kind: 'overdue' }), deadlineMs);
    this.#mourners.add(first.resolve);
    this.#onDecision = first.resolve;
    try {
      return await first.promise;
    } finally {
      clearTimeout(timer);
      this.#mourners.delete(first.resolve);
      this.#onDecision = () => {};
    }
  }

  async tellDecision(consolidation: Consolidation, ordered: OrderedConsolidation | null): Promise<void> {
    if (!this.hasEnded) await this.#sender.sendDecision(consolidation, ordered);
  }

  /** Around a large problem the event loop goes round once: whoever asks has work of its own in the same turn. */
  async #converse(problem: PlanProblem, answer: Promise<Planned>): Promise<PlanOutcome> {
    const isLarge = problem.pods.length > PODS_IN_ASKING_TURN;
    if (isLarge) await nextTurn();
    await this.#sender.send(problem);
    const outcome = await outcomeOf(await answer);
    if (isLarge) await nextTurn();
    return outcome;
  }

  async prepare(snapshot: ClusterSnapshot): Promise<void> {
    await this.#sender.prepare(snapshot);
  }

  rest(): void {
    const message: ToThread = { kind: 'rest' };
    this.#worker.postMessage(message);
  }

  async end(): Promise<void> {
    this.hasEnded = true;
    await this.#worker.terminate();
  }
}

function isDecided(answer: FromThread): answer is Decided {
  return answer.kind === 'decided' || answer.kind === 'lookedAgain' || answer.kind === 'undecided';
}

function failureOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'undecided':
      return verdict.reason;
    case 'died':
      return `the planning thread died: ${verdict.error}`;
    case 'overdue':
      return 'the decision took too long';
    default:
      return 'the planning thread has answered another question';
  }
}

/** Reads the answer, one slice a turn. */
async function outcomeOf(answer: Planned): Promise<PlanOutcome> {
  if (answer.kind !== 'passed') return answer;
  const nodeClaims: PlannedNodeClaim[] = [];
  for (const [index, slice] of answer.slices.entries()) {
    if (index > 0) await nextTurn();
    for (const claim of deserialize(slice) as PlannedNodeClaim[]) nodeClaims.push(claim);
  }
  const plan: SchedulingPlan = { ...answer.plan, nodeClaims };
  return { kind: 'passed', plan };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
