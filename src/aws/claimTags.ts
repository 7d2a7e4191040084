// Naming the instances of shared fleets after their claims, for people who look at them in the account.
import type { Log } from '../ports/telemetry.ts';
import { AwsFault, faultAdvice, faultKind } from './awsFault.ts';
import type { Ec2Api } from './ec2Api.ts';
import { claimTags } from './tags.ts';

interface Owed {
  readonly id: string;
  readonly claim: { readonly name: string; readonly uid: string };
  readonly failures: number;
}

/** About ten minutes of refreshes: an instance that EC2 does not know by then has gone. */
const MOST_FAILURES = 20;

/**
 * One CreateTags for each instance, one after the other, behind everything else. Nothing depends on these tags: the
 * claim's status says whose an instance is. So what fails is tried again for a while, and then left.
 */
export class ClaimTags {
  readonly #background: Ec2Api;
  readonly #log: Log;
  /** By instance id. */
  readonly #owed = new Map<string, Owed>();
  #isBusy = false;
  #isForbidden = false;

  constructor(background: Ec2Api, log: Log) {
    this.#background = background;
    this.#log = log;
  }

  /** The claim has the instance. */
  owe(id: string, claim: Owed['claim']): void {
    if (this.#isForbidden || this.#owed.get(id)?.claim.uid === claim.uid) return;
    this.#owed.set(id, { id, claim, failures: 0 });
    void this.settle();
  }

  /** The instance has gone. */
  forget(id: string): void {
    this.#owed.delete(id);
  }

  /** Writes what is owed, until something fails; the rest waits for the next call. Never rejects for a fault. */
  async settle(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      for (const [id, { claim }] of this.#owed) {
        await this.#background.createTags([id], claimTags(claim));
        this.#owed.delete(id);
      }
    } catch (caught) {
      this.#failed(caught);
    } finally {
      this.#isBusy = false;
    }
  }

  /** EC2 may not know an instance yet that it has just launched; it is asked again with the next refresh. */
  #failed(caught: unknown): void {
    if (!(caught instanceof AwsFault)) {
      // The fence: this replica may not act just now.
      this.#log.warn({ error: String(caught) }, 'names of claims not written to their instances yet');
      return;
    }
    if (faultKind(caught.code) === 'permission') {
      this.#isForbidden = true;
      this.#owed.clear();
      const facts = { action: caught.action, code: caught.code, error: faultAdvice(caught) };
      this.#log.warn(facts, 'instances of shared fleets stay without the name of their claim');
      return;
    }
    const [oldest] = this.#owed.keys();
    // Behind the others: one instance that EC2 does not know must not keep them from their names.
    const owed = oldest === undefined ? undefined : this.#owed.get(oldest);
    if (oldest === undefined || owed === undefined) return;
    this.#owed.delete(oldest);
    const failures = owed.failures + 1;
    if (failures < MOST_FAILURES) this.#owed.set(oldest, { ...owed, failures });
  }
}
