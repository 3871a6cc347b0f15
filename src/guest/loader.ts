import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { nodejsRuntime } from "./nodejs-runtime.js";
import { NoEntryError, nodeRuntime, type LoadRequest, type Runtime } from "./runtime.js";

/** What the loader needs of the instance. */
export interface LoadHost {
  /** Path of the socket through which a binary reaches its state. */
  openKvSocket(): Promise<string>;
}

/** Loads the author's code and returns how to call it. */
export async function loadRuntime(load: LoadRequest, host: LoadHost): Promise<Runtime> {
  Object.assign(process.env, load.env);
  process.chdir(load.codeDir);
  switch (load.runtime) {
    case "node":
      return nodeRuntime(await importCode(load));
    case "nodejs":
      return nodejsRuntime(await importCode(load));
    case "binary":
    case "tinyfaas-binary": {
      const { binaryRuntime } = await import("./binary-runtime.js");
      return binaryRuntime(load, await host.openKvSocket());
    }
    default:
      throw new NoEntryError(`this guest does not run ${load.runtime}`);
  }
}

/**
 * Starts the engine's module loader, while the guest waits, by importing a tiny file that lies
 * beside it: the first import takes several milliseconds longer than any other. If it fails, LOAD
 * is slower and nothing else.
 */
export function warmLoader(): void {
  const beside = pathToFileURL(process.argv[1] ?? "/");
  import(new URL("global.js", beside).href).catch(() => {});
}

async function importCode(load: LoadRequest): Promise<Readonly<Record<string, unknown>>> {
  const file = join(load.codeDir, load.entry);
  if (isCommonJs(file)) {
    const code = createRequire(file)(file) as Readonly<Record<string, unknown>>;
    return { ...code, default: code["__esModule"] ? code["default"] : code };
  }
  return (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
}

/** CommonJS loads faster by `require`, which needs no second module system. */
function isCommonJs(file: string): boolean {
  const extension = extname(file);
  if (extension === ".cjs") return true;
  if (extension !== ".js") return false;
  return packageType(file) !== "module";
}

function packageType(file: string): string {
  try {
    const text = readFileSync(join(file, "..", "package.json"), "utf8");
    return (JSON.parse(text) as { type?: string }).type ?? "commonjs";
  } catch {
    return "commonjs";
  }
}
