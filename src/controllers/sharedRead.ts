// One read for all who ask while another is under way: what is asked for a thousand times at once costs two.

export class SharedRead<T> {
  #running: Promise<void> = Promise.resolve();
  #next: Promise<T> | null = null;

  /** The answer to a read that begins after this call. Rejects, for all who share it, when that read fails. */
  read(ask: () => Promise<T>): Promise<T> {
    this.#next ??= this.#after(ask);
    return this.#next;
  }

  async #after(ask: () => Promise<T>): Promise<T> {
    await this.#running;
    // Whoever asks from here on may know of more than this read will find.
    this.#next = null;
    const reading = ask();
    const ended = (): void => {};
    this.#running = reading.then(ended, ended);
    return reading;
  }
}
