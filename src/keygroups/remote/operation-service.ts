import { ChannelError } from "../../channel/frames.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { Right } from "../../core/rights.js";
import type { Session } from "../../core/session.js";
import type { TraceContext } from "../../core/trace-context.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import { NO_TRACER, type Tracer } from "../../ports/tracer.js";
import type { Asker, SendOrigin } from "../asker.js";
import type { KeygroupServer } from "../granted-operations.js";
import type { Keygroup } from "../keygroup.js";
import { rightsOfOperation } from "../operation-rights.js";
import { KeygroupOperations } from "../operation-server.js";
import { Replies } from "../replies.js";
import { readSessionToken, writeSessionToken } from "../session-tokens.js";
import { TracedOperations } from "../traced-operations.js";
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
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer;
}

/**
 * Serves operations of functions on other nodes from the replicas here, each in one turn: nothing is
 * locked while an answer travels. The answer is the frame that an instance here would get, once the
 * replica shows what the caller's session has seen, and what it has seen then.
 */
export function serveOperations(options: OperationServiceOptions): void {
  const { requests, clock, timers, logger, tracer = NO_TRACER } = options;
  let replies: Replies | undefined;
  const servers = new WeakMap<Keygroup, KeygroupServer>();
  const open = (keygroup: Keygroup): KeygroupServer => {
    const own = new KeygroupOperations(keygroup, logger);
    const { name } = keygroup;
    return tracer.isOn
      ? new TracedOperations({ own, tracer, keygroup: name, kind: "server" })
      : own;
  };
  const serve = (peer: NodeName, request: OperationRequest, timeoutMs: number) => {
    const keygroup = findServing(options, request, peer);
    const server = servers.get(keygroup) ?? open(keygroup);
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
  server: KeygroupServer,
  { sessions }: Keygroup,
  { invocation, depth, trace, payload }: OperationRequest,
): Promise<Uint8Array> {
  const asker = new RemoteAsker(invocation, depth, trace);
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
  readonly origin: SendOrigin | undefined;
  readonly trace: TraceContext | undefined;
  stalenessMs: number | undefined;

  constructor(
    idBytes: Uint8Array | undefined,
    depth: number | undefined,
    trace: TraceContext | undefined,
  ) {
    this.idBytes = idBytes;
    this.origin = depth === undefined ? undefined : { depth, headers: "" };
    this.trace = trace;
  }

  noteRead(boundMs: number): void {
    this.stalenessMs = Math.max(this.stalenessMs ?? 0, boundMs);
  }

  noteSeen(): void {}
}
