// Questions about single instances gathered while one call is under way: the first goes at once, the rest together.

interface Waiting<T> {
  readonly id: string;
  readonly resolve: (answer: T | undefined) => void;
  readonly reject: (fault: unknown) => void;
}

export interface GatheredCall<T> {
  /** Ids in one call. */
  readonly mostIds: number;
  /** Answers by id; an id without one is not in the map. */
  readonly ask: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>;
  /** True when the fault is about some id of the batch, and the others may be asked without it. */
  readonly isAboutOneId: (caught: unknown) => boolean;
}

/** No timer and no window: under light load every question is a call of its own, under heavy load few calls are. */
export class Gathered<T> {
  readonly #call: GatheredCall<T>;
  #waiting: Waiting<T>[] = [];
  #isUnderWay = false;

  constructor(call: GatheredCall<T>) {
    this.#call = call;
  }

  /** The answer for this id, undefined when there is none. Throws what the call throws. */
  of(id: string): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, resolve, reject });
      if (!this.#isUnderWay) void this.#askAll();
    });
  }

  async #askAll(): Promise<void> {
    this.#isUnderWay = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, this.#call.mostIds);
      this.#waiting = this.#waiting.slice(this.#call.mostIds);
      await this.#askBatch(batch);
    }
    this.#isUnderWay = false;
  }

  async #askBatch(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      const answers = await this.#call.ask([...new Set(batch.map(({ id }) => id))]);
      for (const { id, resolve } of batch) resolve(answers.get(id));
    } catch (caught) {
      if (batch.length > 1 && this.#call.isAboutOneId(caught)) {
        // Halves, not one by one: a few such ids among hundreds cost a few calls more, and no others wait for long.
        const middle = Math.ceil(batch.length / 2);
        await this.#askBatch(batch.slice(0, middle));
        await this.#askBatch(batch.slice(middle));
      } else for (const { reject } of batch) reject(caught);
    }
  }
}
