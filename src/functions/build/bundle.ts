import { readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { build, formatMessages, stop, type BuildOptions, type Metafile } from "esbuild";

import { EnokiError } from "../../core/errors.js";
import { COMMONJS_MODULE, enokiModules } from "./enoki-module.js";

/** Name of the bundle in `code/`; no user would call a file that. */
export const BUNDLE_NAME = "index.enoki.mjs";

/** One file of a bundle. */
export interface BundleFile {
  readonly name: string;
  readonly contents: Uint8Array;
}

/** What esbuild made of a function. */
export interface Bundle {
  /** {@link BUNDLE_NAME}, its source map, and addons that it refers to. */
  readonly files: readonly BundleFile[];
  readonly warnings: string;
  /** A package reads files beside its own code, so it has to run from `node_modules`. */
  readonly needsPackages: boolean;
}

/** CommonJS code may call `require` with a computed name; a global collides with no declaration. */
const BANNER = `import { createRequire as __enokiRequire } from "node:module"; globalThis.require ??= __enokiRequire(import.meta.url);`;

/** Signs that code looks for files next to itself, where a bundle is not. */
const SELF_REFERENCE =
  /\b__dirname\b|\b__filename\b|import\.meta\.(?:url|dirname|filename)|require\.resolve\s*\(/;

/**
 * Bundles the function in `dir` into one ES module; with `keepPackages` its npm packages stay
 * outside. Paths in the result are relative, so equal sources give equal bytes.
 * @throws EnokiError `ENOKI_BUILD_FAILED` with file, line and column
 */
export async function bundle(dir: string, entry: string, keepPackages: boolean): Promise<Bundle> {
  const root = await realpath(dir);
  const result = await runEsbuild({
    ...(await tsconfigOptions(root)),
    absWorkingDir: root,
    entryPoints: [{ in: entry, out: BUNDLE_NAME.replace(/\.mjs$/, "") }],
    outdir: root,
    outExtension: { ".js": ".mjs" },
    allowOverwrite: true,
    write: false,
    metafile: true,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    charset: "utf8",
    keepNames: true,
    legalComments: "none",
    sourcemap: "linked",
    sourcesContent: false,
    loader: { ".node": "copy" },
    logLevel: "silent",
    inject: [COMMONJS_MODULE],
    banner: { js: BANNER },
    plugins: [enokiModules],
    ...(keepPackages ? { packages: "external" } : {}),
  });
  const inputs = Object.keys(result.metafile.inputs);
  refuseForeignFiles(result.metafile);
  return {
    files: result.files.map(({ path, contents }) => ({
      name: path.slice(root.length + 1),
      contents,
    })),
    warnings: result.warnings,
    needsPackages: !keepPackages && (await referToThemselves(root, inputs)),
  };
}

/**
 * esbuild keeps a helper process once it was used. It is ended when the last build is over: an
 * idle node should not carry it.
 */
let runningBuilds = 0;

interface EsbuildOutput {
  readonly metafile: Metafile;
  readonly files: readonly { readonly path: string; readonly contents: Uint8Array }[];
  readonly warnings: string;
}

async function runEsbuild(options: BuildOptions): Promise<EsbuildOutput> {
  runningBuilds++;
  try {
    const { metafile, outputFiles, warnings } = await build({
      ...options,
      metafile: true,
      write: false,
    });
    const shown = await formatMessages(warnings, { kind: "warning", color: false });
    return { metafile, files: outputFiles, warnings: shown.join("") };
  } catch (error) {
    if (!isBuildFailure(error)) throw error;
    const shown = await formatMessages(error.errors, { kind: "error", color: false });
    throw new EnokiError("ENOKI_BUILD_FAILED", shown.join("").trim());
  } finally {
    runningBuilds--;
    if (runningBuilds === 0) await stop();
  }
}

function isBuildFailure(error: unknown): error is { errors: Parameters<typeof formatMessages>[0] } {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors);
}

/** Only the function's own `tsconfig.json` counts, never one in a folder above it. */
async function tsconfigOptions(root: string): Promise<BuildOptions> {
  const path = join(root, "tsconfig.json");
  const info = await stat(path).catch(() => undefined);
  return info?.isFile() === true ? { tsconfig: path } : { tsconfigRaw: {} };
}

/** Refuses what was found outside the function's folder: other machines would not have it. */
function refuseForeignFiles(metafile: Metafile): void {
  for (const [importer, input] of Object.entries(metafile.inputs)) {
    for (const { path, original } of input.imports) {
      if (!path.startsWith("../")) continue;
      const name = original ?? path;
      const hint = name.startsWith(".") ? "" : "; is it missing in package.json?";
      throw new EnokiError(
        "ENOKI_BUILD_FAILED",
        `${importer}: ${JSON.stringify(name)} is not in the function's folder${hint}`,
      );
    }
  }
}

async function referToThemselves(root: string, inputs: readonly string[]): Promise<boolean> {
  for (const input of inputs.filter((path) => /(?:^|\/)node_modules\//.test(path))) {
    if (input.endsWith(".node")) return true;
    if (!/\.[cm]?[jt]s$/.test(input)) continue;
    if (SELF_REFERENCE.test(await readFile(join(root, input), "utf8"))) return true;
  }
  return false;
}
