import { ChannelError, FRAME } from "../../channel/frames.js";
import { decodeErrorReply, isErrorReply } from "../../channel/replies.js";
import { EnokiError } from "../../core/errors.js";
import type { NodeName } from "../../core/ids.js";
import type { PeerRequests } from "../../peers/requests.js";
import { decodeAnswer, OPERATION_METHOD, type OperationAnswer } from "./operation-request.js";

/** One operation, and whom it may be asked of. */
export interface MembersQuestion {
  /** In this order. */
  readonly members: readonly NodeName[];
  readonly requests: Pick<PeerRequests, "request">;
  readonly body: Uint8Array;
  /** How long a member may wait for fresher data before it answers. */
  readonly withinMs: number;
  /** A member that is too stale leaves it to the next. */
  readonly isStaleElsewhere: boolean;
  /** What is said if there is nobody to ask. */
  readonly refusal: EnokiError;
}

/** How long the answer of another node is waited for, and before that for room on a busy link. */
const TIMEOUT_MS = 10_000;

/** Codes of a member that certainly did nothing, and cannot now: another one may. */
const UNDONE: ReadonlySet<string> = new Set([
  "ENOKI_PEER_UNREACHABLE",
  "ENOKI_SESSION_NOT_REACHED",
  "ENOKI_DRAINING",
]);

/**
 * Asks one member after the other, as long as it is certain that nothing was done.
 * @throws EnokiError of the last one that was asked
 */
export async function askMembers(question: MembersQuestion): Promise<OperationAnswer> {
  const { members, requests, body, withinMs, isStaleElsewhere } = question;
  let { refusal } = question;
  for (const member of members) {
    try {
      const bytes = await requests.request(member, OPERATION_METHOD, body, {
        timeoutMs: TIMEOUT_MS + withinMs,
        isTimedFromLeaving: true,
        lane: "update",
      });
      const { answer, refused } = readAnswer(bytes);
      if (!refused || !mayMoveOn(refused, isStaleElsewhere)) return answer;
      refusal = refused;
    } catch (error) {
      if (!(error instanceof EnokiError) || !mayMoveOn(error, isStaleElsewhere)) throw error;
      // why: that a link is down says less than what a node has said.
      if (error.code !== "ENOKI_PEER_UNREACHABLE") refusal = error;
    }
  }
  throw refusal;
}

/** True for an error with which certainly nothing was done, and the same may be done a moment later. */
export function isUndone({ code }: EnokiError): boolean {
  return UNDONE.has(code) || code === "ENOKI_QUEUE_FULL";
}

function mayMoveOn({ code }: EnokiError, isStaleElsewhere: boolean): boolean {
  return UNDONE.has(code) || (code === "ENOKI_STALE" && isStaleElsewhere);
}

/** @throws EnokiError `ENOKI_PROTOCOL` for what no replica answers */
function readAnswer(bytes: Uint8Array): {
  readonly answer: OperationAnswer;
  readonly refused: EnokiError | undefined;
} {
  const answer = decodeAnswer(bytes);
  const { type, payload } = answer;
  try {
    if (type !== FRAME.reply) throw new ChannelError(`a frame ${type} is no reply`);
    if (!isErrorReply(payload)) return { answer, refused: undefined };
    const { code, message } = decodeErrorReply(payload);
    return { answer, refused: new EnokiError(code as EnokiError["code"], String(message)) };
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    throw new EnokiError("ENOKI_PROTOCOL", `the answer of another node: ${error.message}`);
  }
}
