import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";

/** Lines that are written at once. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Writes lines to a file of `dir`, in place of an older one of that name, and resolves with its path
 * once it is on stable storage. Without a line nothing is written.
 */
export async function writeLines(
  dir: string,
  name: string,
  lines: Iterable<string>,
): Promise<string | undefined> {
  const path = join(dir, name);
  const unfinished = `${path}.unfinished`;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = await open(unfinished, "w", 0o600);
  let isEmpty = true;
  try {
    let chunk = "";
    for (const line of lines) {
      isEmpty = false;
      chunk += `${line}\n`;
      if (chunk.length < CHUNK_BYTES) continue;
      await file.write(chunk);
      chunk = "";
    }
    await file.write(chunk);
    await file.sync();
  } finally {
    await file.close();
  }
  if (isEmpty) {
    await rm(unfinished);
    return undefined;
  }
  await rename(unfinished, path);
  return path;
}
