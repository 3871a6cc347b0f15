import { equalBytes } from "../base/bytes.js";
import { ByteMap } from "./byte-map.js";
import type { Dot } from "./dot.js";
import type { RowWrite } from "./rows.js";
import type { TypedValue } from "./value.js";

/** One write of a commit, as the caller asks for it. */
export interface Mutation {
  /** The item key: UTF-8, or the platform's own (first byte 0xFF). */
  readonly key: Uint8Array;
  /** `undefined` deletes. */
  readonly value: TypedValue | undefined;
  /** Absolute; 0 = never. */
  readonly expiresAtMs: number;
  /** What it supersedes: all live versions (a blind write), or only those that were read. */
  readonly replaces: "all" | readonly Dot[];
}

/** What all writes of a commit have in common. */
export interface Stamp {
  readonly wallMs: number;
  /** The 16 bytes of the id of the invocation that writes. */
  readonly invocation?: Uint8Array | undefined;
  /** The ids of the span that writes, see `encodeTrace`; absent where none is recorded. */
  readonly trace?: Uint8Array | undefined;
}

/** One key of an {@link Update}. */
export interface UpdateEntry {
  readonly key: Uint8Array;
  readonly value: TypedValue;
  readonly expiresAtMs: number;
  /** The dots that were live at the origin and are superseded. */
  readonly replaces: readonly Dot[];
  readonly isPinned: boolean;
  readonly isSibling?: boolean;
}

/** A commit on its way to the other members. */
export interface Update {
  readonly dot: Dot;
  readonly hlc: number;
  /**
   * What the origin had applied since its previous commit (or, for the first commit of a started
   * replica, all it had applied), without its own commits, which precede this one by their counter.
   */
  readonly deps: readonly Dot[];
  readonly invocation: Uint8Array | undefined;
  /** The ids of the span that wrote it; absent where none is recorded. */
  readonly trace?: Uint8Array | undefined;
  readonly entries: readonly UpdateEntry[];
}

/** What a commit did; the writes are to be stored in the transaction that was read. */
export interface CommitEffects {
  readonly dot: Dot;
  readonly hlc: number;
  readonly writes: RowWrite[];
  /**
   * To be sent to all members of the record that the replica acts under, once it is stored, and to
   * nobody else: who was removed may lack what an update no longer says it depends on.
   */
  readonly update: Update;
}

/** What a received message did; the writes are to be stored in the transaction that was read. */
export interface ReceiveEffects {
  readonly writes: RowWrite[];
  /** The updates that took effect, in their order. */
  readonly applied: readonly Update[];
  /** `held`: it waits for earlier ones. `dropped`: it would, but there is no room: catch up. */
  readonly outcome: "applied" | "held" | "dropped" | "ignored";
}

/** What a chunk of a catch-up did. */
export interface ChunkEffects {
  /**
   * To be stored in the transaction that was read, and gone through once: the rows of a whole
   * catch-up are made as they are asked for.
   */
  readonly writes: Iterable<RowWrite>;
  /**
   * - `held`: it waits, or is stored unseen; the next chunk is wanted.
   * - `applied`: it was the last, and the whole catch-up takes effect. Ask `receiveHeld` next, once
   *   the writes are stored.
   * - `ignored`: the catch-up does not run (any more); ask anew.
   * - `rejected`: it claims what cannot be; the catch-up is broken off. `problem` says what.
   * - `rejoin`: more is missing here than can be staged. Stop serving, wait until some member covers
   *   the vector, then join afresh.
   */
  readonly outcome: "applied" | "held" | "ignored" | "rejected" | "rejoin";
  readonly problem?: string;
}

/** One mutation per key: the last one. */
export function lastPerKey(mutations: readonly Mutation[]): Iterable<Mutation> {
  if (mutations.length <= COMPARED_MAX && areDistinct(mutations)) return mutations;
  const last = new ByteMap<Mutation>();
  for (const mutation of mutations) last.set(mutation.key, mutation);
  return last.values();
}

/** So few keys are compared with one another sooner than a map of them is made. */
const COMPARED_MAX = 8;

function areDistinct(mutations: readonly Mutation[]): boolean {
  return mutations.every(({ key }, at) => {
    for (let before = 0; before < at; before++) {
      if (equalBytes((mutations[before] as Mutation).key, key)) return false;
    }
    return true;
  });
}
