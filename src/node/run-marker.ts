import type { Storage } from "../ports/storage.js";

const ROW = Buffer.from("run", "utf8");

interface Marker {
  readonly bootId: string;
  readonly isClean: boolean;
}

/**
 * Notes that a run begins and says whether the stores hold all that the last one acknowledged:
 * after a clean stop, or under the same run of the operating system (design §4, *origin*).
 */
export async function beginRun(nodeStore: Storage, bootId: string): Promise<boolean> {
  const stored = nodeStore.get(ROW);
  const last = stored && (JSON.parse(Buffer.from(stored).toString("utf8")) as Marker);
  await write(nodeStore, { bootId, isClean: false });
  return last === undefined || last.isClean || last.bootId === bootId;
}

/** Notes that everything is synced and closed. */
export async function endRun(nodeStore: Storage, bootId: string): Promise<void> {
  await write(nodeStore, { bootId, isClean: true });
}

async function write(nodeStore: Storage, marker: Marker): Promise<void> {
  const value = Buffer.from(JSON.stringify(marker), "utf8");
  nodeStore.transact((transaction) => transaction.put(ROW, value));
  await nodeStore.sync();
}
