import { StoredTokens } from "../../src/access/stored-tokens.js";
import { StoredView } from "../../src/cluster/stored-view.js";
import { parseKeygroupName } from "../../src/core/ids.js";
import type { RowPair } from "../../src/core/rows.js";
import { FunctionRegistry } from "../../src/functions/registry.js";
import { KeygroupStores } from "../../src/keygroups/keygroup-stores.js";
import { StoredGrants } from "../../src/keygroups/stored-grants.js";
import { nodeIdentity } from "../../src/node/node-identity.js";
import { beginRun, endRun } from "../../src/node/run-marker.js";
import type { Storage } from "../../src/ports/storage.js";
import { createMemoryDriver } from "../../src/storage/memory.js";
import { shown } from "./local-rows.js";

/** What a node's own store says, and a store to which the parts of a node have written that again. */
export interface ReadNodeStore {
  readonly says: unknown;
  readonly again: Storage;
}

/** A store in memory with these rows. */
export async function storeOf(rows: Iterable<RowPair>): Promise<Storage> {
  const store = await createMemoryDriver().open("node");
  store.transact((transaction) => {
    for (const { key, value } of rows) transaction.put(key, value);
  });
  return store;
}

/** All rows of a store, in their order. */
export function rowsOf(store: Storage): RowPair[] {
  return [...store.range({ start: new Uint8Array(), end: Uint8Array.of(255) })];
}

/** Reads a node's own store by the parts that own its rows. */
export async function readNodeStore(store: Storage): Promise<ReadNodeStore> {
  const again = await createMemoryDriver().open("node");
  const says: Record<string, unknown> = {
    ...(await readFunctions(store, again)),
    ...(await readKeygroups(store, again)),
    ...(await readAccess(store, again)),
    ...(await readOwn(store, again)),
  };
  return { says: shown(says), again };
}

async function readFunctions(store: Storage, again: Storage) {
  const functions = new FunctionRegistry(store).list();
  const registry = new FunctionRegistry(again);
  for (const { name, revisions, current } of functions) {
    const serving = revisions.filter(({ number }) => number === current);
    for (const revision of [...revisions, ...serving]) await registry.addRevision(name, revision);
  }
  return { functions };
}

async function readKeygroups(store: Storage, again: Storage) {
  const keygroups = new KeygroupStores({ nodeStore: store } as never).rows();
  const stores = new KeygroupStores({ nodeStore: again } as never);
  for (const row of keygroups) await stores.remember(row);
  return { keygroups };
}

async function readAccess(store: Storage, again: Storage) {
  const tokens = new StoredTokens(store).all();
  for (const token of tokens) await new StoredTokens(again).add(token);
  const find = (): void => {};
  const grants: Record<string, unknown> = {};
  for (const name of namesOf(store, "r")) {
    const keygroup = parseKeygroupName(name);
    const list = new StoredGrants({ nodeStore: store, find }).list(keygroup);
    const written = new StoredGrants({ nodeStore: again, find });
    for (const { kind, id, rights } of list) await written.set(keygroup, { kind, id }, rights);
    grants[name] = list;
  }
  return {
    ...(tokens.length > 0 && { tokens }),
    ...(Object.keys(grants).length > 0 && { grants }),
  };
}

async function readOwn(store: Storage, again: Storage) {
  const hasRow = (name: string): boolean => store.get(Buffer.from(name)) !== undefined;
  const says: Record<string, unknown> = {};
  if (hasRow("identity")) {
    says["identity"] = nodeIdentity(store, "a new one");
    nodeIdentity(again, says["identity"] as string);
  }
  if (hasRow("d:disk")) {
    const view = new StoredView(store, "a new one");
    says["disk"] = view.disk;
    says["records"] = view.load();
    await new StoredView(again, view.disk).store(view.load().map((record) => ({ record })));
  }
  if (hasRow(":run")) {
    // It counts as whole in a run of another boot only if it ended well.
    says["isWhole"] = await beginRun(await storeOf(rowsOf(store)), "another boot");
    await endRun(again, "boot");
  }
  return says;
}

/** What stands after a first letter in the keys that begin with it. */
function namesOf(store: Storage, letter: string): string[] {
  const end = Buffer.from(String.fromCharCode(letter.charCodeAt(0) + 1));
  const rows = [...store.range({ start: Buffer.from(letter), end })];
  return rows.map(({ key }) => Buffer.from(key).toString("utf8", 1));
}
