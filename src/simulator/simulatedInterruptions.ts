// The InterruptionSource of the simulated account: each spot notice, to each controller that asks, at least once.
import type { InterruptionNotice, InterruptionSource, ReceivedNotices } from '../ports/interruptions.ts';
import type { SpotNotice } from './simulatedCloud.ts';

export class SimulatedInterruptions implements InterruptionSource {
  onNotice: () => void = () => {};
  readonly #notices: () => readonly SpotNotice[];
  readonly #heeded = new Set<string>();

  /** @param notices those that stand just now */
  constructor(notices: () => readonly SpotNotice[]) {
    this.#notices = notices;
  }

  async receive(): Promise<ReceivedNotices> {
    const standing = this.#notices();
    const ids = new Set(standing.map(({ providerId }) => providerId));
    for (const id of this.#heeded) if (!ids.has(id)) this.#heeded.delete(id);
    const notices = standing
      .filter(({ providerId }) => !this.#heeded.has(providerId))
      .map(
        ({ providerId, endsAtMs }): InterruptionNotice => ({
          kind: 'SpotInterruption',
          instanceId: providerId.slice(providerId.lastIndexOf('/') + 1),
          deadlineMs: endsAtMs,
          message: 'EC2 takes the spot instance back',
          receipt: providerId,
        }),
      );
    return { notices, againAfterMs: Number.POSITIVE_INFINITY };
  }

  async acknowledge(notices: readonly InterruptionNotice[]): Promise<void> {
    for (const { receipt } of notices) this.#heeded.add(receipt);
  }
}
