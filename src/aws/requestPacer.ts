// Calls to EC2 held back until its limits allow them: one line per action, what pods wait for first.
import type { Clock } from '../ports/clock.ts';
import { AwsFault } from './awsFault.ts';
import { isThrottle } from './launchRefusals.ts';
import { requestLimit } from './requestLimits.ts';
import { answered, fullBucket, spent, type TokenBucket, throttled, waitMs } from './tokenBucket.ts';

/** Urgent calls have a launch or a termination behind them; the others keep caches fresh. */
export type Priority = 'urgent' | 'background';

export interface PacedCall {
  readonly action: string;
  readonly priority: Priority;
  /** How many instances the call is about. */
  readonly resources: number;
}

interface Waiting extends PacedCall {
  readonly go: () => void;
}

interface Line {
  requests: TokenBucket;
  resources: TokenBucket | null;
  readonly waiting: Waiting[];
  isServed: boolean;
}

/** A throttled call is sent again as often; EC2 has done nothing for it. */
const MOST_TRIES = 4;

export class RequestPacer {
  readonly #clock: Clock;
  readonly #lines = new Map<string, Line>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Makes the call once there are tokens for it, and again when EC2 throttles it. Throws what the call throws.
   * @param saysThrottled finds a throttle inside an answer, as in the errors of a fleet
   */
  async paced<T>(
    paced: PacedCall,
    call: () => Promise<T>,
    saysThrottled: (answer: T) => string | null = () => null,
  ): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      const waited = await this.#tokens(paced);
      try {
        const answer = await call();
        this.#learn(paced, waited, saysThrottled(answer));
        return answer;
      } catch (caught) {
        const message = caught instanceof AwsFault && isThrottle(caught.code) ? caught.message : null;
        this.#learn(paced, waited, message);
        if (message === null || tries >= MOST_TRIES) throw caught;
      }
    }
  }

  /** True when the tokens had to be waited for. */
  async #tokens(call: PacedCall): Promise<boolean> {
    const line = this.#lineOf(call.action);
    if (line.waiting.length === 0 && this.#waitMs(line, call) === 0) {
      this.#spend(line, call);
      return false;
    }
    await new Promise<void>((go) => {
      line.waiting.push({ ...call, go });
      if (!line.isServed) void this.#serve(line);
    });
    return true;
  }

  async #serve(line: Line): Promise<void> {
    line.isServed = true;
    for (let next = nextOf(line); next !== undefined; next = nextOf(line)) {
      const pauseMs = this.#waitMs(line, next);
      if (pauseMs > 0) {
        // Chosen again afterwards: somebody more urgent may have come.
        await this.#clock.sleep(pauseMs);
        continue;
      }
      line.waiting.splice(line.waiting.indexOf(next), 1);
      this.#spend(line, next);
      next.go();
    }
    line.isServed = false;
  }

  #waitMs({ requests, resources }: Line, call: PacedCall): number {
    const nowMs = this.#clock.nowMs();
    const forResources = resources === null ? 0 : waitMs(resources, call.resources, nowMs);
    return Math.max(waitMs(requests, 1, nowMs), forResources);
  }

  #spend(line: Line, call: PacedCall): void {
    const nowMs = this.#clock.nowMs();
    line.requests = spent(line.requests, 1, nowMs);
    if (line.resources !== null) line.resources = spent(line.resources, call.resources, nowMs);
  }

  /** @param throttle what EC2 said when it throttled the call, null when it did not */
  #learn({ action }: PacedCall, waited: boolean, throttle: string | null): void {
    const line = this.#lineOf(action);
    const nowMs = this.#clock.nowMs();
    if (throttle === null) {
      line.requests = answered(line.requests, nowMs, waited);
      if (line.resources !== null) line.resources = answered(line.resources, nowMs, waited);
    } else if (line.resources !== null && /resource/i.test(throttle)) {
      line.resources = throttled(line.resources, nowMs);
    } else line.requests = throttled(line.requests, nowMs);
  }

  #lineOf(action: string): Line {
    const held = this.#lines.get(action);
    if (held !== undefined) return held;
    const { requests, resources } = requestLimit(action);
    const nowMs = this.#clock.nowMs();
    const line: Line = {
      requests: fullBucket(requests, nowMs),
      resources: resources === null ? null : fullBucket(resources, nowMs),
      waiting: [],
      isServed: false,
    };
    this.#lines.set(action, line);
    return line;
  }
}

function nextOf({ waiting }: Line): Waiting | undefined {
  return waiting.find(({ priority }) => priority === 'urgent') ?? waiting[0];
}
