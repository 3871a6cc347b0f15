import { formatDot } from "../../core/dot.js";
import type { Vector } from "../../core/vector.js";
import type { OracleContext } from "./context.js";
import { originNumber, type Ghost } from "./ghost-log.js";

/** Commits that a client was told of: per origin the last one, for a replica has no gaps. */
class Told {
  readonly #lasts = new Map<number, Ghost>();

  add(ghost: Ghost): void {
    const origin = originNumber(ghost.update.dot);
    const known = this.#lasts.get(origin);
    if (!known || known.update.dot.counter < ghost.update.dot.counter) {
      this.#lasts.set(origin, ghost);
    }
  }

  lasts(): Iterable<Ghost> {
    return this.#lasts.values();
  }

  keepOnly(isKept: (ghost: Ghost) => boolean): void {
    for (const [origin, ghost] of this.#lasts) if (!isKept(ghost)) this.#lasts.delete(origin);
  }
}

/** What the checker knows of one client that carries a session. */
interface History {
  /** What its reads have shown: every write of a key that was applied where it read the key. */
  readonly reads: Told;
  /** What it has written, and was told so. */
  readonly writes: Told;
  /** Everything of both. */
  readonly all: Set<Ghost>;
}

/**
 * The four session guarantees, of clients that carry their token from node to node: they read their
 * own writes and no older state than before, and what they write follows what they have read and
 * written. A call may fail instead; it may not succeed without them.
 */
export class SessionGuarantees {
  readonly #at: OracleContext;
  readonly #clients = new Map<number, History>();

  constructor(at: OracleContext) {
    this.#at = at;
  }

  /** A client begins anew: nothing that it was told before is promised any more. */
  begins(client: number): void {
    this.#clients.delete(client);
  }

  /** A client reads at a replica that has applied `vector`. */
  reads(client: number, vector: Vector): void {
    const { reads, writes } = this.#historyOf(client);
    this.#require(vector, writes, `READ YOUR WRITES client ${client} reads without its`);
    this.#require(vector, reads, `MONOTONIC READS client ${client} reads without`);
  }

  /** A client was told that it has written that commit. */
  wrote(client: number, { update, past }: Ghost): void {
    const { reads, writes } = this.#historyOf(client);
    const what = `client ${client} writes ${formatDot(update.dot)}`;
    this.#require(past, writes, `MONOTONIC WRITES ${what} before its`);
    this.#require(past, reads, `WRITES FOLLOW READS ${what} before`);
  }

  /** True if a client without a session is shown less than before, which is right. */
  lacks(client: number, vector: Vector): boolean {
    const { reads, writes } = this.#historyOf(client);
    const isThere = ({ update }: Ghost): boolean => this.#at.ghosts.covers(vector, update.dot);
    return ![...reads.lasts(), ...writes.lasts()].every(isThere);
  }

  /** A client gets the answer to a call without a token. */
  noted(client: number, read: Iterable<Ghost>, wrote: Ghost | undefined): void {
    const history = this.#historyOf(client);
    for (const ghost of read) history.reads.add(ghost);
    if (wrote) history.writes.add(wrote);
  }

  /** A client gets the answer to a call, with a token: what it read, and what it wrote. */
  answered(client: number, read: Iterable<Ghost>, wrote: Ghost | undefined): void {
    const history = this.#historyOf(client);
    for (const ghost of read) {
      this.#told(client, history, ghost);
      history.reads.add(ghost);
    }
    if (!wrote) return;
    this.#told(client, history, wrote);
    history.writes.add(wrote);
  }

  /** A commit is gone that its node had not synced: no client may have been told of it. */
  forgotten(ghost: Ghost): void {
    for (const [client, { all }] of this.#clients) {
      if (!all.has(ghost)) continue;
      this.#at.broken(`SHOWN ${formatDot(ghost.update.dot)} to client ${client}, and then lost`);
    }
  }

  /**
   * A node that has always been the only member is back at `vector` after a power cut: `relaxed` allows
   * that, and clients of such a node have no token that could tell them (`SessionGate.isShared`).
   */
  wentBack(vector: Vector): void {
    const isKept = ({ update }: Ghost): boolean => this.#at.ghosts.covers(vector, update.dot);
    for (const { reads, writes } of this.#clients.values()) {
      reads.keepOnly(isKept);
      writes.keepOnly(isKept);
    }
  }

  #told(client: number, { all }: History, ghost: Ghost): void {
    if (ghost.isForgotten) {
      this.#at.broken(`SHOWN ${formatDot(ghost.update.dot)} to client ${client}, which is lost`);
    }
    all.add(ghost);
  }

  #require(vector: Vector, told: Told, text: string): void {
    for (const { update } of told.lasts()) {
      if (this.#at.ghosts.covers(vector, update.dot)) continue;
      this.#at.broken(`${text} ${formatDot(update.dot)}`);
    }
  }

  #historyOf(client: number): History {
    const known = this.#clients.get(client);
    if (known) return known;
    const history = { reads: new Told(), writes: new Told(), all: new Set<Ghost>() };
    this.#clients.set(client, history);
    return history;
  }
}
