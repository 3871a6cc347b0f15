import type { FrameSink } from "../../channel/frame-writer.js";
import { ChannelError, FrameWriter } from "../../channel/frames.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { Right } from "../../core/rights.js";
import type { Session } from "../../core/session.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { Asker } from "../asker.js";
import type { Keygroup } from "../keygroup.js";
import { rightsOfOperation } from "../operation-rights.js";
import { KeygroupOperations } from "../operation-server.js";
import { readSessionToken, writeSessionToken } from "../session-tokens.js";
import {
  decodeOperation,
  encodeAnswer,
  OPERATION_METHOD,
  WATCH_METHOD,
  type OperationRequest,
} from "./operation-request.js";
import { watchFrames } from "./watch-service.js";

/** What answers operations of other nodes. */
export interface OperationServiceOptions {
  readonly requests: PeerRequests;
  /** The keygroup, if its replica here serves. */
  readonly serving: (name: KeygroupName) => Keygroup | undefined;
  /** Set while operations have to wait, because the data are about to be elsewhere. */
  readonly held?: (name: KeygroupName) => Promise<void> | undefined;
  /** True if functions on that node may do with the keygroup what takes those rights. */
  readonly mayOperate: (
    name: KeygroupName,
    peer: NodeName,
    needed: () => readonly Right[],
  ) => boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Length of a frame's header before its type, and of its id behind that. */
const LENGTH_BYTES = 4;
const ID_BYTES = 4;

/**
 * Serves operations of functions on other nodes from the replicas here, each in one turn: nothing is
 * locked while an answer travels. The answer is the frame that an instance here would get, once the
 * replica shows what the caller's session has seen, and what it has seen then.
 */
export function serveOperations(options: OperationServiceOptions): void {
  const { requests, clock, timers, logger } = options;
  let replies: Replies | undefined;
  const servers = new WeakMap<Keygroup, KeygroupOperations>();
  const serve = (peer: NodeName, request: OperationRequest, timeoutMs: number) => {
    const keygroup = findServing(options, request, peer);
    const server = servers.get(keygroup) ?? new KeygroupOperations(keygroup, logger);
    servers.set(keygroup, server);
    const frames = (replies ??= new Replies());
    const answer = (): Promise<Uint8Array> => answerWith(frames, server, keygroup, request);
    if (request.session === "") return answer();
    const session = readSessionToken(request.session, clock);
    const entered = keygroup.sessions.admit(session, timeoutMs);
    return entered ? entered.then(answer) : answer();
  };
  requests.serve(OPERATION_METHOD, ({ peer, body, timeoutMs }) => {
    const request = decodeOperation(body);
    const wait = options.held?.(request.keygroup);
    if (!wait) return serve(peer, request, timeoutMs);
    return wait.then(() => {
      if (options.serving(request.keygroup)) return serve(peer, request, timeoutMs);
      const detail = `the data of keygroup "${request.keygroup}" have just moved from here`;
      throw new EnokiError("ENOKI_DRAINING", detail);
    });
  });
  requests.serve(WATCH_METHOD, ({ peer, body, signal }) => {
    const asked = decodeOperation(body);
    const { keygroup: name, payload } = asked;
    const keygroup = findServing(options, asked, peer);
    const mayRead = (): boolean => options.mayOperate(name, peer, () => ["read"]);
    const isServed = (): boolean => options.serving(name) === keygroup && mayRead();
    return watchFrames({ keygroup, payload, signal, isServed, timers, logger });
  });
}

function findServing(
  { serving, mayOperate }: OperationServiceOptions,
  { keygroup: name, payload }: OperationRequest,
  peer: NodeName,
): Keygroup {
  if (!mayOperate(name, peer, () => rightsOf(payload))) {
    throw new EnokiError("ENOKI_FORBIDDEN", `"${peer}" has no part in keygroup "${name}"`);
  }
  const keygroup = serving(name);
  if (keygroup) return keygroup;
  throw new EnokiError("ENOKI_PEER_UNREACHABLE", `keygroup "${name}" is not served here`);
}

/** @throws EnokiError `ENOKI_PROTOCOL` for what is no operation */
function rightsOf(payload: Buffer): readonly Right[] {
  try {
    return rightsOfOperation(payload);
  } catch (error) {
    throw error instanceof ChannelError ? new EnokiError("ENOKI_PROTOCOL", error.message) : error;
  }
}

async function answerWith(
  replies: Replies,
  server: KeygroupOperations,
  { sessions }: Keygroup,
  { invocation, payload }: OperationRequest,
): Promise<Uint8Array> {
  const asker = new RemoteAsker(invocation);
  const reply = await replies.next((writer, id) => server.serve(writer, id, asker, payload));
  const seen = sessions.seenAfter(undefined);
  await new Promise<void>((resolve) => {
    sessions.whenKept(resolve);
  });
  return encodeAnswer({
    ...reply,
    stalenessMs: asker.stalenessMs,
    session: seen === undefined ? "" : writeSessionToken(seen, sessions),
  });
}

/** A call on another node: keeps what its one operation has read. */
class RemoteAsker implements Asker {
  readonly idBytes: Uint8Array | undefined;
  readonly session: Session | undefined = undefined;
  readonly isElsewhere = false;
  stalenessMs: number | undefined;

  constructor(idBytes: Uint8Array | undefined) {
    this.idBytes = idBytes;
  }

  noteRead(boundMs: number): void {
    this.stalenessMs = Math.max(this.stalenessMs ?? 0, boundMs);
  }

  noteSeen(): void {}
}

/** Takes frames that are written for an instance, one by one, for whoever waits for each. */
class Replies implements FrameSink {
  readonly writableLength = 0;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
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
  async next(serve: (writer: FrameWriter, id: number) => void): Promise<Reply> {
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
    const type = frame[LENGTH_BYTES] as number;
    this.#waiting.get(id)?.({ type, payload: frame.subarray(LENGTH_BYTES + 1 + ID_BYTES) });
    this.#waiting.delete(id);
  }
}

interface Reply {
  readonly type: number;
  readonly payload: Buffer;
}
