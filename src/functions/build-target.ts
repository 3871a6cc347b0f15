import { open, readdir } from "node:fs/promises";
import { join } from "node:path";

import type { RuntimeName } from "./types.js";

/** What a machine runs, as far as a build can depend on it. */
export interface BuildTarget {
  /** As `linux-x64-glibc`. */
  readonly platform: string;
  /** Version of Node's binary interface. */
  readonly nodeAbi: string;
  /** Major and minor version; `undefined` = there is no Python. */
  readonly python: string | undefined;
}

/** What an artefact was built for; what is absent does not matter to it. */
export interface BuiltFor {
  readonly platform?: string | undefined;
  readonly nodeAbi?: string | undefined;
  readonly python?: string | undefined;
}

const NATIVE_NAME = /\.(?:node|so|dylib|pyd|dll)(?:\.[0-9.]+)?$/;
const ELF_MAGIC = Buffer.from("\x7fELF", "latin1");

/** What this machine runs. `pythonVersion` is the full version of the Python that runs functions. */
export function thisTarget(pythonVersion: string | undefined): BuildTarget {
  const libc = process.platform === "linux" ? `-${libcName()}` : "";
  return {
    platform: `${process.platform}-${process.arch}${libc}`,
    nodeAbi: process.versions.modules,
    python: pythonVersion?.split(".").slice(0, 2).join("."),
  };
}

/** What an artefact of that runtime can run on. `hasNative` = some file of it is machine code. */
export function builtFor(runtime: RuntimeName, hasNative: boolean, target: BuildTarget): BuiltFor {
  const platform = hasNative ? { platform: target.platform } : {};
  // why always: the compiled modules beside the code are those of one version of Python.
  if (runtime.startsWith("python")) return { ...platform, python: target.python };
  const isNode = runtime === "node" || runtime === "nodejs";
  return isNode && hasNative ? { ...platform, nodeAbi: target.nodeAbi } : platform;
}

/** True if an artefact that was built for `made` runs on `target`. */
export function fits(made: BuiltFor, target: BuildTarget): boolean {
  return (
    (made.platform === undefined || made.platform === target.platform) &&
    (made.nodeAbi === undefined || made.nodeAbi === target.nodeAbi) &&
    (made.python === undefined || made.python === target.python)
  );
}

/** In words: `linux-arm64-glibc, Python 3.12`. */
export function describeTarget(target: BuiltFor): string {
  const { platform, nodeAbi, python } = target;
  const words = [
    platform,
    nodeAbi === undefined ? undefined : `Node ABI ${nodeAbi}`,
    python === undefined ? undefined : `Python ${python}`,
  ];
  return words.filter((word) => word !== undefined).join(", ") || "any machine";
}

/** True if some file below `dir` is machine code. */
export async function hasNativeFiles(dir: string): Promise<boolean> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) {
      if (await hasNativeFiles(path)) return true;
    } else if (NATIVE_NAME.test(entry.name) || (await isMachineCode(path))) {
      return true;
    }
  }
  return false;
}

async function isMachineCode(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return bytesRead === 4 && buffer.equals(ELF_MAGIC);
  } finally {
    await file.close();
  }
}

function libcName(): "glibc" | "musl" {
  const report = process.report as typeof process.report & { excludeNetwork?: boolean };
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return header?.glibcVersionRuntime === undefined ? "musl" : "glibc";
}
