import { OPERATION } from "../../channel/frames.js";
import type { FrameWriter } from "../../channel/frames.js";
import { encodeJsonOperation, encodeKeyOperation, encodeSet } from "../../channel/operations.js";
import { decodeEntryReply } from "../../channel/replies.js";
import { EnokiError } from "../../core/errors.js";
import { utf8Bytes } from "../../core/text.js";
import type { WriteOperation } from "../../keygroups/types.js";
import { sessionless } from "../cluster/channel.js";
import type { SimNode } from "../cluster/node.js";
import type { Checker } from "../oracles/checker.js";

/** One operation of a function on a node that has no serving replica. */
export interface RemoteCall {
  readonly key: string;
  /** `undefined`: it reads. */
  readonly write: WriteOperation | undefined;
  readonly writer: Uint8Array;
  readonly checker: Checker;
}

/** What a client knows after a remote operation; `unknown`: a write may have taken place. */
type RemoteOutcome = "read" | "written" | "refused" | "unreachable" | "unknown";

/** Calls outside any invocation have this number. */
const NO_CALL = 0;

/** Does one operation where the data are, as an instance on that node would. */
export async function callElsewhere(
  { process }: SimNode,
  { key, write, writer, checker }: RemoteCall,
): Promise<RemoteOutcome> {
  if (!process) return "unreachable";
  const { channel } = process;
  try {
    if (!write) {
      const reply = await channel.ask((frames, id) =>
        encodeKeyOperation(frames, id, NO_CALL, OPERATION.entry, key),
      );
      // The node may be down since: then nobody reads the answer.
      if (process.isAlive())
        checker.readElsewhere(utf8Bytes(key), decodeEntryReply(reply)?.version);
      return "read";
    }
    await channel.ask((frames, id) => encodeWrite(frames, id, write), sessionless(writer));
    if (process.isAlive()) checker.writes.acknowledged(writer, write.op === "set");
    return "written";
  } catch (error) {
    if (!(error instanceof EnokiError)) throw error;
    if (error.code === "ENOKI_OUTCOME_UNKNOWN") return "unknown";
    if (write) checker.writes.refused(writer);
    return error.code === "ENOKI_PEER_UNREACHABLE" ? "unreachable" : "refused";
  }
}

function encodeWrite(frames: FrameWriter, id: number, write: WriteOperation): void {
  if (write.op === "set") {
    const { key, value, ttlMs = 0 } = write;
    const ttl = ttlMs > 0 ? { ttlMs } : {};
    encodeSet(frames, id, NO_CALL, { key, tag: value.tag, value: value.bytes, ...ttl });
  } else if (write.op === "delete") {
    encodeKeyOperation(frames, id, NO_CALL, OPERATION.delete, write.key);
  } else {
    encodeJsonOperation(frames, id, NO_CALL, write);
  }
}
