import { encodeBatchReply } from "../channel/batches.js";
import { FRAME, OPERATION } from "../channel/frames.js";
import type { FrameWriter } from "../channel/frames.js";
import {
  decodeFresh,
  decodeGetMany,
  decodeJsonOperation,
  decodeScan,
  operationKind,
  type FreshRead,
} from "../channel/operations.js";
import { ChannelError } from "../channel/payload.js";
import {
  encodeEntryReply,
  encodeErrorReply,
  encodeFlagReply,
  encodeGetManyReply,
  encodeGetReply,
  encodeJsonReply,
  encodeScanReply,
  encodeSetReply,
} from "../channel/replies.js";
import { toJsonValue } from "../channel/values.js";
import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import type { Logger } from "../ports/logger.js";
import type { Asker } from "./asker.js";
import {
  getMany,
  parseJsonOperation,
  readJsonReply,
  replyTooLarge,
  writeJsonReply,
} from "./json-operations.js";
import { checkKey } from "./keys.js";
import type { Keygroup } from "./keygroup.js";
import type { WatchEvent, WriteOutcome, WriteRequest } from "./types.js";
import { batchRequest, deleteRequest, keyOf, onBehalfOf, setRequest } from "./write-requests.js";

/**
 * Serves one instance's operations from one keygroup: the one that belongs to its function. The
 * channel decides which; nothing in a payload can name another.
 */
export class KeygroupOperations {
  readonly #keygroup: Keygroup;
  readonly #logger: Logger;
  readonly #watches = new Map<number, () => void>();
  #isClosed = false;

  /** Operations served so far, for tests that count work. */
  operationsTotal = 0;

  constructor(keygroup: Keygroup, logger: Logger) {
    this.#keygroup = keygroup;
    this.#logger = logger;
  }

  /** Answers operation `id` on `writer`, at once (reads) or at the end of the turn (writes). */
  serve(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void {
    if (this.#isClosed) return;
    this.operationsTotal += 1;
    try {
      this.#serve(writer, id, asker, payload);
    } catch (error) {
      if (error instanceof ChannelError) throw error;
      this.#refuse(writer, id, error);
    }
  }

  /** The instance is gone: its watches end, and answers still to come are dropped. */
  close(): void {
    this.#isClosed = true;
    for (const unwatch of this.#watches.values()) unwatch();
    this.#watches.clear();
  }

  #serve(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void {
    const kind = operationKind(payload);
    switch (kind) {
      case OPERATION.set:
        this.#write(writer, id, setRequest(payload, asker), (outcome) =>
          encodeSetReply(writer, id, outcome.results[0]?.version ?? ""),
        );
        return;
      case OPERATION.delete: {
        const request = deleteRequest(payload, asker);
        this.#write(writer, id, request, (outcome) =>
          encodeFlagReply(writer, id, outcome.results[0]?.existed ?? false),
        );
        return;
      }
      case OPERATION.batch:
        this.#write(writer, id, batchRequest(payload, asker), ({ results, repeated }) => {
          const versions = results.map(({ version }) => version);
          encodeBatchReply(writer, id, { versions, repeated });
        });
        return;
      case OPERATION.json:
        this.#serveJson(writer, id, asker, decodeJsonOperation(payload));
        return;
      case OPERATION.fresh:
        this.#serveFresh(writer, id, asker, decodeFresh(payload));
        return;
      default:
        this.#serveRead(writer, id, kind, payload);
        asker?.noteRead(this.#keygroup.freshness.boundMs);
    }
  }

  #serveRead(writer: FrameWriter, id: number, kind: number, payload: Buffer): void {
    switch (kind) {
      case OPERATION.get:
        encodeGetReply(writer, id, this.#keygroup.reads.getBytes(keyOf(payload)));
        return;
      case OPERATION.entry: {
        const entry = this.#keygroup.reads.entryBytes(keyOf(payload));
        encodeEntryReply(
          writer,
          id,
          entry && { ...entry, tag: entry.value.tag, bytes: entry.value.bytes },
        );
        return;
      }
      case OPERATION.exists:
        encodeFlagReply(writer, id, this.#keygroup.reads.getBytes(keyOf(payload)) !== undefined);
        return;
      case OPERATION.getMany:
        this.#getMany(writer, id, decodeGetMany(payload));
        return;
      case OPERATION.scan: {
        const request = decodeScan(payload);
        encodeScanReply(
          writer,
          id,
          this.#keygroup.reads.scanBytes({ ...request, end: request.end, prefix: request.prefix }),
          request.keysOnly,
        );
        return;
      }
      default:
        throw new ChannelError(`unknown operation ${kind}`);
    }
  }

  #getMany(writer: FrameWriter, id: number, keys: readonly Buffer[]): void {
    const values = getMany(keys, (key) => this.#keygroup.reads.getBytes(checkKey(key)));
    refuseTooLarge(() => encodeGetManyReply(writer, id, values));
  }

  #write(
    writer: FrameWriter,
    id: number,
    request: WriteRequest,
    answer: (outcome: WriteOutcome) => void,
  ): void {
    this.#keygroup.submit(
      request,
      (outcome) => {
        if (!this.#isClosed) answer(outcome);
      },
      (error) => this.#refuse(writer, id, error),
    );
  }

  /** Serves a read once the data are fresh enough, or says that they are not. */
  #serveFresh(
    writer: FrameWriter,
    id: number,
    asker: Asker | undefined,
    { maxStalenessMs, onStale, withinMs, read }: FreshRead,
  ): void {
    const { freshness } = this.#keygroup;
    if (onStale === "serve" || freshness.boundMs <= maxStalenessMs) {
      this.#serve(writer, id, asker, read);
      return;
    }
    // Another replica is asked by whoever knows of others.
    if (onStale !== "wait") throw freshness.tooStale(maxStalenessMs);
    const entered = freshness.enter(maxStalenessMs, withinMs) ?? Promise.resolve();
    entered
      .then(() => {
        if (!this.#isClosed) this.#serve(writer, id, asker, read);
      })
      .catch((error: unknown) => this.#refuse(writer, id, error));
  }

  #serveJson(
    writer: FrameWriter,
    id: number,
    asker: Asker | undefined,
    request: Readonly<Record<string, unknown>>,
  ): void {
    if (request["op"] === "watch") {
      this.#watch(writer, id, request);
      return;
    }
    if (request["op"] === "unwatch") {
      const watch = request["watch"];
      if (typeof watch === "number") this.#endWatch(watch);
      encodeJsonReply(writer, id, {});
      return;
    }
    const operation = parseJsonOperation(request);
    const reply = readJsonReply(this.#keygroup, operation);
    if (reply !== undefined) {
      // At once, so that what it weighs counts before the next operation is taken.
      refuseTooLarge(() => encodeJsonReply(writer, id, reply));
      asker?.noteRead(this.#keygroup.freshness.boundMs);
      return;
    }
    writeJsonReply(this.#keygroup, operation, onBehalfOf(asker))
      .then((reply) => {
        if (!this.#isClosed) refuseTooLarge(() => encodeJsonReply(writer, id, reply));
      })
      .catch((error: unknown) => this.#refuse(writer, id, error));
  }

  #watch(writer: FrameWriter, id: number, request: Readonly<Record<string, unknown>>): void {
    if (this.#watches.has(id)) {
      throw new EnokiError("ENOKI_INVALID_INPUT", `there is a watch with the id ${id}`);
    }
    if (this.#watches.size >= LIMITS.watchesPerInstanceMax) {
      const most = LIMITS.watchesPerInstanceMax;
      throw new EnokiError("ENOKI_INVALID_INPUT", `an instance has at most ${most} watches`);
    }
    const unwatch = this.#keygroup.watch(
      { start: boundOf(request["start"]), prefix: boundOf(request["prefix"]) },
      (event) => {
        try {
          sendEvent(writer, id, event);
        } catch (error) {
          this.#endWatch(id);
          writer.frame(FRAME.event, id, JSON.stringify({ error: this.#describe(error) }));
        }
      },
    );
    this.#watches.set(id, unwatch);
    encodeJsonReply(writer, id, {});
  }

  #endWatch(id: number): void {
    this.#watches.get(id)?.();
    this.#watches.delete(id);
  }

  #refuse(writer: FrameWriter, id: number, error: unknown): void {
    if (this.#isClosed) return;
    encodeErrorReply(writer, id, this.#describe(error));
  }

  /** What the function is told of an error; a bug is only named, and logged. */
  #describe(error: unknown): { readonly code: string; readonly message: string } {
    if (error instanceof EnokiError) {
      return { ...error.extra, code: error.code, message: error.message };
    }
    this.#logger.error(
      { error: error instanceof Error ? error.stack : String(error) },
      "an operation failed",
    );
    return { code: "ENOKI_INTERNAL", message: "the node has a bug" };
  }
}

/** Tells a watch of a change. @throws EnokiError `ENOKI_SLOW_READER`, `ENOKI_VALUE_TOO_LARGE` */
function sendEvent(writer: FrameWriter, id: number, { key, value, version }: WatchEvent): void {
  // Events come unasked, so they are the one thing that cannot wait until the guest has read.
  if (writer.backlogBytes > LIMITS.channelBacklogBytesMax) {
    throw new EnokiError("ENOKI_SLOW_READER", "the events were read too slowly");
  }
  const event = { key, value: value === undefined ? null : toJsonValue(value), version };
  refuseTooLarge(() => writer.frame(FRAME.event, id, JSON.stringify(event)));
}

/**
 * Runs `encode`, which writes one frame that may have become too long.
 * @throws EnokiError `ENOKI_VALUE_TOO_LARGE`; nothing was written then
 */
function refuseTooLarge(encode: () => void): void {
  try {
    encode();
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    throw replyTooLarge();
  }
}

/** `start` or `prefix` of a watch: like a key, but it may be empty or left out. */
function boundOf(field: unknown): string {
  if (typeof field !== "string" || field === "") return "";
  checkKey(Buffer.from(field));
  return field;
}
