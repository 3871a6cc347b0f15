import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { EnokiError } from "../../core/errors.js";
import { IGNORED_FOLDERS } from "../source/source-root.js";
import { copyTree } from "./copy-tree.js";
import { lastLines, runCommand, type CommandResult } from "./run-command.js";
import type { Build } from "./types.js";

/**
 * Python looks for modules in the current folder first. Without this, a function's own `json.py`
 * would run inside pip or the compiler.
 */
const IGNORE_CURRENT_FOLDER = "import sys; sys.path[:] = [p for p in sys.path if p]\n";

const PIP = `${IGNORE_CURRENT_FOLDER}import runpy
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)`;

/**
 * Compiles one folder. Code is read-only when it runs, so this is the only chance; the caches are
 * bound to the source by hash and never looked at again, so that times play no part.
 */
const COMPILE = `${IGNORE_CURRENT_FOLDER}import compileall, py_compile
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
folder, shown = sys.argv[1:]
sys.exit(0 if compileall.compile_dir(folder, ddir=shown, quiet=1, force=True, maxlevels=64, invalidation_mode=mode) else 1)`;

/** Builds a Python function: its files, its packages in `deps`, both byte-compiled. */
export async function buildPython(request: Build): Promise<{ entry: string; depsDir?: "deps" }> {
  await copyTree(request.sourceDir, request.codeDir, { skippedFolders: IGNORED_FOLDERS });
  const { exitCode, output } = await compile(request, request.codeDir);
  if (exitCode !== 0) throw new EnokiError("ENOKI_BUILD_FAILED", compileError(request, output));

  if (!(await hasRequirements(request.sourceDir))) return { entry: request.entry };
  const depsDir = join(request.outDir, "deps");
  await mkdir(depsDir);
  await installPackages(request, depsDir);
  await forgetOrigins(depsDir);
  // Some packages ship templates that are no Python; they are not ours to judge.
  await compile(request, depsDir);
  return { entry: request.entry, depsDir: "deps" };
}

async function hasRequirements(dir: string): Promise<boolean> {
  const text = await readFile(join(dir, "requirements.txt"), "utf8").catch(() => "");
  return text
    .split("\n")
    .map((line) => line.trim())
    .some((line) => /^(?:[^#-]|-r\b|--requirement\b|-e\b|--editable\b)/.test(line));
}

async function installPackages(request: Build, depsDir: string): Promise<void> {
  const flags = ["--disable-pip-version-check", "--no-input", "--no-compile", "--no-user"];
  const wheels = request.allowBuild ? [] : ["--only-binary", ":all:"];
  const what = ["--target", depsDir, "-r", "requirements.txt"];
  request.log(`$ pip install ${[...wheels, "-r", "requirements.txt"].join(" ")}`);
  const { exitCode, output } = await runPython(request, PIP, request.sourceDir, [
    "install",
    ...flags,
    ...wheels,
    ...what,
  ]);
  if (exitCode !== 0) {
    throw new EnokiError("ENOKI_BUILD_FAILED", `pip install failed\n${lastLines(output)}`);
  }
  request.log(output.trimEnd());
}

/** Removes pip's notes about where a package came from: a path of this build, which differs each time. */
async function forgetOrigins(depsDir: string): Promise<void> {
  for (const name of await readdir(depsDir)) {
    if (!name.endsWith(".dist-info")) continue;
    await rm(join(depsDir, name, "direct_url.json"), { force: true });
    const record = join(depsDir, name, "RECORD");
    const text = await readFile(record, "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const kept = text.split("\n").filter((line) => !line.includes("/direct_url.json,"));
    await writeFile(record, kept.join("\n"));
  }
}

function compile(request: Build, dir: string): Promise<CommandResult> {
  // `ddir` is what ends in the caches as the file's name; Python replaces it when it loads them.
  return runPython(request, COMPILE, dir, [dir, ""]);
}

function compileError(request: Build, output: string): string {
  return lastLines(output).replaceAll(`${request.codeDir}/`, "");
}

async function runPython(
  request: Build,
  program: string,
  cwd: string,
  args: readonly string[],
): Promise<CommandResult> {
  const result = await runCommand({
    program: request.pythonPath,
    args: ["-c", program, ...args],
    cwd,
    // Before 3.11, sets of constants are written in the order of their hashes.
    env: { PYTHONHASHSEED: "0" },
    signal: request.signal,
  });
  if (result.exitCode === 127) {
    throw new EnokiError(
      "ENOKI_RUNTIME_UNAVAILABLE",
      `there is no Python at ${request.pythonPath}`,
    );
  }
  return result;
}
