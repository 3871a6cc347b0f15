/** Replicas as they stand after what one alone does not meet, for `gen-fixtures.ts`. */
import { applyDelta, deltaTag, joinStates, type Delta } from "../src/core/crdt/index.js";
import { utf8Bytes } from "../src/core/text.js";
import { TAG, type TypedValue } from "../src/core/value.js";
import { Vector } from "../src/core/vector.js";
import { dotsOf } from "../src/core/item.js";
import { applyWrite } from "../src/keygroups/write.js";
import { handledItem } from "../src/triggers/data/handled-vector.js";
import { Member, put, WALL_MS } from "../test/unit/core/member.js";
import type { RowStore } from "../test/helpers/row-store.js";

const WRITER = Uint8Array.from({ length: 16 }, (_, i) => i * 17);

/** Halfway through a join: not serving, with the place from which it would go on. */
export function joining(): RowStore {
  const [one, joiner] = [new Member(1), new Member(3, "siblings", { isServing: false })];
  for (const key of ["a", "b"]) one.commit(put(key, key));
  const { next, deliver } = joiner.catchUpFrom(one);
  deliver(next());
  return joiner.store;
}

/** After an origin was retired, with the last commits of it, and a vector that knows its members. */
export function retired(): RowStore {
  const members = [1, 2, 3].map((epoch) => new Member(epoch));
  const [one, two, three] = members as [Member, Member, Member];
  const update = two.commit(put("k", "of a run that ended"));
  for (const member of [one, three]) member.receive(update);
  two.reopen(false);
  for (let round = 0; round < 4; round++) {
    for (const { replica } of members) replica.durable(replica.vector.clone());
    for (const to of members) {
      for (const from of members) {
        if (to !== from) to.replica.receiveStanding(from.epoch, from.replica.standing());
      }
    }
    for (const { store, replica } of members) {
      store.apply(replica.retire());
      store.apply(replica.sealWrites());
    }
  }
  return one.store;
}

/** In a catch-up that has staged a version, and the dot alone of one that is here already. */
export function catchingUp(): RowStore {
  const [one, two] = [new Member(1), new Member(2)];
  one.receive(two.commit(put("k", "here")));
  two.commit(put("k", "missed", { replaces: [] }));
  two.commit(put("last", "of the catch-up"));
  const { next, deliver } = one.catchUpFrom(two);
  deliver(next());
  return one.store;
}

/** Versions under `merge` that were written at once: of every type, and one without any. */
export function concurrent(): RowStore {
  const [one, two] = [new Member(1, "merge"), new Member(2, "merge")];
  for (const delta of [
    { type: "counter.add", n: 7 },
    { type: "set.add", member: "é" },
    { type: "map.add", field: "n", n: -2 },
    { type: "map.set", field: "r", value: { b: 1 } },
  ] as const) {
    const both = [two, one].map((member) => change(member, delta));
    if (both[0]) one.receive(both[0]);
  }
  one.receive(two.commit(put("text", "two")));
  one.commit(put("text", "one", { replaces: [], expiresAtMs: WALL_MS + 5000 }));
  return one.store;
}

function change(member: Member, delta: Delta) {
  const { replica, store } = member;
  const key = delta.type;
  const live = replica.read(store, utf8Bytes(key));
  const at = { dot: replica.nextDot(), hlc: replica.nextHlc(WALL_MS) };
  const value: TypedValue = applyDelta(joinStates(deltaTag(delta), live), delta, at);
  return member.commit({ key: utf8Bytes(key), value, expiresAtMs: 0, replaces: dotsOf(live) });
}

/** A plain version that replaced a counter, below a later one that did not see it. */
export function shadowed(): RowStore {
  const [one, two] = [new Member(1, "lww"), new Member(2, "lww")];
  two.receive(change(one, { type: "counter.add", n: 1 }));
  const below = two.commit(put("counter.add", "below"));
  for (let write = 0; write < 3; write++) one.commit(put("other", String(write)));
  one.commit(put("counter.add", "above"));
  one.receive(below);
  return one.store;
}

/** Items of the platform: an effect-once key, how deep a call was, what a trigger has handled. */
export function platformItems(): RowStore {
  const member = new Member(1, "lww");
  const { replica, store } = member;
  const context = { replica, reader: store, wallMs: WALL_MS, defaultTtlMs: 0 };
  const value = { tag: TAG.str, bytes: utf8Bytes("ü") };
  const { writes } = applyWrite(
    context,
    {
      writes: [{ op: "set", key: "k", value }],
      once: "once é",
      origin: { depth: 3, headers: "" },
      writer: WRITER,
    },
    () => ({ writes: [], committed: () => {} }),
    () => true,
  );
  store.apply(writes);
  const handled = new Vector([
    { epoch: 1, restart: 0, counter: 1 },
    { epoch: 300, restart: 5, counter: 400 },
  ]);
  handled.listMembers([], 300);
  member.commit({ ...handledItem("0123456789abcdef", handled), replaces: "all" });
  return store;
}
