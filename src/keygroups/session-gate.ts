import { EnokiError } from "../core/errors.js";
import type { Replica } from "../core/replica.js";
import type { KeygroupName } from "../core/ids.js";
import { mergeSessions, NEW_SESSION, type Session, type SessionEntry } from "../core/session.js";
import type { Vector } from "../core/vector.js";
import type { Timers } from "../ports/timers.js";
import { BoundedWaiters } from "./bounded-waiters.js";

/** How long is waited, at most, for what a session has seen. */
export const SESSION_WAIT_MS_MAX = 5000;

/** What a {@link SessionGate} is made from. */
export interface SessionGateOptions {
  readonly keygroup: KeygroupName;
  /** The replica of now. */
  readonly replica: () => Replica;
  readonly timers: Timers;
  /** See `ReplicaHost.whenShareable`. */
  readonly whenShareable: (then: () => void) => void;
}

/**
 * Lets whoever has seen something of a keygroup in only once this replica shows it, too: then all
 * reads and writes behind the gate keep the session's guarantees without looking at it again.
 */
export class SessionGate {
  readonly #options: SessionGateOptions;
  readonly #waiters: BoundedWaiters<SessionEntry>;

  constructor(options: SessionGateOptions) {
    this.#options = options;
    const who = "calls are waiting for what their sessions have seen";
    this.#waiters = new BoundedWaiters(options.timers, who);
  }

  get keygroup(): KeygroupName {
    return this.#options.keygroup;
  }

  /**
   * False while this node has always been the only member: nobody else can show less than it does. Who
   * was one before may not know yet that it is none any more.
   */
  get isShared(): boolean {
    const { members, past } = this.#options.replica().record;
    return members.length > 1 || past.length > 0;
  }

  /**
   * What a client has seen that had seen `session` and sees the replica now. Nobody else has the data
   * of a replica that is alone, so that needs no remembering; `undefined` = nothing does.
   */
  seenAfter(session: Session | undefined): Session | undefined {
    if (!this.isShared) return session;
    const replica = this.#options.replica();
    const keygroups = new Map([[this.keygroup, replica.sessionEntry()]]);
    return mergeSessions(session ?? NEW_SESSION, { hlc: replica.hlc, keygroups });
  }

  /** What no session needs to remember: all members have it on stable storage. */
  get stableVector(): Vector {
    return this.#options.replica().stableVector;
  }

  /**
   * Calls `then` once all that is seen here now stays: at once or, where others hold a `strict` replica,
   * too, after a sync. A power cut takes what was not synced, and its dots are given away again: a
   * session that had seen it would pass for one that has seen what took its place.
   */
  whenKept(then: () => void): void {
    if (this.isShared) this.#options.whenShareable(then);
    else then();
  }

  /**
   * Lets a session in: see {@link enter}. Moves hybrid time on to what it has seen, too, so that
   * nothing that has expired comes back.
   */
  admit(session: Session, withinMs = SESSION_WAIT_MS_MAX): Promise<void> | undefined {
    this.#options.replica().observe(session.hlc);
    const entry = session.keygroups.get(this.keygroup);
    return entry && this.enter(entry, Math.min(withinMs, SESSION_WAIT_MS_MAX));
  }

  /**
   * Resolves once the replica shows what the session has seen; `undefined` if it does already.
   * @throws EnokiError `ENOKI_SESSION_LOST`, `ENOKI_SESSION_NOT_REACHED` after `withinMs`,
   * `ENOKI_QUEUE_FULL` when too many wait already
   */
  enter(entry: SessionEntry, withinMs: number): Promise<void> | undefined {
    const check = this.#options.replica().checkSession(entry);
    if (check === "ok") return undefined;
    if (check === "lost") return Promise.reject(this.#lost());
    return this.#waiters.wait(entry, withinMs, () => this.#late(withinMs));
  }

  /** The replica has applied something, or knows more of its members. */
  changed(): void {
    if (this.#waiters.isEmpty) return;
    const replica = this.#options.replica();
    this.#waiters.check((entry) => {
      const check = replica.checkSession(entry);
      if (check === "wait") return check;
      return check === "lost" ? this.#lost() : undefined;
    });
  }

  #lost(): EnokiError {
    const { keygroup } = this.#options;
    const what = `what this session has seen of keygroup "${keygroup}" is lost with the node that wrote it`;
    return new EnokiError("ENOKI_SESSION_LOST", what);
  }

  #late(withinMs: number): EnokiError {
    const { keygroup } = this.#options;
    const what = `what this session has seen of keygroup "${keygroup}" did not arrive here within ${withinMs} ms`;
    return new EnokiError("ENOKI_SESSION_NOT_REACHED", what);
  }
}
