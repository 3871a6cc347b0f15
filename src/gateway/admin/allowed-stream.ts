import { errorLine } from "./streams.js";

/** How often it is looked whether a stream is still allowed: a change counts within a second. */
const LOOK_MS = 250;
const LINE_FEED = 0x0a;

/**
 * A stream of lines that goes on while its reader may read it: once `check` throws, a last line says
 * what it threw, and the stream ends. No line is cut in two.
 */
export function whileAllowed(response: Response, check: () => void): Response {
  if (!response.body) return response;
  const { status, headers } = response;
  return new Response(guarded(response.body as ReadableStream<Uint8Array>, check), {
    status,
    headers,
  });
}

function guarded(
  body: ReadableStream<Uint8Array>,
  check: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let looking: NodeJS.Timeout | undefined;
  let refusal: Uint8Array<ArrayBuffer> | undefined;
  let isAtLineEnd = true;
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    clearInterval(looking);
  };
  const refuse = (controller: ReadableStreamDefaultController): void => {
    stop();
    controller.enqueue(refusal);
    controller.close();
    reader.cancel().catch(() => {});
  };
  const look = (controller: ReadableStreamDefaultController): void => {
    try {
      check();
    } catch (error) {
      clearInterval(looking);
      refusal = new TextEncoder().encode(`${errorLine(error)}\n`);
      if (isAtLineEnd) refuse(controller);
    }
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        looking = setInterval(() => look(controller), LOOK_MS).unref();
      },
      async pull(controller) {
        const { done, value } = await reader.read();
        if (isOver) return;
        if (done) {
          stop();
          controller.close();
          return;
        }
        const end = refusal ? value.indexOf(LINE_FEED) + 1 : value.length;
        const piece = value.slice(0, end > 0 ? end : value.length);
        isAtLineEnd = piece.at(-1) === LINE_FEED;
        controller.enqueue(piece);
        if (refusal && isAtLineEnd) refuse(controller);
      },
      async cancel(reason) {
        stop();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
