import { Writable } from "node:stream";
import { FRAME, LOG_STREAM, type FrameWriter } from "../channel/frames.js";

/** One LOG frame holds at most this much text. */
const TEXT_LENGTH_MAX = 256 * 1024;
/** A line without an end is sent when it has become this long. */
const PARTIAL_LENGTH_MAX = 16 * 1024;

/**
 * Sends what the author's code prints, line by line, with the call that printed it.
 *
 * A line leaves at once, not at the end of the turn: the last line before an endless loop or a
 * crash is the one that matters.
 */
export class LogSender {
  readonly #writer: FrameWriter;
  readonly #currentCallId: () => number;
  /** Starts of lines by call id and stream. */
  readonly #partial = new Map<number, string>();

  constructor(writer: FrameWriter, currentCallId: () => number) {
    this.#writer = writer;
    this.#currentCallId = currentCallId;
  }

  /** Sends text for the running call; an unfinished line waits for its end. */
  write(stream: number, text: string): void {
    const callId = this.#currentCallId();
    const slot = callId * 2 + (stream - 1);
    const whole = this.#partial.size > 0 ? (this.#partial.get(slot) ?? "") + text : text;
    const end = whole.lastIndexOf("\n");
    const rest = whole.slice(end + 1);
    if (rest.length > PARTIAL_LENGTH_MAX) {
      this.#partial.delete(slot);
      this.#send(callId, stream, whole);
      return;
    }
    if (rest === "") this.#partial.delete(slot);
    else this.#partial.set(slot, rest);
    if (end >= 0) this.#send(callId, stream, whole.slice(0, end));
  }

  /** Sends the unfinished lines of a call. */
  readonly flush = (callId: number): void => {
    if (this.#partial.size === 0) return;
    for (const stream of [LOG_STREAM.stdout, LOG_STREAM.stderr]) {
      const slot = callId * 2 + (stream - 1);
      const rest = this.#partial.get(slot);
      this.#partial.delete(slot);
      if (rest !== undefined) this.#send(callId, stream, rest);
    }
  };

  #send(callId: number, stream: number, text: string): void {
    for (let at = 0; at === 0 || at < text.length; at += TEXT_LENGTH_MAX) {
      this.#writer.begin(FRAME.log, callId);
      this.#writer.u8(stream);
      this.#writer.utf8(text.slice(at, at + TEXT_LENGTH_MAX));
      this.#writer.end();
    }
    this.#writer.flush();
  }
}

/** Makes `process.stdout`, `process.stderr` and so `console` write to `log`. */
export function captureOutput(log: LogSender): void {
  const names = ["stdout", "stderr"] as const;
  for (const name of names) {
    let writable: Writable | undefined;
    const get = (): Writable => {
      writable ??= createWritable(log, name);
      return writable;
    };
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get });
  }
}

function createWritable(log: LogSender, name: "stdout" | "stderr"): Writable {
  const stream = LOG_STREAM[name];
  const writable = new Writable({
    decodeStrings: false,
    write: (chunk: string | Buffer, _encoding, done) => {
      log.write(stream, typeof chunk === "string" ? chunk : chunk.toString("utf8"));
      done();
    },
  });
  return Object.assign(writable, { fd: stream, isTTY: false });
}
