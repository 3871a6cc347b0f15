/** How often each thing happened in one run or in many. */
export class Counts {
  readonly #counts = new Map<string, number>();

  add(what: string, count = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
  }

  get(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  merge(other: Counts): void {
    for (const [what, count] of other.#counts) this.add(what, count);
  }

  /** All counts and a zero for each of `names` without one, by name. */
  entriesWith(names: readonly string[]): [what: string, count: number][] {
    const all = new Counts();
    for (const name of names) all.add(name, 0);
    all.merge(this);
    return all.entries();
  }

  /** All counts, by name. */
  entries(): [what: string, count: number][] {
    return [...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1));
  }
}
