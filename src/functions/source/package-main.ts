import { readFile, stat } from "node:fs/promises";
import { isAbsolute, join, normalize } from "node:path";

import { EnokiError } from "../../core/errors.js";

/** What `main` may leave out, in the order in which it is tried. */
const COMPLETIONS = ["", ".js", ".mjs", ".cjs", ".ts", ".mts", "/index.js", "/index.ts"];

/** The members of a `package.json` that a build looks at. */
export interface PackageManifest {
  readonly main?: unknown;
  readonly dependencies?: unknown;
  readonly optionalDependencies?: unknown;
}

/**
 * Reads `dir/package.json`; `undefined` if there is none.
 * @throws EnokiError `ENOKI_BUILD_FAILED` if it is no JSON object
 */
export async function readManifest(dir: string): Promise<PackageManifest | undefined> {
  let text: string;
  try {
    text = await readFile(join(dir, "package.json"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
    throw new Error("it is no object");
  } catch (error) {
    throw new EnokiError("ENOKI_BUILD_FAILED", `package.json: ${(error as Error).message}`);
  }
}

/**
 * The file that `main` of `dir/package.json` means; `undefined` if it says none, or one that is
 * not there (as Node.js does, other names are tried then).
 * @throws EnokiError `ENOKI_NO_ENTRY` if `main` points out of the folder
 */
export async function packageMain(dir: string): Promise<string | undefined> {
  const main = (await readManifest(dir))?.main;
  if (typeof main !== "string" || main === "") return undefined;
  const path = normalize(main).replace(/\/$/, "");
  if (isAbsolute(path) || path === ".." || path.startsWith("../")) {
    throw new EnokiError("ENOKI_NO_ENTRY", `main in package.json leaves the folder: ${main}`);
  }
  for (const completion of COMPLETIONS) {
    const candidate = normalize(path + completion);
    const info = await stat(join(dir, candidate)).catch(() => undefined);
    if (info?.isFile() === true) return candidate;
  }
  return undefined;
}
