import { LIMITS } from "../core/limits.js";
import type { LogLine, LogOrigin } from "./types.js";

/** Rough cost of a line beyond its text. */
const LINE_OVERHEAD_BYTES = 64;

/** What is kept of the text that was sent at once. Beyond it, cutting it into lines takes too long. */
const TEXT_BYTES_MAX = 256 * 1024;
const LINES_MAX = 4096;
const NEWLINE = 0x0a;
const NO_ORIGIN: LogOrigin = { invocation: undefined, trace: undefined };

/** The latest lines of one function's log, bounded by size, and whoever follows them. */
export class LogBook {
  #lines: LogLine[] = [];
  #first = 0;
  #sizeBytes = 0;
  readonly #followers = new Set<(line: LogLine) => void>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Adds what a guest sent at once. Of a flood the last of it is kept, and how much was not. */
  writeBytes(stream: LogLine["stream"], origin: LogOrigin | undefined, bytes: Buffer): void {
    const keptFrom = keepFrom(bytes);
    if (keptFrom > 0) this.#add(stream, origin, `… ${keptFrom} bytes dropped`);
    this.write(stream, origin, bytes.toString("utf8", keptFrom));
  }

  /** Adds text that may hold several lines; overlong lines are cut. */
  write(stream: LogLine["stream"], origin: LogOrigin | undefined, text: string): void {
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    for (const line of lines) this.#add(stream, origin, line);
  }

  /** The last `count` lines, oldest first. */
  tail(count: number): LogLine[] {
    return this.#lines.slice(Math.max(this.#first, this.#lines.length - count));
  }

  /** Calls `onLine` for each new line until the returned function is called. */
  follow(onLine: (line: LogLine) => void): () => void {
    this.#followers.add(onLine);
    return () => this.#followers.delete(onLine);
  }

  #add(stream: LogLine["stream"], origin: LogOrigin | undefined, text: string): void {
    const kept =
      text.length > LIMITS.logLineBytesMax ? `${text.slice(0, LIMITS.logLineBytesMax)}…` : text;
    const { invocation, trace } = origin ?? NO_ORIGIN;
    const line: LogLine = { atMs: this.#nowMs(), stream, invocation, trace, text: kept };
    this.#lines.push(line);
    this.#sizeBytes += kept.length + LINE_OVERHEAD_BYTES;
    while (this.#sizeBytes > LIMITS.functionLogBytesMax) this.#dropFirst();
    for (const follower of this.#followers) follower(line);
  }

  #dropFirst(): void {
    const line = this.#lines[this.#first] as LogLine;
    this.#sizeBytes -= line.text.length + LINE_OVERHEAD_BYTES;
    this.#first += 1;
    if (this.#first < 1024) return;
    this.#lines = this.#lines.slice(this.#first);
    this.#first = 0;
  }
}

/** Where the last lines begin that are kept of text. */
function keepFrom(bytes: Buffer): number {
  let from = Math.max(0, bytes.length - TEXT_BYTES_MAX);
  // A newline at the very end begins no line.
  let newline = bytes.length - 1;
  for (let lines = 0; lines < LINES_MAX; lines++) {
    if (newline <= from) return skipCutCharacter(bytes, from);
    newline = bytes.lastIndexOf(NEWLINE, newline - 1);
  }
  return Math.max(from, newline + 1);
}

/** UTF-8 continues a character with at most three bytes of the form 10xxxxxx. */
function skipCutCharacter(bytes: Buffer, from: number): number {
  if (from === 0) return 0;
  let at = from;
  while (at < from + 3 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at++;
  return at;
}
