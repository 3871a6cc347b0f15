import type { CatchUpChunk } from "../../../src/core/catch-up.js";
import type { Policy } from "../../../src/core/live-set.js";
import type { MembershipRecord } from "../../../src/core/meta.js";
import { Replica } from "../../../src/core/replica.js";
import type { RowWrite } from "../../../src/core/rows.js";
import { utf8Bytes, utf8Text } from "../../../src/core/text.js";
import type { Mutation, ReceiveEffects, Update } from "../../../src/core/update.js";
import { TAG } from "../../../src/core/value.js";
import { visibleVersions } from "../../../src/core/visible.js";
import { RowStore } from "../../helpers/row-store.js";

/** The wall clock of these tests. */
export const WALL_MS = 1_800_000_000_000;

const MEMBERS = [1, 2, 3];

/** A blind write of text, or what `more` says. */
export function put(key: string, text: string, more: Partial<Mutation> = {}): Mutation {
  const value = { tag: TAG.str, bytes: utf8Bytes(text) };
  return { key: utf8Bytes(key), value, expiresAtMs: 0, replaces: "all", ...more };
}

/** A blind delete. */
export function remove(key: string): Mutation {
  return { key: utf8Bytes(key), value: undefined, expiresAtMs: 0, replaces: "all" };
}

/** A replica with its store, for tests that tell a story: one of the members 1, 2 and 3. */
export class Member {
  readonly epoch: number;
  readonly store = new RowStore();
  replica: Replica;

  constructor(
    epoch: number,
    policy: Policy = "siblings",
    more: { isServing?: boolean; record?: MembershipRecord; stagedBytesMax?: number } = {},
  ) {
    this.epoch = epoch;
    const record = more.record ?? { epoch: 3, members: MEMBERS, past: [] };
    const founding = { generation: 1, epoch, record, isServing: more.isServing ?? true };
    const { stagedBytesMax = 1_000_000 } = more;
    const options = { wallMs: WALL_MS, policy, resumes: true, founding, stagedBytesMax };
    const opened = Replica.open(this.store, options);
    this.store.apply(opened.writes);
    this.replica = opened.replica;
  }

  /** Starts the replica again on its store. */
  reopen(resumes: boolean): void {
    const { policy } = this.replica;
    const opened = Replica.open(this.store, { wallMs: WALL_MS, policy, resumes });
    this.replica = opened.replica;
    this.#store(opened.writes);
  }

  commit(...mutations: Mutation[]): Update {
    const { update, writes } = this.replica.commit(this.store, mutations, { wallMs: WALL_MS });
    this.#store(writes);
    return update;
  }

  receive(update: Update): ReceiveEffects["outcome"] {
    const effects = this.replica.receive(this.store, update);
    this.#store(effects.writes);
    return effects.outcome;
  }

  /** Begins a catch-up; each call of the result takes one dot's worth from the sender as it is then. */
  catchUpFrom(sender: Member): {
    next: () => CatchUpChunk;
    deliver: (chunk: CatchUpChunk) => void;
  } {
    const request = this.replica.catchUpRequest(this.store, sender.epoch);
    let cursor: Parameters<Replica["serveCatchUp"]>[2];
    return {
      next: () => {
        const budget = { keysMax: 1, bytesMax: 1 };
        const answer = sender.replica.serveCatchUp(sender.store, request, cursor, budget);
        if (answer.type !== "chunk") throw new Error(answer.type);
        cursor = answer.cursor;
        return answer.chunk;
      },
      deliver: (chunk) => {
        this.#store(this.replica.receiveChunk(this.store, chunk, sender.epoch).writes);
        this.#store(this.replica.receiveHeld(this.store).writes);
      },
    };
  }

  /** Catches up at once. */
  pull(sender: Member): void {
    const { next, deliver } = this.catchUpFrom(sender);
    for (;;) {
      const chunk = next();
      deliver(chunk);
      if (chunk.end) return;
    }
  }

  collect(): void {
    this.#store(this.replica.collect(this.store, { limit: 100, wallMs: WALL_MS }));
  }

  /** The visible texts of a key. */
  texts(key: string): string[] {
    const live = this.replica.read(this.store, utf8Bytes(key));
    const visible = visibleVersions(this.replica.policy, live, this.replica.nowMs(WALL_MS));
    return visible.map(({ value }) => utf8Text(value.bytes));
  }

  #store(writes: Iterable<RowWrite>): void {
    this.store.apply(writes);
    this.store.apply(this.replica.sealWrites());
  }
}
