import { afterEach, beforeEach, expect, test } from "vitest";

import { Access } from "../../../src/access/access.js";
import { ClusterTokens } from "../../../src/access/cluster-tokens.js";
import { StoredTokens } from "../../../src/access/stored-tokens.js";
import { Tokens } from "../../../src/access/tokens.js";
import type { Directory } from "../../../src/cluster/directory.js";
import type { Storage } from "../../../src/ports/storage.js";
import { MemoryNamingService } from "../../../src/naming/memory.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { until } from "../../../src/testing/naming-recorder.js";
import { DirectoryCluster, openNodeStore } from "../../helpers/directories.js";

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const clock = { nowMs: () => Date.now() };
const ADMIN = { role: "admin", name: "root", validMs: undefined } as const;

let cluster: DirectoryCluster;
const opened: ClusterTokens[] = [];

beforeEach(() => {
  cluster = new DirectoryCluster();
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((book) => book.close()));
  await cluster.close();
});

interface Node {
  readonly directory: Directory;
  readonly access: Access;
  readonly tokens: Tokens;
  readonly offline: StoredTokens;
}

async function open(
  name: string,
  storage?: Storage,
  service: MemoryNamingService = cluster.service,
): Promise<Node> {
  const store = storage ?? (await openNodeStore());
  const directory = await cluster.open(name, service.connect(), { storage: store });
  const offline = new StoredTokens(store);
  const book = new ClusterTokens({ directory, offline, logger });
  opened.push(book);
  const access = new Access({ adminToken: undefined, tokens: book, clock });
  return { directory, access, tokens: new Tokens({ book, hasAdminToken: false, clock }), offline };
}

function passes({ access }: Node, text: string): boolean {
  try {
    access.identify(`Bearer ${text}`);
    return true;
  } catch {
    return false;
  }
}

test("a token that one node makes is taken by all, and refused by all once it is removed", async () => {
  const [one, two] = [await open("edge1"), await open("edge2")];
  await one.tokens.create(ADMIN);
  const { text } = await two.tokens.create({ role: "read", name: "reader", validMs: undefined });
  await until(() => passes(one, text) && passes(two, text));
  await one.tokens.remove("reader");
  await until(() => !passes(one, text) && !passes(two, text));
  expect(one.access.isOpen || two.access.isOpen).toBe(false);
});

test("tokens verify while naming is away, also after a restart, and nothing can be changed", async () => {
  const storage = await openNodeStore();
  const before = await open("edge1", storage);
  const { text } = await before.tokens.create(ADMIN);
  await before.tokens.create({ ...ADMIN, name: "second" });
  cluster.service.setReachable(false);
  await until(() => !before.directory.isReachable);
  expect(passes(before, text)).toBe(true);
  await expect(before.tokens.remove(ADMIN.name)).rejects.toMatchObject({
    code: "ENOKI_NAMING_UNAVAILABLE",
  });
  await expect(before.tokens.create({ ...ADMIN, name: "third" })).rejects.toMatchObject({
    code: "ENOKI_NAMING_UNAVAILABLE",
  });
  await before.directory.close();
  const after = await open("edge1", storage);
  expect(passes(after, text)).toBe(true);
  expect(after.access.isOpen).toBe(false);
});

test("a token that was made offline counts at once, and for all once naming can be asked", async () => {
  const storage = await openNodeStore();
  const made = await new Tokens({
    book: new StoredTokens(storage),
    hasAdminToken: true,
    clock,
  }).create(ADMIN);
  const other = await open("edge2");
  cluster.service.setReachable(false);
  const node = await open("edge1", storage);
  expect(passes(node, made.text)).toBe(true);
  expect(passes(other, made.text)).toBe(false);
  cluster.service.setReachable(true);
  await until(() => passes(other, made.text));
  await until(() => node.offline.all().length === 0);
  expect(passes(node, made.text)).toBe(true);
  expect(new StoredTokens(storage).all()).toEqual([]);
});

test("a removed token stays removed when naming lost everything and nodes restore what they know", async () => {
  const storage = await openNodeStore();
  const one = await open("edge1", storage);
  const { text: kept } = await one.tokens.create(ADMIN);
  const { text } = await one.tokens.create({ ...ADMIN, name: "second" });
  await one.tokens.remove("second");
  await one.directory.close();
  const empty = new MemoryNamingService({ timers: systemTimers });
  const again = await open("edge1", storage, empty);
  await until(() => empty.entries("tokens/").length === 2);
  const three = await open("edge3", undefined, empty);
  expect([again, three].map((node) => passes(node, kept))).toEqual([true, true]);
  expect([again, three].map((node) => passes(node, text))).toEqual([false, false]);
});
