import { decodeErrorReply, isErrorReply } from "../../channel/replies.js";
import { FrameWriter } from "../../channel/frames.js";
import type { Asker } from "../../keygroups/asker.js";
import { EnokiError, type ErrorCode } from "../../core/errors.js";

/** Takes operations as a node takes them from an instance, and answers with frames. */
export interface OperationServer {
  serve(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void;
}

const HEADER_BYTES = 9;
const ID_AT = 5;

/** The channel of an instance that has no process: operations in, replies out. */
export class SimChannel {
  readonly #server: OperationServer;
  readonly #waiting = new Map<number, (reply: Buffer) => void>();
  readonly #replies = writerTo((frame) => this.#answered(frame));
  #operation: Buffer | undefined;
  readonly #operations = writerTo((frame) => {
    this.#operation = frame;
  });
  #lastId = 0;

  constructor(server: OperationServer) {
    this.#server = server;
  }

  /**
   * Does the operation that `encode` writes, on behalf of `asker`, and resolves with its reply.
   * @throws EnokiError with the code of an error reply
   */
  async ask(encode: (writer: FrameWriter, id: number) => void, asker?: Asker): Promise<Buffer> {
    const id = ++this.#lastId;
    encode(this.#operations, id);
    const payload = (this.#operation as Buffer).subarray(HEADER_BYTES);
    const reply = await new Promise<Buffer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#server.serve(this.#replies, id, asker, payload);
    });
    if (!isErrorReply(reply)) return reply;
    throw new EnokiError(decodeErrorReply(reply)["code"] as ErrorCode);
  }

  #answered(frame: Buffer): void {
    const id = frame.readUInt32LE(ID_AT);
    this.#waiting.get(id)?.(frame.subarray(HEADER_BYTES));
    this.#waiting.delete(id);
  }
}

/** A call that keeps no session and is not asked how stale its reads were. */
export function sessionless(idBytes: Uint8Array): Asker {
  return {
    idBytes,
    session: undefined,
    isElsewhere: false,
    noteRead: () => {},
    noteSeen: () => {},
  };
}

/** A writer that hands over every frame as soon as it is whole. */
function writerTo(take: (frame: Buffer) => void): FrameWriter {
  const sink = {
    writableLength: 0,
    // why a copy: an operation may wait longer than the writer keeps its memory from being used again.
    write: (chunk: Uint8Array) => take(Buffer.from(chunk)),
  };
  return new FrameWriter(sink, { schedule: (flush) => flush() });
}
