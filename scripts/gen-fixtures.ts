/**
 * Writes `test/fixtures/format-1`: rows that real replicas have stored, and what they say.
 * Run it with `npm run fixtures` only when format 1 gains rows. A file that lies there already
 * is left alone, because stores in the world hold its bytes: new rows go into a file of another name.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyDelta, deltaTag, joinStates, type Delta } from "../src/core/crdt/index.js";
import { dotsOf } from "../src/core/item.js";
import type { Policy } from "../src/core/live-set.js";
import { Replica } from "../src/core/replica.js";
import type { RowPair, RowWrite } from "../src/core/rows.js";
import { utf8Bytes } from "../src/core/text.js";
import type { Mutation, Update } from "../src/core/update.js";
import { TAG, type TypedValue } from "../src/core/value.js";
import { describeRow, hex } from "../test/helpers/format-dump.js";
import { readLocalRow } from "../test/helpers/local-rows.js";
import { readNodeStore, storeOf } from "../test/helpers/node-rows.js";
import { RowStore } from "../test/helpers/row-store.js";
import { storeFiles } from "./gen-file-fixtures.js";
import { outboxRows, triggerRows } from "./gen-local-fixtures.js";
import { clusterNodeRows, lonelyNodeRows, nodeRows } from "./gen-node-fixtures.js";
import {
  catchingUp,
  concurrent,
  joining,
  platformItems,
  retired,
  shadowed,
} from "./gen-replica-fixtures.js";

const WALL_MS = 1_800_000_000_000;
const FOLDER = join(import.meta.dirname, "../test/fixtures/format-1");
const INVOCATION = Uint8Array.from({ length: 16 }, (_, i) => i * 17);

class Writer {
  readonly store = new RowStore();
  readonly replica: Replica;

  constructor(policy: Policy, epoch: number) {
    const record = { epoch: 300, members: [1, 300], past: [2] };
    const founding = { generation: 1, epoch, record, isServing: true };
    const opened = Replica.open(this.store, { wallMs: WALL_MS, policy, resumes: true, founding });
    this.replica = opened.replica;
    this.apply(opened.writes);
  }

  apply(writes: readonly RowWrite[]): void {
    this.store.apply(writes);
    this.store.apply(this.replica.sealWrites());
  }

  commit(mutations: readonly Mutation[], invocation?: Uint8Array): Update {
    const stamp = { wallMs: WALL_MS, invocation };
    const { writes, update } = this.replica.commit(this.store, mutations, stamp);
    this.apply(writes);
    return update;
  }

  change(key: string, ...deltas: Delta[]): void {
    for (const delta of deltas) {
      const live = this.replica.read(this.store, utf8Bytes(key));
      const at = { dot: this.replica.nextDot(), hlc: this.replica.nextHlc(WALL_MS) };
      const value = applyDelta(joinStates(deltaTag(delta), live), delta, at);
      this.commit([put(key, value, { replaces: dotsOf(live) })]);
    }
  }
}

function put(key: string, value: TypedValue | undefined, more: Partial<Mutation> = {}): Mutation {
  return { key: utf8Bytes(key), value, expiresAtMs: 0, replaces: "all", ...more };
}

function text(value: string): TypedValue {
  return { tag: TAG.str, bytes: utf8Bytes(value) };
}

function lww(): RowStore {
  const writer = new Writer("lww", 1);
  writer.commit([put("gone", undefined)]);
  writer.replica.durable(writer.replica.vector.clone());
  writer.replica.acknowledge(300, 300, writer.replica.vector);
  writer.apply(writer.replica.collect(writer.store, { limit: 10, wallMs: WALL_MS }));
  writer.commit([put("str", text("grüezi"))], INVOCATION);
  writer.commit([put("empty", text("")), put("bytes", { tag: TAG.bytes, bytes: INVOCATION })]);
  writer.commit([put("json", { tag: TAG.json, bytes: utf8Bytes('{"a":[1,null]}') })]);
  writer.commit([put("ttl", text("soon"), { expiresAtMs: WALL_MS + 5000 })]);
  writer.commit([put("deleted", undefined)]);
  writer.commit([put("internal", text("x"), { key: Uint8Array.of(0xff, 1, 2) })]);
  writer.change("counter", { type: "counter.add", n: 5 }, { type: "counter.add", n: -300 });
  writer.change("set", { type: "set.add", member: "é" }, { type: "set.add", member: { b: 1 } });
  writer.change("set", { type: "set.remove", member: "é" });
  writer.change("map", { type: "map.set", field: "r", value: [true] });
  writer.change("map", { type: "map.add", field: "n", n: 2 });
  writer.change("pinned", { type: "counter.add", n: 1 });
  writer.commit([put("pinned", text("replaced a counter"))]);
  return writer.store;
}

function siblings(): RowStore {
  const one = new Writer("siblings", 1);
  const two = new Writer("siblings", 300);
  one.apply(one.replica.receive(one.store, two.commit([put("k", text("two"))])).writes);
  one.commit([put("k", text("one"), { replaces: [] })]);
  two.commit([put("staged", text("half"))]);
  two.commit([put("staged too", text("rest"))]);
  const request = one.replica.catchUpRequest(one.store, 300);
  const budget = { keysMax: 1, bytesMax: 1 };
  const answer = two.replica.serveCatchUp(two.store, request, undefined, budget);
  if (answer.type !== "chunk") throw new Error(answer.type);
  one.apply(one.replica.receiveChunk(one.store, answer.chunk).writes);
  return one.store;
}

mkdirSync(FOLDER, { recursive: true });
for (const [name, store] of [
  ["lww", lww()],
  ["siblings", siblings()],
  ["joining", joining()],
  ["retired", retired()],
  ["catching-up", catchingUp()],
  ["concurrent", concurrent()],
  ["shadowed", shadowed()],
  ["platform-items", platformItems()],
] as const) {
  const rows = store.rows().map((row) => ({
    key: hex(row.key),
    value: hex(row.value),
    means: describeRow(store, row),
  }));
  writeNew(`${name}.json`, rows);
}

function writeNew(file: string, content: unknown): void {
  const path = join(FOLDER, file);
  if (existsSync(path)) return console.log(`${file} is there already and stays as it is`);
  writeFileSync(path, `${JSON.stringify(content, null, 1)}\n`);
}

function writeLocal(name: string, rows: readonly RowPair[], means: unknown): void {
  const bytes = rows.map(({ key, value }) => ({ key: hex(key), value: hex(value) }));
  writeNew(`local/${name}.json`, { rows: bytes, means });
}

mkdirSync(join(FOLDER, "local"), { recursive: true });
for (const [name, rows] of [
  ["outbox", outboxRows()],
  ["triggers", triggerRows()],
] as const) {
  const means = rows.map(readLocalRow).map(({ row, says }) => ({ row, says }));
  writeLocal(name, rows, means);
}
for (const [name, rows] of [
  ["node", await nodeRows()],
  ["lonely-node", await lonelyNodeRows()],
  ["cluster-node", await clusterNodeRows()],
] as const) {
  writeLocal(name, rows, (await readNodeStore(await storeOf(rows))).says);
}
mkdirSync(join(FOLDER, "files"), { recursive: true });
writeNew("files/store.json", await storeFiles());
