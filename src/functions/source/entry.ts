import { readdir } from "node:fs/promises";
import { extname } from "node:path";

import { EnokiError } from "../../core/errors.js";
import { RUNTIMES, type RuntimeName } from "../types.js";
import { inspectProgram } from "./executable.js";
import { packageMain } from "./package-main.js";

/** What a function is started with. */
export interface FunctionEntry {
  readonly runtime: RuntimeName;
  /** Relative to the function's folder, with `/` between folders. */
  readonly entry: string;
}

/** How the entry of one runtime is found. The first rule that gives a file wins. */
interface EntryRules {
  /** `main` of `package.json` goes before everything else. */
  readonly usesPackageMain?: boolean;
  /** Names that say by themselves what they are, best first. */
  readonly names: readonly string[];
  /** The one file with such an extension. */
  readonly extensions: readonly string[];
  /** The one file that the system can execute. */
  readonly acceptsProgram?: boolean;
}

const JAVASCRIPT = [".mjs", ".js", ".cjs"];
const TYPESCRIPT = [".ts", ".mts", ".cts"];
const SCRIPT = [...TYPESCRIPT, ...JAVASCRIPT];

const BINARY: EntryRules = { names: ["fn.sh"], extensions: [], acceptsProgram: true };
const TINYFAAS_PYTHON: EntryRules = { names: ["fn.py"], extensions: [] };

const RULES: Readonly<Record<RuntimeName, EntryRules>> = {
  python: { names: ["fn.py", "main.py"], extensions: [".py"] },
  node: {
    usesPackageMain: true,
    names: SCRIPT.map((extension) => `index${extension}`),
    extensions: SCRIPT,
  },
  binary: BINARY,
  python3: TINYFAAS_PYTHON,
  "python3-kv": TINYFAAS_PYTHON,
  nodejs: {
    usesPackageMain: true,
    names: ["index.js", "fn.js", "index.cjs", "index.mjs", "fn.cjs", "fn.mjs"],
    extensions: JAVASCRIPT,
  },
  "tinyfaas-binary": BINARY,
};

/** Runtimes that are chosen when nobody says one; the others must be asked for. */
const DETECTED = ["python", "node", "binary"] as const;

/** Extensions that belong to a language and so are no programs of their own when guessing. */
const SOURCE_EXTENSIONS: ReadonlySet<string> = new Set([".py", ...SCRIPT]);

/** Checks a runtime's name. @throws EnokiError `ENOKI_INVALID_RUNTIME` */
export function parseRuntime(text: string): RuntimeName {
  const found = RUNTIMES.find((runtime) => runtime === text);
  if (found !== undefined) return found;
  const shown = JSON.stringify(text.slice(0, 80));
  throw new EnokiError("ENOKI_INVALID_RUNTIME", `${shown} is no runtime`);
}

/**
 * Finds the file that a function is started with, and its runtime unless `runtime` says it.
 * A name like `fn.py` or `index.ts` counts more than being the only file of its kind; only
 * files at the top of `dir` count, but for `package.json`'s `main`.
 * @throws EnokiError `ENOKI_INVALID_RUNTIME`, or `ENOKI_NO_ENTRY` saying what was found instead
 */
export async function detectEntry(dir: string, runtime?: string): Promise<FunctionEntry> {
  const files = await topFiles(dir);
  if (runtime !== undefined) return entryOf(dir, files, parseRuntime(runtime));

  const named: FunctionEntry[] = [];
  for (const candidate of DETECTED) {
    const entry = await namedEntry(dir, files, RULES[candidate]);
    if (entry !== undefined) named.push({ runtime: candidate, entry });
  }
  if (named.length > 0) return theOne(named, files);

  const only: FunctionEntry[] = [];
  for (const candidate of DETECTED) {
    const matches = await onlyFiles(dir, files, RULES[candidate]);
    const guessed = matches.filter((file) => candidate !== "binary" || !isSource(file));
    only.push(...guessed.map((entry) => ({ runtime: candidate, entry })));
  }
  return theOne(only, files);
}

async function entryOf(
  dir: string,
  files: readonly string[],
  runtime: RuntimeName,
): Promise<FunctionEntry> {
  const rules = RULES[runtime];
  const named = await namedEntry(dir, files, rules);
  if (named !== undefined) return { runtime, entry: named };
  const matches = await onlyFiles(dir, files, rules);
  if (matches.length === 0) {
    throw noEntry(`no entry file for runtime ${runtime}: expected ${expected(rules)}`, files);
  }
  return theOne(
    matches.map((entry) => ({ runtime, entry })),
    files,
  );
}

function theOne(candidates: readonly FunctionEntry[], files: readonly string[]): FunctionEntry {
  const [first, ...others] = candidates;
  if (first === undefined) throw noEntry("no entry file", files);
  if (others.length === 0) return first;
  const shown = candidates.map(({ runtime, entry }) => `${entry} (${runtime})`).join(", ");
  throw new EnokiError("ENOKI_NO_ENTRY", `several files could be the entry: ${shown}`);
}

async function namedEntry(
  dir: string,
  files: readonly string[],
  rules: EntryRules,
): Promise<string | undefined> {
  if (rules.usesPackageMain === true && files.includes("package.json")) {
    const main = await packageMain(dir);
    if (main !== undefined) return main;
  }
  return rules.names.find((name) => files.includes(name));
}

async function onlyFiles(
  dir: string,
  files: readonly string[],
  rules: EntryRules,
): Promise<string[]> {
  const matches = files.filter((file) => rules.extensions.includes(extname(file)));
  if (rules.acceptsProgram !== true) return matches;
  const programs: string[] = [];
  for (const file of files) {
    if ((await inspectProgram(dir, file)).isProgram) programs.push(file);
  }
  return programs;
}

function isSource(file: string): boolean {
  return SOURCE_EXTENSIONS.has(extname(file));
}

/** Hidden files and type declarations never count; macOS leaves `._fn.py` beside `fn.py`. */
async function topFiles(dir: string): Promise<string[]> {
  const items = await readdir(dir, { withFileTypes: true });
  return items
    .filter((item) => item.isFile() && !item.name.startsWith("."))
    .map((item) => item.name)
    .filter((name) => !/\.d\.[cm]?ts$/.test(name))
    .sort();
}

function expected(rules: EntryRules): string {
  const ways = [
    ...(rules.usesPackageMain === true ? ["package.json with main"] : []),
    ...rules.names,
    ...(rules.extensions.length > 0 ? [`the only ${rules.extensions.join("|")} file`] : []),
    ...(rules.acceptsProgram === true ? ["the only executable"] : []),
  ];
  return ways.join(", ");
}

function noEntry(reason: string, files: readonly string[]): EnokiError {
  const shown = files.slice(0, 10).join(", ") + (files.length > 10 ? ", …" : "");
  const found = files.length === 0 ? "there are no files at the top" : `found ${shown}`;
  return new EnokiError("ENOKI_NO_ENTRY", `${reason}; ${found}`);
}
