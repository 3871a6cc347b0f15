import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";

import type { ChunkSummary } from "./chunk.js";

/**
 * Keeps what a long series has done so far, a line per chunk, so that one that was killed, or a longer
 * one, goes on where it was. What belongs to another commit, or other options, is thrown away.
 */
export class PartialFile {
  readonly #path: string;
  readonly #done: ChunkSummary[] = [];

  /** `series`: all that decides what a chunk of seeds comes to. */
  constructor(path: string, series: string) {
    this.#path = path;
    const [head, ...lines] = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    const isSame = head === series;
    // The last line is empty, or was cut by the kill.
    const whole = isSame ? lines.slice(0, -1) : [];
    for (const line of whole) this.#done.push(JSON.parse(line) as ChunkSummary);
    writeFileSync(path, [series, ...whole, ""].join("\n"));
  }

  /** What was done before. */
  get done(): readonly ChunkSummary[] {
    return this.#done;
  }

  add(summary: ChunkSummary): void {
    appendFileSync(this.#path, `${JSON.stringify(summary)}\n`);
  }
}
