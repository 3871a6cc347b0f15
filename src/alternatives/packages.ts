import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Resources } from "../bench/resources.js";

/** The peers' programs, with the versions of the packages that they use. */
const PROGRAMS = fileURLToPath(new URL("../../bench/peers/", import.meta.url));
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/enoki-peers/", import.meta.url));

/**
 * Fetches the pinned packages of the peers from npm, once for a lock file. They are no dependencies of
 * the project: nobody who uses it needs them. No install script runs. Resolves with their folder.
 */
export async function fetchPackages(
  resources: Resources,
  progress: (text: string) => void,
): Promise<string> {
  const lock = await readFile(join(PROGRAMS, "package-lock.json"));
  const folder = join(CACHE, createHash("sha256").update(lock).digest("hex").slice(0, 16));
  if (existsSync(folder)) return folder;
  progress(`fetching the peers' packages into ${folder}`);
  await mkdir(CACHE, { recursive: true });
  const unfinished = join(CACHE, `unfinished-${process.pid}`);
  await mkdir(unfinished);
  try {
    for (const file of ["package.json", "package-lock.json"]) {
      await cp(join(PROGRAMS, file), join(unfinished, file));
    }
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", unfinished];
    await resources.run("npm", ["ci", ...flags]);
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/**
 * A folder with the peers' programs, from where they find their packages, if these could be fetched; it
 * goes with the run.
 */
export async function layOutPrograms(
  resources: Resources,
  packages: string | undefined,
): Promise<string> {
  const folder = await resources.makeFolder();
  await cp(PROGRAMS, folder, { recursive: true });
  if (packages !== undefined) {
    await symlink(join(packages, "node_modules"), join(folder, "node_modules"));
  }
  return folder;
}

/** A program that runs with this project's own packages. */
export function ownProgram(path: string): string {
  return join(PROGRAMS, path);
}
