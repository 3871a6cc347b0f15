import type { EnokiError } from "../../../src/core/errors.js";
import { Call, type CallRequest, type CallResponse } from "../../../src/functions/call.js";
import { createInvocationIds } from "../../../src/functions/invocation-ids.js";

/** A request without anything in it. */
export const REQUEST: CallRequest = {
  method: "POST",
  path: "",
  query: "",
  contentType: "text/plain",
  idempotencyKey: "",
  headers: "",
  body: undefined,
};

/** What a function answers when it does not matter. */
export const RESPONSE: CallResponse = {
  status: 200,
  contentType: "text/plain",
  headers: "",
  body: Buffer.from("done"),
};

const nextId = createInvocationIds();

/** A call, and the way to see how it ended; `undefined` while it has not. */
export function makeCall(timeoutMs = 3_600_000): {
  readonly call: Call;
  readonly outcome: () => CallResponse | EnokiError | undefined;
} {
  let outcome: CallResponse | EnokiError | undefined;
  const { id, bytes } = nextId();
  const call = new Call({
    id,
    idBytes: bytes,
    request: REQUEST,
    nowMs: performance.now(),
    timeoutMs,
    settled: (settled) => (outcome = settled),
  });
  return { call, outcome: () => outcome };
}
