import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { createArtefactStore } from "../../src/functions/artefacts.js";
import { buildFunction } from "../../src/functions/build/build-function.js";
import type { BuildRequest, BuildResult } from "../../src/functions/build/types.js";
import { detectEntry } from "../../src/functions/source/entry.js";
import { temporaryFolder, writeFiles } from "./temporary-folder.js";

const run = promisify(execFile);

/** Files of a function: relative path → text or bytes. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** A function that was built in a folder of its own. */
export interface Built extends BuildResult {
  readonly sourceDir: string;
  readonly outDir: string;
}

/** Builds a function from `files`; the runtime is detected unless said. */
export async function buildFiles(
  files: Files,
  options: Partial<BuildRequest> = {},
): Promise<Built> {
  const dir = await temporaryFolder();
  const sourceDir = join(dir, "source");
  const outDir = join(dir, "out");
  await writeFiles(sourceDir, files);
  const entry = await detectEntry(sourceDir, options.runtime);
  const result = await buildFunction({
    sourceDir,
    outDir,
    allowBuild: false,
    pythonPath: "python3",
    ...entry,
    ...options,
  });
  return { ...result, sourceDir, outDir };
}

/** Hashes of the artefacts of two builds of the same files, in different folders. */
export async function hashesOfTwoBuilds(files: Files): Promise<[string, string]> {
  const store = await createArtefactStore(await temporaryFolder());
  const hashes: string[] = [];
  for (let round = 0; round < 2; round++) {
    const built = await buildFiles(files);
    hashes.push((await store.add(built.outDir)).hash);
  }
  return hashes as [string, string];
}

/**
 * Loads a built JavaScript function as a guest does, in a process of its own, and returns what
 * the expression gives; `fn` is the module in it.
 */
export async function evaluate(built: Built, expression: string): Promise<unknown> {
  const url = JSON.stringify(`file://${join(built.outDir, "code", built.entry)}`);
  const program = `
    globalThis[Symbol.for("enoki.guest")] = { kv: { get: (key) => "value of " + key } };
    const fn = await import(${url});
    const result = await (${expression});
    process.stdout.write("\\n" + JSON.stringify(result ?? null));`;
  const args = ["--enable-source-maps", "--input-type=module", "-e", program];
  const { stdout } = await run(process.execPath, args, { env: {} });
  return JSON.parse(stdout.slice(stdout.lastIndexOf("\n") + 1));
}
