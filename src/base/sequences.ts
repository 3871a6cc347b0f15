/** Runs work of one name after another, in the order in which it was asked for. */
export class Sequences {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `work` once all earlier work of `name` has ended, well or not. */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#tails.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(name) === mine) this.#tails.delete(name);
    }
  }

  /** Resolves once everything asked for so far has ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#tails.values());
  }
}
