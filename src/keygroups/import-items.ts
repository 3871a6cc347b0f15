import type { ExportedItem, WriteOutcome, WriteRequest } from "./types.js";

/** Items in one commit of an import. */
const CHUNK_ITEMS = 500;

/** Writes exported items that have not expired, some hundred in a commit; resolves with their number. */
export async function importItems(
  items: Iterable<ExportedItem>,
  write: (request: WriteRequest) => Promise<WriteOutcome>,
  nowMs: () => number,
): Promise<number> {
  let imported = 0;
  let chunk: ExportedItem[] = [];
  const flush = async (): Promise<void> => {
    if (chunk.length === 0) return;
    const wallMs = nowMs();
    const live = chunk.filter((item) => item.expiresAtMs === 0 || item.expiresAtMs > wallMs);
    await write({
      writes: live.map((item) => ({
        op: "set",
        key: item.key,
        value: item.value,
        expiresAtMs: item.expiresAtMs,
      })),
    });
    imported += live.length;
    chunk = [];
  };
  for (const item of items) {
    chunk.push(item);
    if (chunk.length >= CHUNK_ITEMS) await flush();
  }
  await flush();
  return imported;
}
