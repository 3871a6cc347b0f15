import {
  decodeBatchReply,
  encodeBatch,
  type BatchOperation,
  type BatchReply,
} from "../channel/batches.js";
import { SlotTable } from "../channel/slot-table.js";
import { EnokiError, type ErrorCode } from "../core/errors.js";
import { ChannelError, type FrameWriter } from "../channel/frames.js";
import { decodeErrorReply, isErrorReply } from "../channel/replies.js";
import { callIdOf, encodeJsonOperation, type OperationScope } from "../channel/operations.js";

type Decode = (payload: Buffer, detail: unknown) => unknown;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly decode: Decode;
  readonly detail: unknown;
}

/** The way to one keygroup. */
export interface OperationPort {
  /**
   * Sends what `encode` writes; resolves with what `decode` makes of the reply. `detail` is handed
   * to `decode`, so that hot operations need no closure there.
   */
  send<T, D>(
    encode: (writer: FrameWriter, id: number, scope: OperationScope) => void,
    decode: (payload: Buffer, detail: D) => T,
    detail: D,
  ): Promise<T>;
  /** Sends a JSON operation. */
  json<T>(request: unknown, decode: (payload: Buffer, detail: undefined) => T): Promise<T>;
  /** Sends a batch. */
  batch(batch: BatchOperation<string>): Promise<BatchReply>;
  /** Starts a watch, of another keygroup if one is named: its events go to `onEvent` until {@link unwatch}. */
  watch(
    request: unknown,
    onEvent: (payload: Buffer) => void,
    keygroup?: string,
  ): { readonly id: number; readonly started: Promise<void> };
  /** Ends a watch. */
  unwatch(id: number): Promise<void>;
}

/** The way to another keygroup over that of the own one; the node decides whether it is granted. */
export function operationsWithin(own: OperationPort, keygroup: string): OperationPort {
  const within: OperationPort = {
    send: (encode, decode, detail) =>
      own.send(
        (writer, id, scope) => encode(writer, id, scopeWithin(scope, keygroup)),
        decode,
        detail,
      ),
    json: (request, decode) =>
      within.send(
        (writer, id, scope) => encodeJsonOperation(writer, id, scope, request),
        decode,
        undefined,
      ),
    batch: (batch) => sendBatch(within, batch),
    watch: (request, onEvent) => own.watch(request, onEvent, keygroup),
    unwatch: (id) => own.unwatch(id),
  };
  return within;
}

function sendBatch(
  operations: Pick<OperationPort, "send">,
  batch: BatchOperation<string>,
): Promise<BatchReply> {
  return operations.send(
    (writer, id, scope) => encodeBatch(writer, id, scope, batch),
    decodeBatchReply,
    undefined,
  );
}

function scopeWithin(scope: OperationScope, keygroup: string): OperationScope {
  return { callId: callIdOf(scope), keygroup };
}

/** Sends operations to the node and hands each reply to whoever waits for it. */
export class Operations implements OperationPort {
  readonly #writer: FrameWriter;
  readonly #currentCallId: () => number;
  readonly #pending = new SlotTable<Pending>();
  readonly #watches = new Map<number, (payload: Buffer) => void>();
  /** Number of the operation that was sent last. */
  #lastId = 0;

  constructor(writer: FrameWriter, currentCallId: () => number) {
    this.#writer = writer;
    this.#currentCallId = currentCallId;
  }

  send<T, D>(
    encode: (writer: FrameWriter, id: number, scope: OperationScope) => void,
    decode: (payload: Buffer, detail: D) => T,
    detail: D,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending = { resolve, reject, decode: decode as Decode, detail } as Pending;
      const id = this.#pending.add(pending);
      this.#lastId = id;
      try {
        encode(this.#writer, id, this.#currentCallId());
      } catch (error) {
        this.#pending.take(id);
        throw error instanceof ChannelError ? tooLarge(error) : error;
      }
    });
  }

  json<T>(request: unknown, decode: (payload: Buffer, detail: undefined) => T): Promise<T> {
    return this.send(
      (writer, id, callId) => encodeJsonOperation(writer, id, callId, request),
      decode,
      undefined,
    );
  }

  batch(batch: BatchOperation<string>): Promise<BatchReply> {
    return sendBatch(this, batch);
  }

  watch(
    request: unknown,
    onEvent: (payload: Buffer) => void,
    keygroup?: string,
  ): { readonly id: number; readonly started: Promise<void> } {
    const started = this.send(
      (writer, id, callId) => {
        const scope = keygroup === undefined ? callId : scopeWithin(callId, keygroup);
        encodeJsonOperation(writer, id, scope, request);
      },
      () => undefined,
      undefined,
    );
    const id = this.#lastId;
    this.#watches.set(id, onEvent);
    return { id, started };
  }

  async unwatch(id: number): Promise<void> {
    if (!this.#watches.delete(id)) return;
    await this.json({ op: "unwatch", watch: id }, () => undefined);
  }

  /** Takes a REPLY. */
  onReply(id: number, payload: Buffer): void {
    const pending = this.#pending.take(id);
    if (!pending) return;
    try {
      if (isErrorReply(payload)) pending.reject(toError(decodeErrorReply(payload)));
      else pending.resolve(pending.decode(payload, pending.detail));
    } catch (error) {
      pending.reject(error as Error);
    }
  }

  /** Takes an EVENT. */
  onEvent(watchId: number, payload: Buffer): void {
    this.#watches.get(watchId)?.(payload);
  }
}

function tooLarge({ message }: ChannelError): EnokiError {
  return new EnokiError(
    "ENOKI_VALUE_TOO_LARGE",
    `the operation is larger than allowed: ${message}`,
  );
}

function toError(reply: Readonly<Record<string, unknown>>): EnokiError {
  const { code, message, ...extra } = reply;
  return new EnokiError(code as ErrorCode, String(message), extra);
}
