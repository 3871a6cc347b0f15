import type { Reader, Storage } from "../ports/storage.js";

/** Begins like no name, so that it is the row of nothing else. */
const ROW = Buffer.from(":run", "utf8");
/** Where it was before; also the row with the grants of a keygroup named `un`, which are a list. */
const FORMER_ROW = Buffer.from("run", "utf8");

interface Marker {
  readonly bootId: string;
  readonly isClean: boolean;
}

/**
 * Notes that a run begins and says whether the stores hold all that the last one acknowledged:
 * after a clean stop, or under the same run of the operating system (design §4, *origin*).
 */
export async function beginRun(nodeStore: Storage, bootId: string): Promise<boolean> {
  const last = read(nodeStore, ROW) ?? read(nodeStore, FORMER_ROW);
  await write(nodeStore, { bootId, isClean: false });
  return last === undefined || last.isClean || last.bootId === bootId;
}

/** Notes that everything is synced and closed. */
export async function endRun(nodeStore: Storage, bootId: string): Promise<void> {
  await write(nodeStore, { bootId, isClean: true });
}

function read(reader: Pick<Reader, "get">, row: Buffer): Marker | undefined {
  const stored = reader.get(row);
  if (stored === undefined) return undefined;
  const json = JSON.parse(Buffer.from(stored).toString("utf8")) as Marker | readonly unknown[];
  return "bootId" in json ? json : undefined;
}

async function write(nodeStore: Storage, marker: Marker): Promise<void> {
  const value = Buffer.from(JSON.stringify(marker), "utf8");
  nodeStore.transact((transaction) => {
    transaction.put(ROW, value);
    if (read(transaction, FORMER_ROW)) transaction.delete(FORMER_ROW);
  });
  await nodeStore.sync();
}
