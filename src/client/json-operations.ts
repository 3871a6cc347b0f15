import type { BatchReply } from "../channel/batches.js";
import { decodeJsonReply, type ValueView } from "../channel/replies.js";
import { toJsonValue, type JsonValue } from "../channel/values.js";
import type { TypedValue } from "../core/value.js";
import type { Operations } from "../guest/operations.js";
import type { Requests } from "./transport.js";

/** First byte of a reply on the function channel, which the shared decoders skip. */
const REPLY_OK = Buffer.of(0);

/**
 * JSON operations on a keygroup over HTTP, in the form that the library inside functions uses:
 * batches, CRDTs and updates are the same code here and there. A batch becomes JSON here; whatever else
 * the function channel carries in its binary form has a request of its own in HTTP.
 */
export function jsonOperations(admin: Requests, keygroupPath: string): Operations {
  const operations: Pick<Operations, "json" | "batch"> = {
    async json(request, decode) {
      const answer = await admin.request(`${keygroupPath}/operations`, {
        method: "POST",
        headers: new Headers({ "content-type": "application/json" }),
        body: JSON.stringify(request),
      });
      return decode(Buffer.concat([REPLY_OK, answer.body]), undefined);
    },
    batch: ({ writes, sends, ...rest }) =>
      operations.json(
        {
          op: "batch",
          ...rest,
          writes: writes.map((it) => (it.op === "set" ? { ...it, value: inJson(it.value) } : it)),
          sends: sends.map((it) => ({ ...it, data: inJson(it.data) })),
        },
        (payload) => decodeJsonReply(payload) as unknown as BatchReply,
      ),
  };
  return operations as Operations;
}

function inJson({ tag, bytes }: ValueView): JsonValue {
  return toJsonValue({ tag, bytes } as TypedValue);
}
