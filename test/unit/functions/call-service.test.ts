import { expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import type { FunctionName, InvocationId } from "../../../src/core/ids.js";
import {
  decodeCallAnswer,
  encodeCallMessage,
  type CallAnswer,
} from "../../../src/functions/calls/call-message.js";
import type { CallEnd } from "../../../src/functions/calls/call-order.js";
import { serveCalls, type CallServiceOptions } from "../../../src/functions/calls/call-service.js";
import type { LocalCalls } from "../../../src/functions/calls/local-calls.js";
import type { FunctionHost } from "../../../src/functions/function-host.js";
import type { FunctionSessions } from "../../../src/functions/sessions.js";
import { REQUEST, RESPONSE } from "./calls.js";

type Handler = Parameters<CallServiceOptions["requests"]["serve"]>[1];

/** What a node answers whose function ended well, with a session that is too long for a token. */
async function answered(isQueued: boolean): Promise<CallAnswer> {
  const end: CallEnd = {
    outcome: RESPONSE,
    isStarted: true,
    session: { hlc: 1, keygroups: new Map() },
    stalenessMs: undefined,
  };
  let handler: Handler | undefined;
  serveCalls({
    requests: { serve: (_method, served) => void (handler = served) },
    find: () => ({ name: "fn" as FunctionName }) as FunctionHost,
    local: { run: async () => end } as unknown as LocalCalls,
    received: { run: async () => end },
    sessions: {
      write: () => {
        throw new EnokiError("ENOKI_SESSION_TOO_LARGE");
      },
    } as unknown as FunctionSessions,
    isDraining: () => false,
  });
  const message = {
    id: "0123456789abcdef0123456789abcdef" as InvocationId,
    function: "fn",
    timeoutMs: undefined,
    depth: 1,
    session: "",
    isQueued,
    request: REQUEST,
  };
  const request = { body: encodeCallMessage(message), signal: new AbortController().signal };
  const answer = await handler!(request as Parameters<Handler>[0]);
  return decodeCallAnswer(answer as Uint8Array);
}

test("a call whose session is too long for a token fails: its caller would lose what it has seen", async () => {
  expect(await answered(false)).toMatchObject({
    outcome: { code: "ENOKI_SESSION_TOO_LARGE" },
    isStarted: true,
  });
});

test("a send that ended well has ended well, and leaves such a session out", async () => {
  expect(await answered(true)).toMatchObject({ outcome: RESPONSE, isStarted: true, session: "" });
});
