import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { unpackArchive } from "../../archive/unpack.js";

/** Folders that neither an entry nor an artefact ever comes from. */
export const IGNORED_FOLDERS: ReadonlySet<string> = new Set([
  "node_modules",
  ".git",
  "__pycache__",
]);

/**
 * Unpacks an uploaded archive into `destDir` and returns the folder that holds the function:
 * `destDir`, or the single folder in it when there is nothing else, because people zip a folder
 * as often as its contents.
 * @throws EnokiError as {@link unpackArchive} does
 */
export async function unpackSource(zip: Buffer, destDir: string): Promise<string> {
  await unpackArchive(zip, destDir);
  const found = (await readdir(destDir, { withFileTypes: true })).filter(
    (item) => item.name !== ".DS_Store",
  );
  const [only] = found;
  const isWrapped = found.length === 1 && only?.isDirectory() === true;
  return isWrapped ? join(destDir, only.name) : destDir;
}
