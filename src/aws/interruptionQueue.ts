// Interruption notices from an SQS queue that EventBridge rules fill: read, handed on, deleted once dealt with.
import type { InterruptionNotice, InterruptionSource, ReceivedNotices } from '../ports/interruptions.ts';
import type { Log } from '../ports/telemetry.ts';
import { AwsFault, faultAdvice } from './awsFault.ts';
import { readInterruptionMessage } from './interruptionMessages.ts';

export interface QueueMessage {
  readonly id: string;
  readonly body: string;
  /** Deletes this delivery; a message that comes again has another one. */
  readonly receipt: string;
}

/** The three SQS calls that are made. Every method throws `AwsFault`. */
export interface SqsApi {
  /** URL of a queue of this account and region. */
  queueUrl(name: string): Promise<string>;
  /** Waits for up to 20 s; at most ten messages. */
  receiveMessages(queueUrl: string): Promise<readonly QueueMessage[]>;
  deleteMessages(queueUrl: string, receipts: readonly string[]): Promise<void>;
  /** Ends a wait under way with no messages, and every later one at once. */
  close(): void;
}

/** A queue that cannot be read is asked again after this long. */
const FAILED_AGAIN_MS = 10_000;
/** The start of a malformed message that goes into the log. */
const SHOWN_CHARACTERS = 200;

export class InterruptionQueue implements InterruptionSource {
  onNotice: () => void = () => {};
  readonly #sqs: SqsApi;
  readonly #queue: string;
  readonly #log: Log;
  #url: string | null;
  #isClosed = false;
  /** Notices not yet acknowledged, by receipt: a message may hold several, and goes when all have been dealt with. */
  #outstanding = new Map<string, number>();

  /** @param queue name of the queue, or its URL */
  constructor(sqs: SqsApi, queue: string, log: Log) {
    this.#sqs = sqs;
    this.#queue = queue;
    this.#log = log;
    this.#url = /^https?:\/\//.test(queue) ? queue : null;
  }

  async receive(): Promise<ReceivedNotices> {
    if (this.#isClosed) return { notices: [], againAfterMs: Number.POSITIVE_INFINITY };
    try {
      this.#url ??= await this.#sqs.queueUrl(this.#queue);
      const messages = await this.#sqs.receiveMessages(this.#url);
      return { notices: await this.#read(messages), againAfterMs: 0 };
    } catch (caught) {
      this.#sayFault(caught);
      return { notices: [], againAfterMs: FAILED_AGAIN_MS };
    }
  }

  async acknowledge(notices: readonly InterruptionNotice[]): Promise<void> {
    const done: string[] = [];
    for (const { receipt } of notices) {
      const left = (this.#outstanding.get(receipt) ?? 0) - 1;
      this.#outstanding.set(receipt, left);
      if (left === 0) done.push(receipt);
    }
    await this.#delete(done);
  }

  /** The process ends: a wait under way is given up. */
  close(): void {
    this.#isClosed = true;
    this.#sqs.close();
  }

  async #read(messages: readonly QueueMessage[]): Promise<readonly InterruptionNotice[]> {
    const notices: InterruptionNotice[] = [];
    const useless: string[] = [];
    this.#outstanding = new Map();
    for (const { id, body, receipt } of messages) {
      const read = readInterruptionMessage(body, receipt);
      const found = read.kind === 'notices' ? read.notices : [];
      notices.push(...found);
      if (found.length > 0) this.#outstanding.set(receipt, found.length);
      else useless.push(receipt);
      if (read.kind === 'malformed') {
        const facts = { message: id, problem: read.problem, body: body.slice(0, SHOWN_CHARACTERS) };
        this.#log.warn(facts, 'malformed interruption message deleted');
      } else if (read.kind === 'unknown') {
        this.#log.debug({ message: id, type: read.type }, 'interruption message of another type deleted');
      }
    }
    await this.#delete(useless);
    return notices;
  }

  /** What cannot be deleted comes again, and finds that nothing is left to be done. */
  async #delete(receipts: readonly string[]): Promise<void> {
    if (receipts.length === 0 || this.#url === null) return;
    try {
      await this.#sqs.deleteMessages(this.#url, receipts);
    } catch (caught) {
      this.#sayFault(caught);
    }
  }

  #sayFault(caught: unknown): void {
    if (!(caught instanceof AwsFault)) throw caught;
    const { action, code } = caught;
    const error = faultAdvice(caught);
    this.#log.warn({ queue: this.#queue, action, code, error }, 'interruption queue cannot be read');
  }
}
