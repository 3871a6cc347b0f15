import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { ArtefactStore } from "./artefacts.js";

const ARCHIVE_NAME = "source.zip";

/** Keeps the archive of a deploy among the artefacts; returns the hash that it has there. */
export async function storeSource(store: ArtefactStore, archive: Buffer): Promise<string> {
  const dir = store.scratchDir();
  await mkdir(dir);
  await writeFile(join(dir, ARCHIVE_NAME), archive);
  return (await store.add(dir)).hash;
}

/** The archive that was kept under that hash. */
export async function readSource(store: ArtefactStore, hash: string): Promise<Buffer> {
  return readFile(join(store.path(hash), ARCHIVE_NAME));
}
