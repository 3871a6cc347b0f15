/** Shows how far something is: a bar that redraws itself on a terminal, a line per quarter elsewhere. */
export class Progress {
  readonly #total: number;
  readonly #label: string;
  readonly #isTerminal = process.stdout.isTTY;
  #shownQuarters = 0;
  #done = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
  }

  /** Counts one more. */
  step(): void {
    this.#done += 1;
    if (this.#isTerminal) this.#drawBar();
    else this.#printQuarter();
  }

  #drawBar(): void {
    const isEnd = this.#done === this.#total;
    if (this.#done % 16 !== 0 && !isEnd) return;
    const filled = Math.round((this.#done / this.#total) * 30);
    const bar = "█".repeat(filled) + "░".repeat(30 - filled);
    process.stdout.write(
      `\r  ${bar} ${this.#done}/${this.#total} ${this.#label}${isEnd ? "\n" : ""}`,
    );
  }

  #printQuarter(): void {
    const quarters = Math.floor((this.#done / this.#total) * 4);
    if (quarters === this.#shownQuarters) return;
    this.#shownQuarters = quarters;
    console.log(`  ${this.#done}/${this.#total} ${this.#label}`);
  }
}
