import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EnokiError } from "../core/errors.js";
import { makeDirectoryDurably, writeFileDurably } from "./durable-files.js";

/** The format of the data directory that this version reads and writes. */
export const STORAGE_FORMAT = 1;

/**
 * Marks a new directory with the format, or checks the mark of one that exists.
 * @throws EnokiError `ENOKI_STORAGE_FORMAT` if it was written in another format
 */
export async function claimFormat(dir: string): Promise<void> {
  const path = join(dir, "format");
  await makeDirectoryDurably(dir);
  const content = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (content === undefined) {
    await writeFileDurably(path, Buffer.from(`${JSON.stringify({ format: STORAGE_FORMAT })}\n`));
    return;
  }
  const found = parseFormat(content);
  if (found === STORAGE_FORMAT) return;
  throw new EnokiError(
    "ENOKI_STORAGE_FORMAT",
    `${dir} has storage format ${JSON.stringify(found)}; this version reads format ${STORAGE_FORMAT}`,
  );
}

/** The format that the file names, or its raw content if it names none. */
function parseFormat(content: string): unknown {
  try {
    const parsed: unknown = JSON.parse(content);
    if (typeof parsed === "object" && parsed !== null && "format" in parsed) return parsed.format;
    return parsed;
  } catch {
    return content.slice(0, 40);
  }
}
