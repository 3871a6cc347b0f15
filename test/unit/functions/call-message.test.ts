import { assert, nat, property, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import type { InvocationId } from "../../../src/core/ids.js";
import {
  decodeCallAnswer,
  decodeCallMessage,
  encodeCallAnswer,
  encodeCallMessage,
  type CallMessage,
} from "../../../src/functions/calls/call-message.js";

const MESSAGE: CallMessage = {
  id: "0123456789abcdef0123456789abcdef" as InvocationId,
  function: "fn",
  timeoutMs: 250.5,
  depth: 3,
  session: "token",
  isQueued: true,
  request: {
    method: "POST",
    path: "/a",
    query: "b=c",
    contentType: "text/plain",
    idempotencyKey: "key",
    headers: "x\0y\0",
    body: Buffer.from([0, 1, 255]),
  },
};
const RESPONSE = { status: 201, contentType: "a/b", headers: "x\0y\0", body: Buffer.from("hi") };

describe("a call between nodes", () => {
  test("is read as it was written, with a body or without, with a time or without", () => {
    for (const body of [MESSAGE.request.body, undefined]) {
      for (const timeoutMs of [250.5, undefined]) {
        const message = { ...MESSAGE, timeoutMs, request: { ...MESSAGE.request, body } };
        expect(decodeCallMessage(encodeCallMessage(message))).toEqual(message);
      }
    }
  });

  test.each([
    [RESPONSE, 12.5],
    [{ ...RESPONSE, body: Buffer.alloc(0), contentType: "" }, Infinity],
    [new EnokiError("ENOKI_FUNCTION_ERROR", "Error: no", { errorType: "Error" }), undefined],
  ])("and so is its answer: %#", (outcome, stalenessMs) => {
    const answer = { outcome, isStarted: true, session: "", stalenessMs };
    const read = decodeCallAnswer(encodeCallAnswer(answer));
    expect(read).toEqual(answer);
    if (outcome instanceof EnokiError) {
      expect(read.outcome).toMatchObject({ code: outcome.code, extra: outcome.extra });
    }
  });

  test("whatever the bytes are, is read or refused as such", () => {
    const cut = (bytes: Uint8Array, at: number) => bytes.subarray(0, at % bytes.length);
    const made = [
      encodeCallMessage(MESSAGE),
      encodeCallAnswer({
        outcome: RESPONSE,
        isStarted: false,
        session: "",
        stalenessMs: undefined,
      }),
    ];
    assert(
      property(uint8Array({ maxLength: 64 }), nat(), (random, at) => {
        for (const bytes of [random, ...made.map((whole) => cut(whole, at))]) {
          for (const decode of [decodeCallMessage, decodeCallAnswer]) {
            try {
              decode(bytes);
            } catch (error) {
              expect((error as EnokiError).code).toBe("ENOKI_PROTOCOL");
            }
          }
        }
      }),
    );
  });

  test.each([
    { depth: 17 },
    { depth: -1 },
    { timeoutMs: -5 },
    { function: 7 },
    { isQueued: "yes" },
  ])("with %j is refused", (wrong) => {
    const bytes = encodeCallMessage({ ...MESSAGE, ...wrong } as CallMessage);
    expect(() => decodeCallMessage(bytes)).toThrow(/malformed/);
  });
});
