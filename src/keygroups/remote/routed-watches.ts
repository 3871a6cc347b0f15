import { ChannelError, FRAME, FrameReader, type FrameWriter } from "../../channel/frames.js";
import { encodeErrorReply, isErrorReply } from "../../channel/replies.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { PeerRequests } from "../../peers/requests.js";
import { encodeOperation, WATCH_METHOD } from "./operation-request.js";
import { WATCH_BEAT_MS } from "./watch-service.js";

/** What watches of a function at members on other nodes go by. */
export interface RoutedWatchesOptions {
  readonly keygroup: KeygroupName;
  /** Linked members that may serve, the best one first. */
  readonly members: () => readonly NodeName[];
  readonly requests: PeerRequests;
}

/** How long a member may be silent: beats come more often. */
const SILENCE_MS = 4 * WATCH_BEAT_MS;

/**
 * The watches of one instance at members on other nodes. Each is a stream of one member's: if that
 * breaks, the watch ends with an error, for nobody knows what it would have missed.
 */
export class RoutedWatches {
  readonly #options: RoutedWatchesOptions;
  readonly #watches = new Map<unknown, AsyncIterator<Uint8Array> | undefined>();

  constructor(options: RoutedWatchesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#watches.size;
  }

  has(watch: unknown): boolean {
    return this.#watches.has(watch);
  }

  /** Starts the watch that the OPERATION frame `id` asks for. */
  start(writer: FrameWriter, id: number, payload: Buffer): void {
    if (this.#watches.has(id) || this.#watches.size >= LIMITS.watchesPerInstanceMax) {
      const most = LIMITS.watchesPerInstanceMax;
      const message = `an instance has at most ${most} watches, each with an id of its own`;
      encodeErrorReply(writer, id, { code: "ENOKI_INVALID_INPUT", message });
      return;
    }
    this.#watches.set(id, undefined);
    void this.#relay(writer, id, payload);
  }

  /** Ends a watch; one that is none is no error. */
  end(watch: unknown): void {
    const frames = this.#watches.get(watch);
    this.#watches.delete(watch);
    void frames?.return?.();
  }

  close(): void {
    for (const frames of this.#watches.values()) void frames?.return?.();
    this.#watches.clear();
  }

  /** Passes frames on from the first member that begins, until they end. */
  async #relay(writer: FrameWriter, id: number, payload: Buffer): Promise<void> {
    const { keygroup, members, requests } = this.#options;
    const body = encodeOperation({ keygroup, invocation: undefined, session: "", payload });
    const none = `no member that serves keygroup "${keygroup}" can be reached`;
    let reason = new EnokiError("ENOKI_PEER_UNREACHABLE", none);
    for (const member of members()) {
      if (!this.#watches.has(id)) return;
      const options = { timeoutMs: SILENCE_MS, lane: "update" } as const;
      const frames = requests.stream(member, WATCH_METHOD, body, options);
      this.#watches.set(id, frames);
      let hasBegun = false;
      const reader = new FrameReader();
      try {
        for await (const bytes of frames) {
          reader.push(Buffer.from(bytes), (type, _id, frame) => {
            if (type === FRAME.ping) return;
            if (type !== FRAME.reply && type !== FRAME.event) {
              throw new ChannelError(`a frame ${type} is of no watch`);
            }
            hasBegun = true;
            this.#pass(writer, id, type, frame);
          });
        }
      } catch (error) {
        reason = reasonOf(error);
      }
      if (hasBegun) {
        this.#fail(writer, id, reason);
        return;
      }
    }
    if (this.#watches.delete(id)) encodeErrorReply(writer, id, toJson(reason));
  }

  #pass(writer: FrameWriter, id: number, type: number, payload: Buffer): void {
    if (!this.#watches.has(id)) return;
    if (writer.backlogBytes > LIMITS.channelBacklogBytesMax) {
      this.#fail(
        writer,
        id,
        new EnokiError("ENOKI_SLOW_READER", "the events were read too slowly"),
      );
      return;
    }
    const isRefused = type === FRAME.reply && isErrorReply(payload);
    writer.begin(type, id);
    writer.bytes(payload);
    writer.end();
    if (isRefused) this.end(id);
  }

  #fail(writer: FrameWriter, id: number, error: EnokiError): void {
    if (!this.#watches.has(id)) return;
    this.end(id);
    writer.frame(FRAME.event, id, JSON.stringify({ error: toJson(error) }));
  }
}

/** What of another node's making is wrong is told; a mistake of ours is thrown on. */
function reasonOf(error: unknown): EnokiError {
  if (error instanceof EnokiError) return error;
  if (!(error instanceof ChannelError)) throw error;
  return new EnokiError("ENOKI_PROTOCOL", `a watch on another node: ${error.message}`);
}

function toJson({ code, message }: EnokiError): {
  readonly code: string;
  readonly message: string;
} {
  return { code, message };
}
