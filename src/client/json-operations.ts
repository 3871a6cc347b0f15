import type { Operations } from "../guest/operations.js";
import type { Requests } from "./transport.js";

/** First byte of a reply on the function channel, which the shared decoders skip. */
const REPLY_OK = Buffer.of(0);

/**
 * JSON operations on a keygroup over HTTP, in the form that the library inside functions uses:
 * batches, CRDTs and updates are the same code here and there. Only `json` is there; whatever the
 * function channel carries in its binary form has a request of its own in HTTP.
 */
export function jsonOperations(admin: Requests, keygroupPath: string): Operations {
  const operations: Pick<Operations, "json"> = {
    async json(request, decode) {
      const answer = await admin.request(`${keygroupPath}/operations`, {
        method: "POST",
        headers: new Headers({ "content-type": "application/json" }),
        body: JSON.stringify(request),
      });
      return decode(Buffer.concat([REPLY_OK, answer.body]), undefined);
    },
  };
  return operations as Operations;
}
