import * as z from "zod";

import { EnokiError } from "../../core/errors.js";
import { type KeygroupName, type NodeName, parseKeygroupName } from "../../core/ids.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { LeaveOptions } from "./leaving.js";

/** Number of the request that a node's replica leave. Never change it. */
export const LEAVE_METHOD = 57;

const requestSchema = z.object({
  keygroup: z.string(),
  isForced: z.boolean(),
  withinMs: z.number().min(0).max(86_400_000),
});
const answerSchema = z.object({ lost: z.number(), refused: z.string().optional() });

/** The answer may come so much later than the wait that was asked for. */
const MARGIN_MS = 10_000;

/** Lets the replica here leave when another node asks for it: naming lets every node do as much. */
export function serveLeave(
  requests: Pick<PeerRequests, "serve">,
  withdraw: (name: KeygroupName, options: LeaveOptions) => Promise<number>,
): void {
  requests.serve(LEAVE_METHOD, async ({ body }) => {
    const { keygroup, ...options } = readRequest(body);
    try {
      return answer({ lost: await withdraw(parseKeygroupName(keygroup), options) });
    } catch (error) {
      // why not as an error: those carry no numbers over links.
      if (!(error instanceof EnokiError) || error.code !== "ENOKI_UNREPLICATED") throw error;
      const { unreplicated } = error.extra as { unreplicated: number };
      return answer({ lost: unreplicated, refused: error.message });
    }
  });
}

/**
 * Asks another node to leave, and resolves with the number of writes that are nowhere else.
 * @throws EnokiError `ENOKI_UNREPLICATED`, and as `PeerRequests.request`
 */
export async function askToLeave(
  requests: Pick<PeerRequests, "request">,
  node: NodeName,
  keygroup: KeygroupName,
  { isForced = false, withinMs = 0 }: LeaveOptions,
): Promise<number> {
  const body = Buffer.from(JSON.stringify({ keygroup, isForced, withinMs }));
  const timeoutMs = withinMs + MARGIN_MS;
  const reply = await requests.request(node, LEAVE_METHOD, body, { timeoutMs });
  const { lost, refused } = readAnswer(reply);
  if (refused === undefined) return lost;
  throw new EnokiError("ENOKI_UNREPLICATED", refused, { unreplicated: lost });
}

function answer(value: z.input<typeof answerSchema>): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function readRequest(body: Uint8Array): z.output<typeof requestSchema> {
  try {
    return requestSchema.parse(JSON.parse(Buffer.from(body).toString("utf8")));
  } catch {
    throw new EnokiError("ENOKI_PROTOCOL", "a malformed request to leave a keygroup");
  }
}

function readAnswer(body: Uint8Array): z.output<typeof answerSchema> {
  try {
    return answerSchema.parse(JSON.parse(Buffer.from(body).toString("utf8")));
  } catch {
    throw new EnokiError("ENOKI_PROTOCOL", "a malformed answer to a request to leave a keygroup");
  }
}
