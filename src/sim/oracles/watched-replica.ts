import type { Dot } from "../../core/dot.js";
import type { Replica } from "../../core/replica.js";
import type { Update } from "../../core/update.js";
import type { Vector } from "../../core/vector.js";
import { originNumber } from "./ghost-log.js";

/** A commit of the running transaction, and all that its replica had applied before it. */
export interface OwnCommit {
  readonly update: Update;
  readonly past: Vector;
}

/** What a transaction has done to a replica. */
export interface Step {
  readonly commits: readonly OwnCommit[];
  /** Keys that it changes; `undefined` = any. */
  readonly touched: readonly Uint8Array[] | undefined;
  /** A catch-up took effect in it. */
  readonly isInstalling: boolean;
  /** Commits took effect in it, be they own ones or others'. */
  readonly isApplying: boolean;
}

/** A replica object whose every step is seen, from its opening to the end of its use. */
export class WatchedReplica {
  readonly replica: Replica;
  /** Per origin what it had applied after its last transaction. */
  readonly applied = new Map<number, Dot>();
  /** All commits before it, by the time they were made, are applied or excused. */
  firstMissing = 0;
  #commits: OwnCommit[] = [];
  #touched: Uint8Array[] | undefined = [];
  #isInstalling = false;
  #isApplying = false;
  readonly #happened: (what: string) => void;

  constructor(replica: Replica, happened: (what: string) => void) {
    this.replica = replica;
    this.#happened = happened;
    for (const dot of replica.vector.entries()) this.applied.set(originNumber(dot), dot);
    this.#watchCommits();
    this.#watchUpdates();
    this.#watchHeldUpdates();
    this.#watchChunks();
    this.#watchCollections();
  }

  /** What was done since the last call: the transaction has ended. */
  takeStep(): Step {
    const step = {
      commits: this.#commits,
      touched: this.#touched,
      isInstalling: this.#isInstalling,
      isApplying: this.#isApplying || this.#isInstalling || this.#commits.length > 0,
    };
    this.#commits = [];
    this.#touched = [];
    this.#isInstalling = false;
    this.#isApplying = false;
    return step;
  }

  #watchCommits(): void {
    const { replica } = this;
    const commit = replica.commit.bind(replica);
    replica.commit = (reader, mutations, stamp) => {
      const past = replica.vector.clone();
      const effects = commit(reader, mutations, stamp);
      this.#commits.push({ update: effects.update, past });
      for (const { key } of effects.update.entries) this.#touched?.push(key);
      return effects;
    };
  }

  #watchUpdates(): void {
    const { replica } = this;
    const receive = replica.receive.bind(replica);
    replica.receive = (reader, update) => {
      const effects = receive(reader, update);
      this.#happened(`update.${effects.outcome}`);
      if (effects.applied.length > 0) this.#isApplying = true;
      for (const { entries } of effects.applied) {
        for (const { key } of entries) this.#touched?.push(key);
      }
      return effects;
    };
  }

  #watchHeldUpdates(): void {
    const { replica } = this;
    const receiveHeld = replica.receiveHeld.bind(replica);
    replica.receiveHeld = (reader) => {
      const effects = receiveHeld(reader);
      if (effects.applied.length > 0) this.#isApplying = true;
      for (const { entries } of effects.applied) {
        for (const { key } of entries) this.#touched?.push(key);
      }
      return effects;
    };
  }

  #watchChunks(): void {
    const { replica } = this;
    const receiveChunk = replica.receiveChunk.bind(replica);
    replica.receiveChunk = (reader, chunk, from) => {
      const { isServing } = replica.identity;
      const effects = receiveChunk(reader, chunk, from);
      const isJoining = !isServing && effects.outcome === "applied";
      this.#happened(isJoining ? "chunk.joined" : `chunk.${effects.outcome}`);
      if (effects.outcome === "applied") {
        this.#touched = undefined;
        this.#isInstalling = true;
      }
      return effects;
    };
  }

  #watchCollections(): void {
    const { replica } = this;
    const collect = replica.collect.bind(replica);
    replica.collect = (reader, options) => {
      const writes = collect(reader, options);
      this.#happened(writes.length > 0 ? "collect.some" : "collect.none");
      if (writes.length > 0) this.#touched = undefined;
      return writes;
    };
  }
}
