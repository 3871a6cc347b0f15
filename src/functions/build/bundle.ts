import { readFile, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import {
  build,
  formatMessages,
  stop,
  type BuildOptions,
  type Metafile,
  type Plugin,
} from "esbuild";

import { EnokiError } from "../../core/errors.js";
import { enokiModules, LOCATION_MODULE } from "./enoki-module.js";
import { ownLocation, SELF_REFERENCE } from "./own-location.js";

/** Name of the bundle in `code/`; no user would call a file that. */
export const BUNDLE_NAME = "index.enoki.mjs";

/** One file of a bundle. */
interface BundleFile {
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

const TSCONFIG_NAME = "tsconfig.json";

/** CommonJS code may call `require` with a computed name; a global collides with no declaration. */
const BANNER = `import { createRequire as __enokiRequire } from "node:module"; globalThis.require = __enokiRequire(import.meta.url);`;

/**
 * Bundles the function in `dir` into one ES module; with `keepPackages` its npm packages stay
 * outside. Paths in the result are relative, so equal sources give equal bytes.
 * @throws EnokiError `ENOKI_BUILD_FAILED` with file, line and column
 */
export async function bundle(dir: string, entry: string, keepPackages: boolean): Promise<Bundle> {
  const root = await realpath(dir);
  const tsconfig = await readTsconfig(root);
  const result = await runEsbuild({
    // Only the function's own settings count, never those of a folder above it.
    ...(tsconfig === undefined ? { tsconfigRaw: {} } : { tsconfig: join(root, TSCONFIG_NAME) }),
    absWorkingDir: root,
    entryPoints: [{ in: `./${entry}`, out: BUNDLE_NAME.replace(/\.mjs$/, "") }],
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
    inject: [LOCATION_MODULE],
    banner: { js: BANNER },
    plugins: [enokiModules, onlyWithin(root), ownLocation(root, tsconfig ?? "{}")],
    ...(keepPackages ? { packages: "external" } : {}),
  });
  const inputs = Object.keys(result.metafile.inputs);
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

async function readTsconfig(root: string): Promise<string | undefined> {
  try {
    return await readFile(join(root, TSCONFIG_NAME), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Refuses what lies outside the function's folder before it is read: other machines would not
 * have it, and it may be none of the function's business.
 */
function onlyWithin(root: string): Plugin {
  return {
    name: "folder",
    setup(build) {
      build.onLoad({ filter: /.*/, namespace: "file" }, ({ path }) => {
        if (path.startsWith(root + sep)) return undefined;
        const hint = path.includes("/node_modules/") ? "; is it missing in package.json?" : "";
        return { errors: [{ text: `${path} is not in the function's folder${hint}` }] };
      });
    },
  };
}

async function referToThemselves(root: string, inputs: readonly string[]): Promise<boolean> {
  for (const input of inputs.filter((path) => /(?:^|\/)node_modules\//.test(path))) {
    if (input.endsWith(".node")) return true;
    if (!/\.[cm]?[jt]s$/.test(input)) continue;
    if (SELF_REFERENCE.test(await readFile(join(root, input), "utf8"))) return true;
  }
  return false;
}
