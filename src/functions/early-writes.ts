import type { FrameWriter } from "../channel/frames.js";
import { isPlainSet } from "../channel/operations.js";
import {
  decodeErrorReply,
  encodeErrorReply,
  encodeSetReply,
  isErrorReply,
} from "../channel/replies.js";
import { EnokiError } from "../core/errors.js";
import { Replies } from "../keygroups/replies.js";
import type { Call } from "./call.js";
import type { OperationServer } from "./operations-port.js";
import { SetLine } from "./set-line.js";

/** Who answers an operation: for keygroups or for calls between functions. */
interface Server {
  serve(writer: FrameWriter, id: number, call: Call | undefined, payload: Buffer): void;
}

/** What one instance may have on its way that nobody has acknowledged. */
const UNACKNOWLEDGED_MAX = 64;
const UNACKNOWLEDGED_BYTES_MAX = 1024 * 1024;
/** Nobody can know the version of what is not stored yet. */
const NO_VERSION = "";

/**
 * The operations of one instance whose function waits for no `set` that goes to another node: a plain
 * one is answered once it is sent.
 *
 * Invariants: 1. Everything else that a call asks for begins only when all that it has sent is
 * acknowledged, so it sees what the call has written and tells nobody of what may be lost. 2. Sets are
 * stored in their order. 3. Once one has failed, nothing more is done for its call, which fails.
 */
export class EarlyWrites {
  readonly #operations: OperationServer;
  readonly #lines = new WeakMap<Call, SetLine>();
  readonly #replies = new Replies();
  #unacknowledged = 0;
  #unacknowledgedBytes = 0;
  #close: () => void = () => {};
  #isClosed = false;
  readonly #closed = new Promise<void>((resolve) => (this.#close = resolve));

  /** `operations`: of the keygroups, as the instance has them without this. */
  constructor(operations: OperationServer) {
    this.#operations = operations;
  }

  /** Answers like `server`, but for plain sets to another node. @throws ChannelError */
  serve(
    server: Server,
    writer: FrameWriter,
    id: number,
    call: Call | undefined,
    payload: Buffer,
  ): void {
    const line = call && this.#lines.get(call);
    if (call && isPlainSet(payload) && this.#sendEarly(call, line, payload)) {
      encodeSetReply(writer, id, NO_VERSION);
      return;
    }
    if (!line || line.isEmpty) {
      server.serve(writer, id, call, payload);
      return;
    }
    // What was read from the channel is written over with the next frames.
    const kept = Buffer.from(payload);
    void line.settled().then((failure) => {
      if (this.#isClosed) return;
      if (failure) {
        encodeErrorReply(writer, id, {
          ...failure.extra,
          code: failure.code,
          message: failure.message,
        });
      } else this.serve(server, writer, id, call, kept);
    });
  }

  /**
   * Resolves once all that the call has written is acknowledged, or with why it is not; `undefined` =
   * there is nothing to wait for.
   */
  settled(call: Call): Promise<EnokiError | undefined> | undefined {
    const line = this.#lines.get(call);
    return line && !line.isEmpty ? line.settled() : undefined;
  }

  /** The instance is gone: nothing is sent again, and what waits is not answered. */
  close(): void {
    this.#isClosed = true;
    this.#close();
  }

  #sendEarly(call: Call, line: SetLine | undefined, payload: Buffer): boolean {
    const sizeBytes = payload.length;
    const isFull =
      this.#unacknowledged >= UNACKNOWLEDGED_MAX ||
      this.#unacknowledgedBytes + sizeBytes > UNACKNOWLEDGED_BYTES_MAX;
    if (isFull || (line && !line.isOpen)) return false;
    const sent = this.#operations.sendSet?.(call, payload, line?.to);
    if (!sent) return false;
    const kept = Buffer.from(payload);
    const into = line ?? new SetLine((set) => this.#sendAgain(call, set));
    this.#lines.set(call, into);
    this.#unacknowledged += 1;
    this.#unacknowledgedBytes += sizeBytes;
    into.add(kept, sent, () => {
      this.#unacknowledged -= 1;
      this.#unacknowledgedBytes -= sizeBytes;
    });
    return true;
  }

  /** Serves a set like any other, for nobody who waits for its answer. @throws EnokiError */
  async #sendAgain(call: Call, payload: Buffer): Promise<void> {
    if (this.#isClosed) throw new EnokiError("ENOKI_PEER_UNREACHABLE", "the instance has ended");
    const reply = this.#replies.next((writer, id) =>
      this.#operations.serve(writer, id, call, payload),
    );
    const answer = await Promise.race([reply, this.#closed]);
    if (!answer) throw new EnokiError("ENOKI_OUTCOME_UNKNOWN", "the instance has ended");
    if (!isErrorReply(answer.payload)) return;
    const { code, message } = decodeErrorReply(answer.payload);
    throw new EnokiError(code as EnokiError["code"], String(message));
  }
}
