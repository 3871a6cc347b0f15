import { EnokiError } from "../core/errors.js";
import type { FrameWriter } from "../channel/frames.js";
import { encodeResult } from "../channel/invoke.js";
import { asBytes } from "./kv-values.js";
import { InvalidResultError, Reply, toReply } from "./reply.js";

const TEXT = "text/plain; charset=utf-8";
const JSON_TYPE = "application/json";
const BYTES = "application/octet-stream";

/** Writes what a function returned. */
export class OutputWriter {
  readonly #writer: FrameWriter;
  /** Set by LOAD. */
  outputBytesMax = Infinity;
  /** Of the result that is written now. */
  #hasRead = false;

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  /**
   * Writes RESULT; `hasRead`: the call has read from the store's file.
   * @throws InvalidResultError, or EnokiError `ENOKI_OUTPUT_TOO_LARGE`
   */
  write(callId: number, result: unknown, hasRead: boolean): void {
    this.#hasRead = hasRead;
    if (typeof result === "string") this.#send(callId, 0, TEXT, "", result);
    else if (result === undefined || result === null) this.#send(callId, 0, "", "", "");
    else if (result instanceof Reply) this.#writeReply(callId, result);
    else this.#writeAny(callId, result, 0, undefined, "");
  }

  #writeReply(callId: number, reply: Reply): void {
    const { body, status, contentType, headers } = reply;
    if (typeof body === "string") this.#send(callId, status, contentType ?? TEXT, headers, body);
    else if (body === undefined || body === null) {
      this.#send(callId, status, contentType ?? "", headers, "");
    } else this.#writeAny(callId, body, status, contentType, headers);
  }

  #writeAny(
    callId: number,
    result: unknown,
    status: number,
    contentType: string | undefined,
    headers: string,
  ): void {
    const bytes = ArrayBuffer.isView(result)
      ? new Uint8Array(result.buffer, result.byteOffset, result.byteLength)
      : asBytes(result);
    if (bytes) this.#send(callId, status, contentType ?? BYTES, headers, bytes);
    else this.#send(callId, status, contentType ?? JSON_TYPE, headers, toJson(result));
  }

  #send(
    callId: number,
    status: number,
    contentType: string,
    headers: string,
    body: string | Uint8Array,
  ): void {
    if (typeof body === "string" && !body.isWellFormed()) {
      throw new InvalidResultError("the text holds a lone surrogate, which UTF-8 cannot express");
    }
    if (body.length * 3 > this.outputBytesMax) this.#checkSize(body);
    encodeResult(this.#writer, callId, status, contentType, headers, body, this.#hasRead);
  }

  #checkSize(body: string | Uint8Array): void {
    const sizeBytes = Buffer.byteLength(body);
    if (sizeBytes <= this.outputBytesMax) return;
    throw new EnokiError(
      "ENOKI_OUTPUT_TOO_LARGE",
      `the output has ${sizeBytes} bytes; ${this.outputBytesMax} are allowed`,
    );
  }
}

/** True for a web `Response`, without loading the engine's implementation of it. */
export function isWebResponse(result: unknown): result is Response {
  if (typeof result !== "object" || result === null) return false;
  const { [Symbol.toStringTag]: tag, arrayBuffer } = result as Partial<Response> & {
    [Symbol.toStringTag]?: string;
  };
  return tag === "Response" && typeof arrayBuffer === "function";
}

/** Gathers a web `Response`. */
export async function fromWebResponse(result: Response): Promise<Reply> {
  const body = result.body === null ? undefined : new Uint8Array(await result.arrayBuffer());
  return toReply(body, result.status, result.headers);
}

function toJson(result: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch (error) {
    throw new InvalidResultError(`the result is not JSON: ${(error as Error).message}`);
  }
  if (text === undefined) throw new InvalidResultError(`a ${typeof result} is no result`);
  // JSON writes NaN and infinities as null: only a result with a null in it can hold one.
  if (text.includes("null") && holdsNonFinite(result)) {
    throw new InvalidResultError("the result holds NaN or an infinity");
  }
  return text;
}

function holdsNonFinite(value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(holdsNonFinite);
}
