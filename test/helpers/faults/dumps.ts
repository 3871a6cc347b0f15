import { join } from "node:path";

import { decodeItem, type Version } from "../../../src/core/item.js";
import { USER_ITEM_ROWS } from "../../../src/core/rows.js";
import { TAG } from "../../../src/core/value.js";
import { LmdbFile } from "../../../src/guest/lmdb-file.js";
import { createLmdbDriver } from "../../../src/storage/lmdb.js";
import { until } from "../node-calls.js";
import type { ClusterNode } from "../running-cluster.js";

/** All that a node shows of a keygroup, as `enoki kv export` prints it. */
export interface Dump {
  readonly node: string;
  readonly text: string;
  readonly values: ReadonlyMap<string, string>;
}

/** Reads everything that a node shows of a keygroup. */
export async function dumpOf({ name, client }: ClusterNode, keygroup: string): Promise<Dump> {
  const lines: string[] = [];
  const values = new Map<string, string>();
  for await (const line of client.kv(keygroup).export()) {
    lines.push(JSON.stringify(line));
    values.set(line.key, String((line.value as { v?: unknown }).v));
  }
  return { node: name, text: lines.join("\n"), values };
}

/** Keys whose lines differ between two dumps, for messages. */
export function differences(left: Dump, right: Dump): string[] {
  const keys = new Set([...left.values.keys(), ...right.values.keys()]);
  return [...keys]
    .filter((key) => left.values.get(key) !== right.values.get(key))
    .map(
      (key) =>
        `${key}: ${left.node} has ${left.values.get(key) ?? "nothing"}, ` +
        `${right.node} has ${right.values.get(key) ?? "nothing"}`,
    );
}

/**
 * The rows of all items in the store of a stopped node, byte by byte: values with their dots and times.
 * Tombstones are not among them, for each replica collects them when it may.
 */
export async function storedItems(dataDir: string, keygroup: string): Promise<string[]> {
  const driver = createLmdbDriver({ dir: join(dataDir, "stores") });
  const store = await driver.open(`kg-${keygroup}`);
  const rows = store.range(USER_ITEM_ROWS).flatMap(({ key, value }) => {
    return isDeleted(decodeItem(value)) ? [] : [`${hex(key)} ${hex(value)}`];
  });
  await store.close();
  return rows;
}

/** How many keys the store of a running node holds now, and how many that only say that one was deleted. */
export async function storedNow(
  dataDir: string,
  keygroup: string,
): Promise<{ readonly items: number; readonly tombstones: number }> {
  const file = new LmdbFile(join(dataDir, "stores", `kg-${keygroup}`, "data.mdb"));
  try {
    return await until("a look that no write has overtaken", () =>
      file.read<{ items: number; tombstones: number }, undefined>((state) => {
        const counts = { items: 0, tombstones: 0 };
        state.visit(USER_ITEM_ROWS.start, USER_ITEM_ROWS.end, false, ({ value }) => {
          const row = decodeItem(value.bytes.subarray(value.from, value.to));
          counts[isDeleted(row) ? "tombstones" : "items"] += 1;
          return true;
        });
        return counts;
      }, undefined),
    );
  } finally {
    file.close();
  }
}

function isDeleted(versions: readonly Version[]): boolean {
  return versions.every(({ value }) => value.tag === TAG.tombstone);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
