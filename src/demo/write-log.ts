/** When each of a station's readings was acknowledged, to say how stale a read of them is. */
export class WriteLog {
  readonly #acknowledgedMs: number[] = [];

  /** How many were acknowledged. */
  get size(): number {
    return this.#acknowledgedMs.length;
  }

  /** Notes that the next reading was acknowledged at `nowMs`. */
  acknowledged(nowMs: number): void {
    this.#acknowledgedMs.push(nowMs);
  }

  /**
   * How long ago the value that a read at `readMs` showed had been overwritten; 0 if it had not.
   * `shown`: the number of the latest reading that the read showed, counted from 1; 0 = none.
   */
  stalenessMs(shown: number, readMs: number): number {
    const overwrittenMs = this.#acknowledgedMs[shown];
    return overwrittenMs === undefined ? 0 : Math.max(0, readMs - overwrittenMs);
  }
}
