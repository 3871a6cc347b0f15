import { EnokiError } from "../../core/errors.js";
import type { Logger } from "../../ports/logger.js";

/** Bytes kept for a client that reads slower than lines come, one line more at most. */
const BUFFERED_BYTES_MAX = 1024 * 1024;
/** A silent stream sends an empty line so often: clients and proxies give up on silent bodies. */
const BEAT_INTERVAL_MS = 25_000;
/** A pulled stream hands out lines in pieces of about this size. */
const PIECE_BYTES = 64 * 1024;

/** Media type of a stream of JSON lines. */
export const NDJSON = "application/x-ndjson";

/** Headers of every stream: nobody between us and the client may hold lines back. */
function streamHeaders(contentType: string): Record<string, string> {
  return { "Content-Type": contentType, "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
}

/** The last line of a stream that did not end as it should. */
export function errorLine(error: unknown): string {
  const known =
    error instanceof EnokiError ? error : new EnokiError("ENOKI_INTERNAL", "see the node's log");
  return JSON.stringify({ error: { code: known.code, message: known.message } });
}

/**
 * A response that begins with a JSON line for each of `first` and goes on with one per event until
 * one of `ends` is aborted: the client left, or the node drains. `subscribe` gets the function that
 * sends a value and returns the one that ends the subscription, which is called exactly once. A
 * client that reads too slowly gets a last line with `ENOKI_SLOW_READER`.
 */
export function eventStream(
  ends: readonly AbortSignal[],
  first: readonly unknown[],
  subscribe: (send: (value: unknown) => void) => () => void,
): Response {
  const encoder = new TextEncoder();
  const head = encoder.encode(first.map((value) => `${JSON.stringify(value)}\n`).join(""));
  let unsubscribe: (() => void) | undefined;
  let close = (): void => {};
  let beat: NodeJS.Timeout | undefined;
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    clearInterval(beat);
    for (const signal of ends) signal.removeEventListener("abort", close);
    const end = unsubscribe;
    unsubscribe = undefined;
    end?.();
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const sendLine = (line: string): void => controller.enqueue(encoder.encode(`${line}\n`));
        close = (): void => {
          if (isOver) return;
          stop();
          controller.close();
        };
        if (head.length > 0) controller.enqueue(head);
        const started = subscribe((value) => {
          if (isOver) return;
          if ((controller.desiredSize ?? 0) > 0) return sendLine(JSON.stringify(value));
          sendLine(errorLine(new EnokiError("ENOKI_SLOW_READER", "lines were lost from here on")));
          close();
        });
        if (isOver) return started();
        beat = setInterval(() => {
          if ((controller.desiredSize ?? 0) > 0) sendLine("");
        }, BEAT_INTERVAL_MS).unref();
        unsubscribe = started;
        for (const signal of ends) signal.addEventListener("abort", close);
        if (ends.some((signal) => signal.aborted)) close();
      },
      cancel: stop,
    },
    new ByteLengthQueuingStrategy({ highWaterMark: head.length + BUFFERED_BYTES_MAX }),
  );
  return new Response(stream, { headers: streamHeaders(NDJSON) });
}

/**
 * A response made of `lines`, taken only as fast as the client reads; when it leaves, the iterator
 * is told. An error in the middle becomes a last line `{"error":{"code","message"}}`.
 */
export function lineStream(lines: Iterable<string>, contentType: string, logger: Logger): Response {
  const encoder = new TextEncoder();
  const iterator = lines[Symbol.iterator]();
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        let piece = "";
        let isDone = false;
        try {
          while (!isDone && piece.length < PIECE_BYTES) {
            const next = iterator.next();
            isDone = next.done === true;
            if (!next.done) piece += `${next.value}\n`;
          }
        } catch (error) {
          logger.error({ error: String(error) }, "a stream broke off");
          piece += `${errorLine(error)}\n`;
          isDone = true;
        }
        if (piece !== "") controller.enqueue(encoder.encode(piece));
        if (isDone) controller.close();
      },
      cancel() {
        iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { headers: streamHeaders(contentType) });
}
