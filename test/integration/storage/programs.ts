import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/** A temporary folder with the programs of this directory, ready to run with plain `node`. */
export interface Programs {
  readonly dir: string;
  /** Path of one program. */
  path(name: string): string;
  remove(): Promise<void>;
}

/** Bundles the named programs, so that hundreds of them start quickly. */
export async function bundlePrograms(names: readonly string[]): Promise<Programs> {
  const dir = await mkdtemp(join(tmpdir(), "enoki-storage-"));
  await build({
    entryPoints: names.map((name) => join(import.meta.dirname, `${name}.ts`)),
    outdir: dir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "error",
  });
  await symlink(resolve("node_modules"), join(dir, "node_modules"));
  return {
    dir,
    path: (name) => join(dir, `${name}.mjs`),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Runs a command to its end and returns what it printed; throws if it fails. */
export async function run(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    // Otherwise libuv may write and sync by io_uring, which no trace of system calls shows.
    env: { ...process.env, UV_USE_IO_URING: "0" },
  });
  const output = collect(child, "stdout");
  const errors = collect(child, "stderr");
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (code !== 0) throw new Error(`${command} ended with ${code ?? signal}: ${errors()}`);
  return output();
}

function collect(child: ChildProcess, name: "stdout" | "stderr"): () => string {
  let text = "";
  child[name]?.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  return () => text;
}
