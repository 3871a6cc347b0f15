import type { IncomingMessage } from "node:http";

import { EnokiError } from "../../core/errors.js";

/**
 * Gathers a request's body and calls `done` once: with the bytes, or with
 * `ENOKI_BODY_TOO_LARGE` as soon as it is known to exceed `sizeBytesMax`. When the client leaves
 * first, `done` is never called.
 */
export function readBody(
  request: IncomingMessage,
  sizeBytesMax: number,
  done: (body: Buffer | EnokiError) => void,
): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  let sizeBytes = 0;
  let isDone = false;
  request.on("data", (chunk: Buffer) => {
    if (isDone) return;
    sizeBytes += chunk.length;
    if (sizeBytes > sizeBytesMax) {
      isDone = true;
      first = undefined;
      more = undefined;
      done(new EnokiError("ENOKI_BODY_TOO_LARGE", `a body may have ${sizeBytesMax} bytes`));
      return;
    }
    if (!first) first = chunk;
    else (more ??= [first]).push(chunk);
  });
  request.on("end", () => {
    if (isDone) return;
    isDone = true;
    done(more ? Buffer.concat(more, sizeBytes) : (first ?? Buffer.alloc(0)));
  });
}
