import { OPERATION, type FrameWriter } from "../../channel/frames.js";
import { encodeKeyOperation, encodeSet, type Fresh } from "../../channel/operations.js";
import { decodeEntryReply } from "../../channel/replies.js";
import { EnokiError } from "../../core/errors.js";
import { mergeSessions, type Session } from "../../core/session.js";
import { TAG } from "../../core/value.js";
import type { Asker } from "../../keygroups/asker.js";
import type { SimNode } from "../cluster/node.js";
import { FUNCTION } from "../cluster/process.js";

/** One operation of a call, as a scenario says it. */
export type ScenarioOperation =
  | { readonly op: "get"; readonly key: string; readonly fresh?: Fresh }
  | { readonly op: "set"; readonly key: string; readonly value: string };

/** How long a call waits for what its client has seen. */
const SESSION_WAIT_MS = 5000;
/** Calls outside any invocation have this number. */
const NO_CALL = 0;

/** A client that calls a function on one node after the other and carries along what it has seen. */
export class ScenarioClient {
  #token = "";

  /** What a call on that node answers: the value, `ok`, or the code of why not. */
  async call({ process }: SimNode, operation: ScenarioOperation): Promise<string> {
    if (!process) return "the node is down";
    const { sessions, channel } = process;
    try {
      const asker = new CallAsker(this.#token === "" ? undefined : sessions.read(this.#token));
      if (asker.session) await sessions.enter(FUNCTION, asker.session, SESSION_WAIT_MS);
      const reply = await channel.ask((frames, id) => encode(frames, id, operation), asker);
      const answer = operation.op === "set" ? "ok" : shown(reply);
      this.#token = sessions.marks(FUNCTION, asker.ended).session ?? "";
      await new Promise<void>((resolve) => {
        sessions.whenKept(FUNCTION, resolve);
      });
      return answer;
    } catch (error) {
      if (error instanceof EnokiError) return error.code;
      throw error;
    }
  }
}

/** A call that keeps what it has come to see. */
class CallAsker implements Asker {
  readonly idBytes = undefined;
  readonly isElsewhere = false;
  session: Session | undefined;
  #stalenessMs: number | undefined;

  constructor(session: Session | undefined) {
    this.session = session;
  }

  /** What is told of it with its answer. */
  get ended() {
    const { session, isElsewhere } = this;
    const stalenessMs = this.#stalenessMs;
    return { session, isElsewhere, stalenessMs, hasReadDirectly: false, startedMs: 0 };
  }

  noteRead(boundMs: number): void {
    this.#stalenessMs = Math.max(this.#stalenessMs ?? 0, boundMs);
  }

  noteSeen(session: Session): void {
    this.session = this.session ? mergeSessions(this.session, session) : session;
  }
}

function encode(frames: FrameWriter, id: number, operation: ScenarioOperation): void {
  const { key } = operation;
  if (operation.op === "set") {
    encodeSet(frames, id, NO_CALL, { key, tag: TAG.str, value: operation.value });
  } else encodeKeyOperation(frames, id, NO_CALL, OPERATION.entry, key, operation.fresh);
}

function shown(reply: Buffer): string {
  const entry = decodeEntryReply(reply);
  return entry ? entry.bytes.toString("utf8") : "nothing";
}
