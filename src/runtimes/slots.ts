import { execFile } from "node:child_process";
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  type Dirent,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Up to this many entries are linked in the node's own thread: some 10 µs each. */
const ENTRIES_INLINE_MAX = 300;

/**
 * Makes what is in `artefactDir` appear in `slotDir`, which a waiting sandbox shows already. Files are
 * hard links, so nothing is copied unless the two lie on different file systems.
 */
export async function placeArtefact(artefactDir: string, slotDir: string): Promise<void> {
  const entries = listEntries(artefactDir, ENTRIES_INLINE_MAX);
  if (entries === undefined) {
    await placeBig(artefactDir, slotDir);
    return;
  }
  for (const { path, entry } of entries) {
    const source = join(artefactDir, path);
    const target = join(slotDir, path);
    if (entry.isDirectory()) mkdirSync(target, { mode: 0o755 });
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else if (entry.isFile()) linkOrCopy(source, target);
  }
}

/**
 * Makes a store's file appear as `target`: the file itself, since a copy would not change with it.
 * False where that cannot be, as between file systems.
 */
export function placeStore(storeFile: string, target: string): boolean {
  try {
    linkSync(storeFile, target);
    return true;
  } catch {
    return false;
  }
}

/** In another process: thousands of links would hold up every call of the node. */
async function placeBig(artefactDir: string, slotDir: string): Promise<void> {
  const source = `${artefactDir}/.`;
  try {
    await run("cp", ["-RPl", source, slotDir]);
  } catch {
    await run("cp", ["-RPf", source, slotDir]);
  }
}

interface Entry {
  readonly path: string;
  readonly entry: Dirent;
}

/** Parents before children; undefined when there are more than `max`. */
function listEntries(root: string, max: number): Entry[] | undefined {
  const found: Entry[] = [];
  const waiting = [""];
  for (let dir = waiting.pop(); dir !== undefined; dir = waiting.pop()) {
    for (const entry of readdirSync(join(root, dir), { withFileTypes: true })) {
      const path = join(dir, entry.name);
      found.push({ path, entry });
      if (found.length > max) return undefined;
      if (entry.isDirectory()) waiting.push(path);
    }
  }
  return found;
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EXDEV" && code !== "EPERM" && code !== "EMLINK") throw error;
    copyFileSync(source, target);
  }
}
