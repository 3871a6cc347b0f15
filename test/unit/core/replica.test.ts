import { describe, expect, it } from "vitest";
import { EnokiError } from "../../../src/core/errors.js";
import { hlcFromMs } from "../../../src/core/hlc.js";
import { META_ROW } from "../../../src/core/meta.js";
import type { OpenOptions } from "../../../src/core/opening.js";
import { Replica } from "../../../src/core/replica.js";
import type { Mutation } from "../../../src/core/update.js";
import { TAG } from "../../../src/core/value.js";
import { utf8Bytes } from "../../../src/core/text.js";
import { visibleValue } from "../../../src/core/visible.js";
import { RowStore } from "../../helpers/row-store.js";

const WALL_MS = 1_800_000_000_000;
const KEY = utf8Bytes("k");

function open(store: RowStore, options: Partial<OpenOptions> = {}): Replica {
  const opened = Replica.open(store, {
    wallMs: WALL_MS,
    policy: "lww",
    resumes: true,
    ...options,
  });
  store.apply(opened.writes);
  return opened.replica;
}

function put(text: string, more: Partial<Mutation> = {}): Mutation {
  const value = { tag: TAG.str, bytes: utf8Bytes(text) };
  return { key: KEY, value, expiresAtMs: 0, replaces: "all", ...more };
}

function commit(store: RowStore, replica: Replica, mutations: Mutation[], wallMs = WALL_MS) {
  const effects = replica.commit(store, mutations, { wallMs });
  store.apply(effects.writes);
  store.apply(replica.sealWrites());
  return effects;
}

function valueOf(store: RowStore, replica: Replica, key = KEY): Uint8Array | undefined {
  return visibleValue(replica.policy, replica.read(store, key), replica.nowMs(WALL_MS))?.bytes;
}

describe("Replica", () => {
  it("reads back what it committed, also after it was opened again", () => {
    const store = new RowStore();
    const replica = open(store);
    commit(store, replica, [put("one")]);
    commit(store, replica, [put("two")]);
    expect(valueOf(store, replica)).toEqual(utf8Bytes("two"));
    expect(valueOf(store, open(store))).toEqual(utf8Bytes("two"));
  });

  it("leaves one item row and one index row for a key that was written often", () => {
    const store = new RowStore();
    const replica = open(store);
    const empty = store.rows().length;
    for (let i = 0; i < 5; i++) commit(store, replica, [put(String(i), { expiresAtMs: 0 })]);
    expect(store.rows().length).toBe(empty + 2);
  });

  it("gives all writes of a commit one dot, and the last write of a key counts", () => {
    const store = new RowStore();
    const replica = open(store);
    const other = utf8Bytes("other");
    const { update } = commit(store, replica, [put("a"), put("b", { key: other }), put("c")]);
    expect(update.entries.length).toBe(2);
    expect(valueOf(store, replica)).toEqual(utf8Bytes("c"));
    expect(replica.read(store, other)[0]?.dot).toEqual(update.dot);
  });

  it("deletes by a tombstone that readers do not see", () => {
    const store = new RowStore();
    const replica = open(store);
    commit(store, replica, [put("a")]);
    commit(store, replica, [put("", { value: undefined })]);
    expect(valueOf(store, replica)).toBeUndefined();
    expect(replica.read(store, KEY)[0]?.value.tag).toBe(TAG.tombstone);
  });

  it("continues its counter when it resumes, and starts another origin when it does not", () => {
    const store = new RowStore();
    commit(store, open(store), [put("a")]);
    expect(commit(store, open(store), [put("b")]).dot).toMatchObject({ restart: 0, counter: 2 });
    const fresh = open(store, { resumes: false });
    expect(commit(store, fresh, [put("c")]).dot).toMatchObject({ restart: 1, counter: 1 });
    expect(open(store).origin).toMatchObject({ restart: 1 });
  });

  it("keeps hybrid time rising when the wall clock steps back across an opening", () => {
    const store = new RowStore();
    const first = commit(store, open(store), [put("a")]);
    const again = open(store, { wallMs: WALL_MS - 60_000 });
    const second = commit(store, again, [put("b")], WALL_MS - 60_000);
    expect(second.hlc).toBeGreaterThan(first.hlc);
  });

  it("writes the state row once a transaction, and not at all without a change", () => {
    const store = new RowStore();
    const replica = open(store);
    for (const text of ["a", "b"]) {
      store.apply(replica.commit(store, [put(text)], { wallMs: WALL_MS }).writes);
    }
    const sealed = replica.sealWrites();
    expect(sealed.map((write) => write.key)).toEqual([META_ROW.state]);
    expect(replica.sealWrites()).toEqual([]);
  });

  it("reserves hybrid time ahead when it only observed a later one", () => {
    const store = new RowStore();
    const replica = open(store);
    const seen = hlcFromMs(WALL_MS + 5000) + 7;
    replica.observe(seen);
    store.apply(replica.sealWrites());
    expect(open(store).hlc).toBeGreaterThanOrEqual(seen);
  });

  it("refuses a store of another format and names both formats", () => {
    const store = new RowStore();
    open(store);
    store.apply([{ key: META_ROW.format, value: utf8Bytes("7") }]);
    const attempt = () => open(store);
    expect(attempt).toThrow(EnokiError);
    expect(attempt).toThrow(/format "7".*format 1/);
  });

  it("refuses a store that has rows but no format", () => {
    const store = new RowStore([{ key: utf8Bytes("i-old"), value: utf8Bytes("?") }]);
    expect(() => open(store)).toThrow(/format none/);
  });
});
