import type { FrameSink } from "../../channel/frame-writer.js";
import { ChannelError, FrameWriter } from "../../channel/frames.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { Logger } from "../../ports/logger.js";
import type { Keygroup } from "../keygroup.js";
import { KeygroupOperations } from "../operation-server.js";
import { decodeOperation, OPERATION_METHOD } from "./operation-request.js";

/** What answers operations of other nodes. */
export interface OperationServiceOptions {
  readonly requests: PeerRequests;
  /** The keygroup, if its replica here serves. */
  readonly serving: (name: KeygroupName) => Keygroup | undefined;
  /** True if functions on that node may use the keygroup. */
  readonly mayAsk: (name: KeygroupName, peer: NodeName) => boolean;
  readonly logger: Logger;
}

/** Length of a frame's header before its type, and of its id behind that. */
const LENGTH_BYTES = 4;
const ID_BYTES = 4;

/**
 * Serves operations of functions on other nodes from the replicas here, each in one turn: nothing is
 * locked while an answer travels. The answer is the frame that an instance here would get.
 */
export function serveOperations(options: OperationServiceOptions): void {
  const { requests, serving, mayAsk, logger } = options;
  let replies: Replies | undefined;
  const servers = new WeakMap<Keygroup, KeygroupOperations>();
  requests.serve(OPERATION_METHOD, ({ peer, body }) => {
    const { keygroup: name, invocation, payload } = decodeOperation(body);
    if (!mayAsk(name, peer)) {
      throw new EnokiError("ENOKI_FORBIDDEN", `"${peer}" has no part in keygroup "${name}"`);
    }
    const keygroup = serving(name);
    if (!keygroup) {
      throw new EnokiError("ENOKI_PEER_UNREACHABLE", `keygroup "${name}" is not served here`);
    }
    const server = servers.get(keygroup) ?? new KeygroupOperations(keygroup, logger);
    servers.set(keygroup, server);
    replies ??= new Replies();
    return replies.next((writer, id) => server.serve(writer, id, invocation, payload));
  });
}

/** Takes frames that are written for an instance, one by one, for whoever waits for each. */
class Replies implements FrameSink {
  readonly writableLength = 0;
  readonly #waiting = new Map<number, (reply: Uint8Array) => void>();
  readonly #writer: FrameWriter;
  #chunks: Uint8Array[] = [];
  #lastId = 0;

  constructor() {
    this.#writer = new FrameWriter(this, {
      schedule: (flush) => {
        flush();
        this.#taken();
      },
    });
  }

  write(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
  }

  /** Resolves with the type and the payload of the frame that `serve` has written. */
  async next(serve: (writer: FrameWriter, id: number) => void): Promise<Uint8Array> {
    this.#lastId = (this.#lastId + 1) % 2 ** 32;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, resolve);
      try {
        serve(this.#writer, id);
      } catch (error) {
        this.#waiting.delete(id);
        const isMalformed = error instanceof ChannelError;
        reject(isMalformed ? new EnokiError("ENOKI_PROTOCOL", error.message) : error);
      }
    });
  }

  #taken(): void {
    const frame = Buffer.concat(this.#chunks);
    this.#chunks = [];
    const id = frame.readUInt32LE(LENGTH_BYTES + 1);
    const reply = Buffer.concat([
      frame.subarray(LENGTH_BYTES, LENGTH_BYTES + 1),
      frame.subarray(LENGTH_BYTES + 1 + ID_BYTES),
    ]);
    this.#waiting.get(id)?.(reply);
    this.#waiting.delete(id);
  }
}
