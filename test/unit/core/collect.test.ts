import { beforeEach, describe, expect, it } from "vitest";
import { utf8Bytes } from "../../../src/core/text.js";
import { ROW_PREFIX } from "../../../src/core/rows.js";
import { Vector } from "../../../src/core/vector.js";
import { Member, put, remove, WALL_MS } from "./member.js";

function rowsLeft(member: Member): number {
  return member.store.rows().filter((row) => row.key[0] !== ROW_PREFIX.meta).length;
}

function settle(...members: Member[]): void {
  for (const member of members) member.replica.durable(member.replica.vector.clone());
  for (const to of members) {
    for (const from of members) {
      if (from !== to) to.replica.acknowledge(from.epoch, 3, from.replica.durableVector.clone());
    }
  }
}

describe("collection", () => {
  let one: Member;
  let two: Member;
  let three: Member;

  beforeEach(() => {
    one = new Member(1, "lww");
    two = new Member(2, "lww");
    three = new Member(3, "lww");
  });

  it("removes a tombstone with all its rows once every member has it on stable storage", () => {
    const update = one.commit(remove("k"));
    for (const member of [two, three]) member.receive(update);
    one.replica.durable(one.replica.vector.clone());
    one.collect();
    expect(rowsLeft(one)).toBe(3);
    settle(one, two, three);
    one.collect();
    expect(rowsLeft(one)).toBe(0);
  });

  it("keeps a tombstone that is not on this replica's stable storage", () => {
    const update = one.commit(remove("k"));
    for (const member of [two, three]) member.receive(update);
    settle(two, three);
    for (const from of [two, three]) {
      one.replica.acknowledge(from.epoch, 3, from.replica.durableVector.clone());
    }
    one.collect();
    expect(rowsLeft(one)).toBe(3);
  });

  it("counts a member's vector only once its own covers it, and does not swap it while it waits", () => {
    const unseen = two.commit(put("other", "1"));
    const update = one.commit(remove("k"));
    for (const member of [two, three]) member.receive(update);
    settle(one, two, three);
    settle(one, two, three);
    one.collect();
    expect(rowsLeft(one)).toBe(3);
    one.receive(unseen);
    one.collect();
    expect(one.replica.read(one.store, utf8Bytes("k"))).toEqual([]);
  });

  it("ignores what was acknowledged under another record", () => {
    const update = one.commit(remove("k"));
    for (const member of [two, three]) member.receive(update);
    settle(one, two, three);
    one.store.apply(one.replica.adopt({ epoch: 4, members: [1, 2, 3], past: [] }));
    one.collect();
    expect(rowsLeft(one)).toBe(3);
  });

  it("removes an expired version and spares one that lives", () => {
    const update = one.commit(
      put("dead", "1", { expiresAtMs: WALL_MS - 1 }),
      put("live", "1", { expiresAtMs: WALL_MS + 1 }),
    );
    for (const member of [two, three]) member.receive(update);
    settle(one, two, three);
    one.collect();
    expect(one.replica.read(one.store, utf8Bytes("dead"))).toEqual([]);
    expect(one.texts("live")).toEqual(["1"]);
    expect(rowsLeft(one)).toBe(3);
  });

  it("of a single member needs its own syncs only", () => {
    const single = new Member(1, "lww");
    single.store.apply(single.replica.adopt({ epoch: 4, members: [1], past: [2, 3] }));
    single.commit(remove("k"));
    single.collect();
    expect(rowsLeft(single)).toBe(3);
    single.replica.durable(single.replica.vector.clone());
    single.collect();
    expect(rowsLeft(single)).toBe(0);
  });

  it("looks at a bounded number of rows at a time and still reaches all", () => {
    const single = new Member(1, "lww");
    single.store.apply(single.replica.adopt({ epoch: 4, members: [1], past: [2, 3] }));
    for (let i = 0; i < 20; i++) single.commit(remove(`k${i}`));
    single.replica.durable(single.replica.vector.clone());
    const options = { limit: 3, wallMs: WALL_MS };
    const writes = single.replica.collect(single.store, options);
    expect(writes.length).toBeLessThanOrEqual(3 * 3 + 1);
    single.store.apply(writes);
    for (let i = 0; i < 10; i++) single.store.apply(single.replica.collect(single.store, options));
    expect(rowsLeft(single)).toBe(0);
  });

  it("is not held up by tombstones that must wait", () => {
    const single = new Member(1, "lww");
    single.store.apply(single.replica.adopt({ epoch: 4, members: [1], past: [2, 3] }));
    single.commit(put("dead", "1", { expiresAtMs: WALL_MS - 1 }));
    for (let i = 0; i < 5; i++) single.commit(put(`a${i}`, "1", { expiresAtMs: WALL_MS - 9 }));
    single.replica.durable(new Vector([{ epoch: 1, restart: 0, counter: 1 }]));
    for (let i = 0; i < 4; i++) {
      single.store.apply(single.replica.collect(single.store, { limit: 2, wallMs: WALL_MS }));
    }
    expect(single.replica.read(single.store, utf8Bytes("dead"))).toEqual([]);
    expect(single.replica.read(single.store, utf8Bytes("a0")).length).toBe(1);
  });

  it("never lets a hidden plain version rise when the tombstone above it goes", () => {
    const counter = one.commit(put("k", "", { value: { tag: 4, bytes: Uint8Array.of(0) } }));
    for (const member of [two, three]) member.receive(counter);
    const fence = one.commit(put("k", "fence"));
    two.replica.observe(fence.hlc + 1000);
    const tombstone = two.commit({ ...remove("k"), replaces: [] });
    for (const member of [two, three]) member.receive(fence);
    for (const member of [one, three]) member.receive(tombstone);
    for (let i = 0; i < 3; i++) {
      expect(one.texts("k")).toEqual([]);
      settle(one, two, three);
      one.collect();
    }
    expect(rowsLeft(one)).toBe(0);
  });
});
