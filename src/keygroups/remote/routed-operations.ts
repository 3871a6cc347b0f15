import { OPERATION, type FrameWriter } from "../../channel/frames.js";
import {
  decodeFresh,
  decodeJsonOperation,
  failingIfStale,
  operationKind,
  type FreshRead,
} from "../../channel/operations.js";
import {
  decodeErrorReply,
  encodeErrorReply,
  encodeJsonReply,
  isErrorReply,
} from "../../channel/replies.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { Session, SessionEntry } from "../../core/session.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { Asker } from "../asker.js";
import type { Keygroup } from "../keygroup.js";
import { KeygroupOperations } from "../operation-server.js";
import { readSessionToken, writeSessionToken } from "../session-tokens.js";
import type { SentSet } from "../sent-set.js";
import { askMembers, isUndone } from "./ask-members.js";
import { encodeOperation, type OperationAnswer } from "./operation-request.js";
import type { KeygroupRoute } from "./route.js";
import { RoutedWatches } from "./routed-watches.js";

/** What operations of a function go by. */
export interface RoutedOperationsOptions {
  readonly keygroup: KeygroupName;
  /** The keygroup, if its replica here serves now. */
  readonly serving: () => Keygroup | undefined;
  /** Linked members that may serve, the best one first: those that are known to show `seen` before others. */
  readonly members: (seen?: SessionEntry) => readonly NodeName[];
  readonly requests: PeerRequests;
  /** Where data may move while it runs: what tells when operations wait and where they go on. */
  readonly moving?: {
    readonly route: Pick<KeygroupRoute, "here" | "held" | "sent" | "takeOver">;
    readonly timers: Timers;
  };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Members that can be reached while the data move are asked again after so long, and for how long. */
const AGAIN_MS = 50;
const AGAIN_MS_MAX = 10_000;

/**
 * Serves one instance's operations where the data are: here, while a replica here serves and shows
 * what the caller has seen, and else at the nearest member that does. They are sent one behind the
 * other, without a wait in between.
 */
export class RoutedOperations {
  readonly #options: RoutedOperationsOptions;
  readonly #watches: RoutedWatches;
  #local: { readonly keygroup: Keygroup; readonly operations: KeygroupOperations } | undefined;
  #isClosed = false;

  constructor(options: RoutedOperationsOptions) {
    this.#options = options;
    this.#watches = new RoutedWatches(options);
  }

  serve(writer: FrameWriter, id: number, asker: Asker | undefined, payload: Buffer): void {
    if (this.#isClosed) return;
    const held = this.#options.moving?.route.held;
    if (held) {
      // What was read from the channel is written over with the next frames.
      const kept = Buffer.from(payload);
      void held.then(() => this.serve(writer, id, asker, kept));
      return;
    }
    const here = asker?.isElsewhere === true ? undefined : this.#options.serving();
    const kind = operationKind(payload);
    if (kind === OPERATION.fresh) {
      this.#serveFresh(writer, id, asker, payload, here);
    } else if (here && !(kind === OPERATION.json && this.#watches.size > 0)) {
      this.#here(here).serve(writer, id, asker, payload);
    } else {
      if (kind === OPERATION.json && this.#serveWatch(writer, id, payload, here)) return;
      if (here) this.#here(here).serve(writer, id, asker, payload);
      else this.#send(writer, id, asker, payload);
    }
  }

  /** See `KeygroupServer`: one try at the best member. */
  sendSet(asker: Asker, payload: Buffer, behind: NodeName | undefined): SentSet | undefined {
    const { keygroup, moving, members, serving } = this.#options;
    if (this.#isClosed || moving?.route.held) return undefined;
    if (!asker.isElsewhere && serving()) return undefined;
    const [to] = members(asker.session?.keygroups.get(keygroup));
    if (to === undefined || (behind !== undefined && to !== behind)) return undefined;
    return { to, stored: this.#sendSet(asker, payload, to) };
  }

  close(): void {
    this.#isClosed = true;
    this.#watches.close();
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

  /** A read that may be too stale here goes to one member after the other, if that is wanted. */
  #serveFresh(
    writer: FrameWriter,
    id: number,
    asker: Asker | undefined,
    payload: Buffer,
    here: Keygroup | undefined,
  ): void {
    const fresh = decodeFresh(payload);
    const isFresh = here && here.freshness.boundMs <= fresh.maxStalenessMs;
    if (here && (isFresh || fresh.onStale !== "peer")) {
      this.#here(here).serve(writer, id, asker, payload);
      return;
    }
    const asked = fresh.onStale === "peer" ? failingIfStale(payload) : payload;
    this.#send(writer, id, asker, asked, fresh, here?.freshness.tooStale(fresh.maxStalenessMs));
  }

  /** Watches and ends of watches where they are: true if it was one that is not here. */
  #serveWatch(
    writer: FrameWriter,
    id: number,
    payload: Buffer,
    here: Keygroup | undefined,
  ): boolean {
    const { op, watch } = decodeJsonOperation(payload);
    if (op === "watch" && !here) this.#watches.start(writer, id, payload);
    else if (op === "unwatch" && (!here || this.#watches.has(watch))) {
      this.#watches.end(watch);
      encodeJsonReply(writer, id, {});
    } else return false;
    return true;
  }

  #send(
    writer: FrameWriter,
    id: number,
    asker: Asker | undefined,
    payload: Buffer,
    fresh?: FreshRead,
    staleHere?: EnokiError,
  ): void {
    const kept = this.#options.moving ? Buffer.from(payload) : payload;
    this.#ask(asker, kept, fresh, staleHere).then(
      (answer) => {
        if (this.#isClosed) return;
        if (!answer) {
          this.serve(writer, id, asker, kept);
          return;
        }
        const { type, payload: reply } = answer;
        writer.begin(type, id);
        writer.bytes(reply);
        writer.end();
      },
      (error: unknown) => {
        if (this.#isClosed) return;
        encodeErrorReply(writer, id, describe(error));
      },
    );
  }

  async #sendSet(asker: Asker, payload: Buffer, to: NodeName): Promise<boolean> {
    try {
      const { payload: reply } = await this.#askOnce(asker, payload, undefined, undefined, [to]);
      if (!isErrorReply(reply)) return true;
      const { code, message } = decodeErrorReply(reply);
      throw new EnokiError(code as EnokiError["code"], String(message));
    } catch (error) {
      if (error instanceof EnokiError && isUndone(error)) return false;
      throw error;
    }
  }

  /** `undefined`: the operation is to be served again, for the route has turned, or is about to. */
  async #ask(
    asker: Asker | undefined,
    payload: Buffer,
    fresh: FreshRead | undefined,
    staleHere: EnokiError | undefined,
  ): Promise<OperationAnswer | undefined> {
    const { moving } = this.#options;
    const isForHere = asker?.isElsewhere !== true && staleHere === undefined;
    for (let waitedMs = 0; ; waitedMs += AGAIN_MS) {
      try {
        return await this.#askOnce(asker, payload, fresh, staleHere);
      } catch (error) {
        const code = error instanceof EnokiError ? error.code : undefined;
        if (!moving || !isForHere) throw error;
        if (code === "ENOKI_PEER_UNREACHABLE") moving.route.takeOver();
        else if (code !== "ENOKI_DRAINING") throw error;
        if (hasTurned(moving.route)) return undefined;
        if (code === "ENOKI_PEER_UNREACHABLE" || waitedMs >= AGAIN_MS_MAX) throw error;
      }
      await new Promise<void>((resolve) => {
        moving.timers.after(AGAIN_MS, resolve);
      });
      if (hasTurned(moving.route)) return undefined;
    }
  }

  async #askOnce(
    asker: Asker | undefined,
    payload: Buffer,
    fresh: FreshRead | undefined,
    staleHere: EnokiError | undefined,
    only?: readonly NodeName[],
  ): Promise<OperationAnswer> {
    const { keygroup, members, clock } = this.#options;
    const session = asker?.session;
    const body = encodeOperation({
      keygroup,
      invocation: asker?.idBytes,
      depth: asker?.origin?.depth,
      trace: asker?.trace,
      session: session ? writeSessionToken(partOf(session, keygroup), undefined) : "",
      payload,
    });
    const answer = await askMembers({
      members: only ?? members(session?.keygroups.get(keygroup)),
      requests: this.#counted,
      body,
      withinMs: fresh?.withinMs ?? 0,
      isStaleElsewhere: fresh?.onStale === "peer",
      refusal: staleHere ?? unreachable(keygroup),
    });
    if (answer.stalenessMs !== undefined) asker?.noteRead(answer.stalenessMs);
    if (answer.session !== "") asker?.noteSeen(readSessionToken(answer.session, clock));
    return answer;
  }

  /** Requests of which the route knows, so that it waits for them before it turns. */
  get #counted(): Pick<PeerRequests, "request"> {
    const { moving, requests } = this.#options;
    if (!moving) return requests;
    return {
      request: async (to, method, body, options) => {
        const ended = moving.route.sent(to);
        try {
          return await requests.request(to, method, body, options);
        } finally {
          ended();
        }
      },
    };
  }
}

function hasTurned({ here, held }: Pick<KeygroupRoute, "here" | "held">): boolean {
  return here !== undefined || held !== undefined;
}

/** What of a session concerns one keygroup. */
function partOf({ hlc, keygroups }: Session, keygroup: KeygroupName): Session {
  const entry = keygroups.get(keygroup);
  return { hlc, keygroups: new Map(entry && [[keygroup, entry]]) };
}

function unreachable(keygroup: KeygroupName): EnokiError {
  const detail = `no member that serves keygroup "${keygroup}" can be reached`;
  return new EnokiError("ENOKI_PEER_UNREACHABLE", detail);
}

/** What a function is told of an error that another node, or nobody, answered with. */
function describe(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof EnokiError)) throw error;
  return { ...error.extra, code: error.code, message: error.message };
}
