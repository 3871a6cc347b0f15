import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const PROBE_TIMEOUT_MS = 10_000;

/** An interpreter that works here, or why there is none. */
export type Interpreter =
  | { readonly path: string; readonly version: string; readonly prefixes: readonly string[] }
  | { readonly missing: string };

/** The oldest Python that the guest library supports. */
const PYTHON_MINOR_MIN = 9;

const PYTHON_FACTS =
  "import os, sys; print(os.path.realpath(sys.executable), *sys.version_info[:3], sys.base_prefix, sys.base_exec_prefix, sep='\\n')";

const pythons = new Map<string, Promise<Interpreter>>();

/**
 * Finds the real Python: the `python3` on PATH may be a shim that costs 50 ms per start.
 * `path` is asked instead of PATH where given; one that was found is not asked again.
 */
export async function probePython(path = "python3"): Promise<Interpreter> {
  const known = `${path}\0${process.env["PATH"]}`;
  const asked = pythons.get(known) ?? askPython(path);
  pythons.set(known, asked);
  const found = await asked;
  if ("missing" in found) pythons.delete(known);
  return found;
}

async function askPython(path: string): Promise<Interpreter> {
  try {
    const { stdout } = await run(path, ["-I", "-S", "-c", PYTHON_FACTS], {
      timeout: PROBE_TIMEOUT_MS,
    });
    const [executable = "", major, minor, micro, prefix = "", execPrefix = ""] = stdout
      .trim()
      .split("\n");
    const version = `${major}.${minor}.${micro}`;
    if (Number(major) !== 3 || Number(minor) < PYTHON_MINOR_MIN) {
      return {
        missing: `Python ${version} is too old; install Python 3.${PYTHON_MINOR_MIN} or later`,
      };
    }
    return { path: executable, version, prefixes: [...new Set([prefix, execPrefix])] };
  } catch (error) {
    return { missing: `no Python 3 (${reasonOf(error)}); install python3` };
  }
}

/** The Node that runs functions: this one unless `path` says another. */
export async function probeNode(path = process.execPath): Promise<Interpreter> {
  if (path === process.execPath) return { path, version: process.versions.node, prefixes: [] };
  try {
    const { stdout } = await run(path, ["--version"], { timeout: PROBE_TIMEOUT_MS });
    return { path, version: stdout.trim().replace(/^v/, ""), prefixes: [] };
  } catch (error) {
    return { missing: `no Node (${reasonOf(error)})` };
  }
}

/** Full path of a program on PATH. */
export function findProgram(name: string, path = process.env["PATH"] ?? ""): string | undefined {
  for (const dir of path.split(delimiter)) {
    if (dir === "") continue;
    const candidate = join(dir, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** The first line that says what went wrong. */
export function reasonOf(error: unknown): string {
  const { stderr, message, code } = error as {
    stderr?: string;
    message?: string;
    code?: string | number;
  };
  if (code === "ENOENT") return "not found";
  const lines = `${stderr ?? ""}\n${message ?? ""}`.split("\n").map((line) => line.trim());
  return lines.find((line) => line !== "") ?? "unknown";
}
