import { OPERATION, type FrameWriter } from "../../channel/frames.js";
import { decodeJsonOperation, operationKind } from "../../channel/operations.js";
import { encodeErrorReply } from "../../channel/replies.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { Logger } from "../../ports/logger.js";
import type { Keygroup } from "../keygroup.js";
import { KeygroupOperations } from "../operation-server.js";
import { encodeOperation, OPERATION_METHOD } from "./operation-request.js";

/** What operations of a function go by. */
export interface RoutedOperationsOptions {
  readonly keygroup: KeygroupName;
  /** The keygroup, if its replica here serves now. */
  readonly serving: () => Keygroup | undefined;
  /** Linked members that may serve, the best one first. */
  readonly members: () => readonly NodeName[];
  readonly requests: PeerRequests;
  readonly logger: Logger;
}

/** How long the answer of another node is waited for. */
const TIMEOUT_MS = 10_000;

/**
 * Serves one instance's operations where the data are: here, while a replica here serves, and else at
 * the nearest member that does. They are sent one behind the other, without a wait in between.
 */
export class RoutedOperations {
  readonly #options: RoutedOperationsOptions;
  #local: { readonly keygroup: Keygroup; readonly operations: KeygroupOperations } | undefined;
  #isClosed = false;

  constructor(options: RoutedOperationsOptions) {
    this.#options = options;
  }

  serve(
    writer: FrameWriter,
    id: number,
    invocation: Uint8Array | undefined,
    payload: Buffer,
  ): void {
    if (this.#isClosed) return;
    const keygroup = this.#options.serving();
    if (keygroup) this.#here(keygroup).serve(writer, id, invocation, payload);
    else this.#send(writer, id, invocation, payload);
  }

  close(): void {
    this.#isClosed = true;
    this.#local?.operations.close();
  }

  #here(keygroup: Keygroup): KeygroupOperations {
    if (this.#local?.keygroup !== keygroup) {
      this.#local?.operations.close();
      const operations = new KeygroupOperations(keygroup, this.#options.logger);
      this.#local = { keygroup, operations };
    }
    return this.#local.operations;
  }

  #send(
    writer: FrameWriter,
    id: number,
    invocation: Uint8Array | undefined,
    payload: Buffer,
  ): void {
    const refuse = (error: unknown): void => {
      if (this.#isClosed) return;
      if (!(error instanceof EnokiError)) throw error;
      encodeErrorReply(writer, id, {
        ...error.extra,
        code: error.code,
        message: error.message,
      });
    };
    if (isWatch(payload)) {
      refuse(new EnokiError("ENOKI_UNSUPPORTED", "a watch needs a replica on the function's node"));
      return;
    }
    const { keygroup } = this.#options;
    this.#ask(encodeOperation({ keygroup, invocation, payload })).then((reply) => {
      if (this.#isClosed) return;
      writer.begin(reply[0] as number, id);
      writer.bytes(reply.subarray(1));
      writer.end();
    }, refuse);
  }

  /** Asks one member after the other, as long as it is certain that nothing was done. */
  async #ask(body: Uint8Array): Promise<Uint8Array> {
    const { keygroup, members, requests } = this.#options;
    for (const member of members()) {
      try {
        return await requests.request(member, OPERATION_METHOD, body, {
          timeoutMs: TIMEOUT_MS,
          lane: "update",
        });
      } catch (error) {
        const isUndone = error instanceof EnokiError && error.code === "ENOKI_PEER_UNREACHABLE";
        if (!isUndone) throw error;
      }
    }
    const detail = `no member that serves keygroup "${keygroup}" can be reached`;
    throw new EnokiError("ENOKI_PEER_UNREACHABLE", detail);
  }
}

function isWatch(payload: Buffer): boolean {
  if (operationKind(payload) !== OPERATION.json) return false;
  const { op } = decodeJsonOperation(payload);
  return op === "watch" || op === "unwatch";
}
