import type { CallResponse } from "../../../dist/functions/call.js";
import { createInvocationIds } from "../../../dist/functions/invocation-ids.js";
import type { RunningNode } from "../../helpers/running-node.js";

const nextId = createInvocationIds();

/** Calls a function without HTTP in between. */
export function submitCall(running: RunningNode, name: string, body = ""): Promise<CallResponse> {
  const host = running.node.functions.find(name);
  if (!host) throw new Error(`no function ${name}`);
  const { id, bytes } = nextId();
  return new Promise((resolve, reject) => {
    host.submit({
      id,
      idBytes: bytes,
      request: {
        method: "POST",
        path: "",
        query: "",
        contentType: "text/plain",
        idempotencyKey: "",
        headers: "",
        body: body === "" ? undefined : Buffer.from(body),
      },
      timeoutMs: undefined,
      settled: (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)),
    });
  });
}
