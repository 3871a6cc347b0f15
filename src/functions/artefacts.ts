import { randomUUID } from "node:crypto";
import { chmod, cp, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { EnokiError } from "../core/errors.js";
import {
  hashManifest,
  MANIFEST_NAME,
  parseManifest,
  readManifestOf,
  writeManifest,
} from "./artefact-manifest.js";

/** What is known of an artefact once it is stored. */
interface StoredArtefact {
  /** SHA-256 of its manifest, as 64 hexadecimal digits. */
  readonly hash: string;
  readonly sizeBytes: number;
  readonly files: number;
}

/**
 * Built functions, each under the hash of its content. Invariant: a folder `<hash>` is complete
 * and on disk from the moment it exists, and never changes.
 */
export interface ArtefactStore {
  /** A path for a build to fill, on the store's own file system; a crash's remains are cleaned up. */
  scratchDir(): string;
  /** Takes `builtDir` away and keeps it under its hash; adding the same content again is a no-op. */
  add(builtDir: string): Promise<StoredArtefact>;
  has(hash: string): Promise<boolean>;
  /** Folder of an artefact: `code`, maybe `deps`, and `manifest.json`. */
  path(hash: string): string;
  /** Removes an artefact; one that is not there counts as removed. */
  remove(hash: string): Promise<void>;
  /** Hashes of all artefacts, sorted. */
  list(): Promise<string[]>;
  /** What differs from the manifest, one line each; empty = sound. */
  verify(hash: string): Promise<string[]>;
}

const HASH = /^[0-9a-f]{64}$/;
/** Half-finished work; emptied when the store is opened. */
const SCRATCH_NAME = ".scratch";
const SYNCS_AT_ONCE = 16;

/** Opens the store in `dir`, which is made if need be, and removes what a crash left half done. */
export async function createArtefactStore(dir: string): Promise<ArtefactStore> {
  const scratch = join(dir, SCRATCH_NAME);
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true });
  const scratchDir = (): string => join(scratch, randomUUID());
  const path = (hash: string): string => join(dir, checkHash(hash));
  const has = (hash: string): Promise<boolean> => exists(join(path(hash), MANIFEST_NAME));

  const remove = async (hash: string): Promise<void> => {
    // Away from its name first, so that no half-removed artefact is ever found under it.
    const doomed = scratchDir();
    try {
      await rename(path(hash), doomed);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return;
      throw error;
    }
    await rm(doomed, { recursive: true });
  };
  const keep = async (staged: string): Promise<StoredArtefact> => {
    const manifest = await readManifestOf(staged);
    const hash = hashManifest(manifest);
    if (!(await has(hash))) {
      await writeFileSynced(join(staged, MANIFEST_NAME), writeManifest(manifest));
      await makeDurable(
        staged,
        manifest.map((file) => file.path),
      );
      // Someone may have added the same content in the meantime, or meddled with the folder.
      if (!(await has(hash))) await remove(hash);
      await renameUnlessThere(staged, path(hash));
      await syncPath(dir);
    }
    const sizeBytes = manifest.reduce((sum, file) => sum + file.sizeBytes, 0);
    return { hash, sizeBytes, files: manifest.length };
  };

  return {
    scratchDir,
    path,
    has,
    remove,
    async add(builtDir) {
      const staged = await stage(builtDir, scratchDir());
      try {
        return await keep(staged);
      } finally {
        await rm(staged, { recursive: true, force: true });
      }
    },
    async list() {
      return (await readdir(dir)).filter((name) => HASH.test(name)).sort();
    },
    verify: (hash) => verify(path(hash), hash),
  };
}

function checkHash(hash: string): string {
  if (HASH.test(hash)) return hash;
  throw new EnokiError("ENOKI_INVALID_INPUT", "an artefact's hash is 64 hexadecimal digits");
}

/** Moves a built folder into the scratch space, whatever file system it was built on. */
async function stage(builtDir: string, target: string): Promise<string> {
  try {
    await rename(builtDir, target);
  } catch (error) {
    if (errorCode(error) !== "EXDEV") throw error;
    await cp(builtDir, target, { recursive: true, verbatimSymlinks: true });
    await rm(builtDir, { recursive: true });
  }
  await rm(join(target, MANIFEST_NAME), { force: true });
  return target;
}

/** Makes every file read-only and waits until all of them, and their folders, are on disk. */
async function makeDurable(dir: string, files: readonly string[]): Promise<void> {
  const folders = new Set<string>([dir]);
  const waiting = [...files];
  const worker = async (): Promise<void> => {
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      const path = join(dir, file);
      const { mode } = await stat(path);
      await chmod(path, (mode & 0o111) === 0 ? 0o444 : 0o555);
      await syncPath(path);
    }
  };
  await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, worker));
  for (const file of files) {
    const parts = file.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      folders.add(join(dir, ...parts.slice(0, depth)));
    }
  }
  for (const folder of folders) {
    await chmod(folder, 0o755);
    await syncPath(folder);
  }
}

async function renameUnlessThere(staged: string, target: string): Promise<void> {
  try {
    await rename(staged, target);
  } catch (error) {
    if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error;
  }
}

async function verify(dir: string, hash: string): Promise<string[]> {
  const text = await readFile(join(dir, MANIFEST_NAME), "utf8").catch(() => undefined);
  if (text === undefined) return [`${MANIFEST_NAME} is missing`];
  const expected = parseManifest(text);
  if (expected === undefined || hashManifest(expected) !== hash) {
    return [`${MANIFEST_NAME} does not have the hash ${hash}`];
  }
  const found = new Map((await readManifestOf(dir)).map((file) => [file.path, file]));
  const problems: string[] = [];
  for (const file of expected) {
    const actual = found.get(file.path);
    found.delete(file.path);
    if (actual === undefined) problems.push(`${file.path} is missing`);
    else if (actual.sha256 !== file.sha256) problems.push(`${file.path} has other content`);
    else if (actual.isExecutable !== file.isExecutable)
      problems.push(`${file.path} has other permissions`);
  }
  for (const path of found.keys()) problems.push(`${path} is not part of it`);
  return problems;
}

async function writeFileSynced(path: string, text: string): Promise<void> {
  const handle = await open(path, "w", 0o444);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
