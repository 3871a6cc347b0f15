import { beforeEach, describe, expect, it } from "vitest";
import { Replica } from "../../../src/core/replica.js";
import { ROW_PREFIX } from "../../../src/core/rows.js";
import { Member, put, remove } from "./member.js";

function rowsBut(member: Member, ...prefixes: number[]): number {
  return member.store.rows().filter(({ key }) => !prefixes.includes(key[0] as number)).length;
}

describe("a joining replica", () => {
  let one: Member;
  let two: Member;
  let joiner: Member;

  beforeEach(() => {
    one = new Member(1);
    two = new Member(2);
    joiner = new Member(3, "siblings", { isServing: false });
    for (const key of ["a", "b", "c"]) two.receive(one.commit(put(key, key)));
  });

  it("stores what comes at once, stages nothing and shows everything at the end", () => {
    const { next, deliver } = joiner.catchUpFrom(one);
    deliver(next());
    expect(rowsBut(joiner, ROW_PREFIX.meta)).toBe(2);
    expect(joiner.store.rows().some(({ key }) => key[0] === ROW_PREFIX.staging)).toBe(false);
    expect(joiner.replica.identity.isServing).toBe(false);
    deliver(next());
    deliver(next());
    expect(["a", "b", "c"].flatMap((key) => joiner.texts(key))).toEqual(["a", "b", "c"]);
    expect(joiner.replica.identity.isServing).toBe(true);
  });

  it("goes on after a restart where it was, also from another member", () => {
    const { next, deliver } = joiner.catchUpFrom(one);
    deliver(next());
    joiner.reopen(false);
    two.commit(put("a", "later"));
    const rest = joiner.catchUpFrom(two);
    const chunks = [rest.next(), rest.next(), rest.next()];
    expect(chunks.map((chunk) => chunk.records.length)).toEqual([1, 1, 1]);
    for (const chunk of chunks) rest.deliver(chunk);
    expect(["a", "b", "c"].flatMap((key) => joiner.texts(key))).toEqual(["later", "b", "c"]);
    expect(joiner.replica.vector.compare(two.replica.vector)).toBe("equal");
  });

  it("is refused by who lacks what its first sender had, and can start again", () => {
    one.commit(put("only at one", "1"));
    const { next, deliver } = joiner.catchUpFrom(one);
    deliver(next());
    joiner.replica.cancelCatchUp(1);
    expect(() => joiner.catchUpFrom(two).next()).toThrow(/refused/);
    joiner.store.apply(joiner.replica.abandonJoin());
    expect(() => joiner.catchUpFrom(two)).toThrow(/swept/);
    for (;;) {
      const writes = joiner.replica.sweep(joiner.store, 1);
      if (writes.length === 0) break;
      joiner.store.apply(writes);
    }
    joiner.pull(two);
    expect(joiner.texts("a")).toEqual(["a"]);
    expect(joiner.texts("only at one")).toEqual([]);
  });

  it("takes nothing from a sender that has gone back behind what it sent", () => {
    one.commit(put("d", "1"));
    const ahead = joiner.catchUpFrom(one);
    ahead.deliver(ahead.next());
    const behind = joiner.replica.catchUpRequest(joiner.store, 2);
    const { at } = { at: two.replica.vector.clone() };
    const chunk = { id: behind.id, sequence: 0, records: [], at, position: at, end: undefined };
    const effects = joiner.replica.receiveChunk(joiner.store, chunk, 2);
    expect(effects).toMatchObject({ outcome: "rejected" });
    expect([...effects.writes]).toEqual([]);
  });

  it("is never brought below what was collected", () => {
    const { next, deliver } = joiner.catchUpFrom(two);
    deliver(next());
    const update = one.commit(remove("a"));
    two.receive(update);
    for (const member of [one, two]) member.replica.durable(member.replica.vector.clone());
    const record = { epoch: 4, members: [1, 2], past: [3] };
    for (const member of [one, two]) member.store.apply(member.replica.adopt(record));
    one.replica.acknowledge(2, 4, two.replica.durableVector.clone());
    one.collect();
    one.store.apply(one.replica.adopt({ epoch: 5, members: [1, 2, 3], past: [] }));
    expect(() => joiner.catchUpFrom(one).next()).toThrow(/reset/);
  });

  it("does not commit, and ignores every record older than its own join", () => {
    expect(() => joiner.commit(put("k", "1"))).toThrow(/joining/);
    expect(joiner.replica.adopt({ epoch: 2, members: [1, 2], past: [] })).toEqual([]);
    const record = { epoch: 3, members: [1, 2, 3], past: [] };
    expect(() => new Member(4, "lww", { isServing: false, record })).toThrow(/older/);
  });
});

describe("a replica that is too far behind", () => {
  it("is told to join afresh, stages no more, and does so on its own disk", () => {
    const [one, two] = [new Member(1), new Member(2, "siblings", { stagedBytesMax: 40 })];
    two.store.apply([{ key: Uint8Array.of(ROW_PREFIX.local, 1), value: Uint8Array.of(1) }]);
    one.receive(two.commit(put("mine", "1")));
    for (const key of ["a", "b", "c"]) one.commit(put(key, key));
    const request = two.replica.catchUpRequest(two.store, 1);
    const answer = one.replica.serveCatchUp(one.store, request, undefined, {
      keysMax: 2,
      bytesMax: 100,
    });
    if (answer.type !== "chunk") throw new Error(answer.type);
    const effects = two.replica.receiveChunk(two.store, answer.chunk);
    expect(effects).toEqual({ writes: [], outcome: "rejoin" });
    expect(two.texts("mine")).toEqual(["1"]);

    const record = { epoch: 4, members: [1, 3, 4], past: [2] };
    one.store.apply(one.replica.adopt(record));
    const founding = { generation: 1, epoch: 4, record, isServing: false };
    two.store.apply(Replica.rejoin(two.store, founding));
    two.reopen(true);
    expect(two.replica.identity).toEqual({ generation: 1, epoch: 4, restart: 0, isServing: false });
    while (two.replica.sweep(two.store, 2).length > 0) {
      two.store.apply(two.replica.sweep(two.store, 2));
    }
    expect(rowsBut(two, ROW_PREFIX.meta)).toBe(1);
    two.pull(one);
    expect(["mine", "a", "b", "c"].flatMap((key) => two.texts(key))).toEqual(["1", "a", "b", "c"]);
    expect(two.commit(put("k", "new name")).dot).toEqual({ epoch: 4, restart: 0, counter: 1 });
  });
});
