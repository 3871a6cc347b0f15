import { expect, test, vi } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { whileAllowed } from "../../../src/gateway/admin/allowed-stream.js";
import { eventually } from "../../helpers/eventually.js";

const encoder = new TextEncoder();

/** A body that is written by hand. */
function handmade() {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const cancel = vi.fn<() => void>();
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    cancel,
  });
  const send = (text: string): void => controller.enqueue(encoder.encode(text));
  return { body, send, cancel, close: () => controller.close() };
}

const refuse = (): never => {
  throw new EnokiError("ENOKI_UNAUTHORIZED", "it was removed");
};
const LAST = `{"error":{"code":"ENOKI_UNAUTHORIZED","message":"it was removed"}}\n`;

test("a stream that is allowed to its end is left alone", async () => {
  const { body, send, close } = handmade();
  const response = whileAllowed(new Response(body, { headers: { "x-kept": "1" } }), () => {});
  send("one\n");
  send("two");
  close();
  expect([await response.text(), response.headers.get("x-kept")]).toEqual(["one\ntwo", "1"]);
});

test("one that is no longer allowed ends with a line that says why, and its source is told", async () => {
  const { body, send, cancel } = handmade();
  let check = (): void => {};
  const text = whileAllowed(new Response(body), () => check()).text();
  send("one\n");
  check = refuse;
  expect(await text).toBe(`one\n${LAST}`);
  expect(cancel).toHaveBeenCalledOnce();
});

test("a line that has begun is not cut", async () => {
  const { body, send } = handmade();
  const looks = vi.fn(refuse);
  const reader = (whileAllowed(new Response(body), looks).body as ReadableStream).getReader();
  const read = async (): Promise<string> => {
    const { value } = await reader.read();
    return new TextDecoder().decode(value as Uint8Array);
  };
  send("half a ");
  expect(await read()).toBe("half a ");
  await eventually(() => expect(looks).toHaveBeenCalled());
  send("line\nand another\n");
  expect([await read(), await read()]).toEqual(["line\n", LAST]);
  expect((await reader.read()).done).toBe(true);
});
