import type { IncomingMessage } from "node:http";

import { EnokiError } from "../../core/errors.js";

/** How much of a refused body is read and dropped, as a multiple of what is allowed. */
const DROPPED_BODIES_MAX = 4;

/**
 * Gathers a request's body and calls `done` once: with the bytes, or with
 * `ENOKI_BODY_TOO_LARGE` as soon as it is known to exceed `sizeBytesMax`. When the client leaves
 * first, `done` is never called.
 *
 * What comes after a refusal is read and dropped: a connection that is closed in the face of a
 * client that still sends is reset, and the client never sees why.
 */
export function readBody(
  request: IncomingMessage,
  {
    announcedBytes,
    sizeBytesMax,
  }: { readonly announcedBytes: number; readonly sizeBytesMax: number },
  done: (body: Buffer | EnokiError) => void,
): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  let sizeBytes = 0;
  let isDone = false;
  const refuse = (): void => {
    isDone = true;
    first = undefined;
    more = undefined;
    done(new EnokiError("ENOKI_BODY_TOO_LARGE", `a body may have ${sizeBytesMax} bytes`));
  };
  if (announcedBytes > sizeBytesMax) refuse();
  request.on("data", (chunk: Buffer) => {
    sizeBytes += chunk.length;
    if (isDone) {
      if (sizeBytes > sizeBytesMax * DROPPED_BODIES_MAX) request.destroy();
      return;
    }
    if (sizeBytes > sizeBytesMax) {
      refuse();
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
