import type { Storage } from "../ports/storage.js";

const ROW = Buffer.from("identity", "utf8");

/**
 * Names a node that is alone, and what is deployed on it: `fresh` the first time, from then on what
 * was stored, and lost with the store.
 */
export function nodeIdentity(nodeStore: Storage, fresh: string): string {
  const stored = nodeStore.get(ROW);
  if (stored) return Buffer.from(stored).toString("utf8");
  nodeStore.transact((transaction) => transaction.put(ROW, Buffer.from(fresh, "utf8")));
  return fresh;
}
