import { readFile } from "node:fs/promises";
import { basename, dirname, extname, relative } from "node:path";
import { transform, type Loader, type Plugin } from "esbuild";

import { LOCATE } from "./enoki-module.js";

/** Signs that code looks for files next to itself, where a bundle need not be. */
export const SELF_REFERENCE =
  /\b__dirname\b|\b__filename\b|import\.meta\.(?:url|dirname|filename)|require\.resolve\s*\(/;

const LOADERS: Readonly<Record<string, Loader>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
  ".jsx": "jsx",
};

const HERE = "__enokiHere";

/** Only names that the file does not declare itself are replaced. */
const REPLACED: Readonly<Record<string, string>> = {
  __dirname: `${HERE}.dirname`,
  __filename: `${HERE}.filename`,
  "import.meta.dirname": `${HERE}.dirname`,
  "import.meta.filename": `${HERE}.filename`,
  "import.meta.url": `${HERE}.url`,
};

/**
 * Keeps `__dirname`, `import.meta.url` and their like true in files below the top folder: the
 * bundle lies at the top, the file's neighbours in a copy of its own folder.
 */
export function ownLocation(root: string, tsconfigRaw: string): Plugin {
  return {
    name: "location",
    setup(build) {
      build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: "file" }, async ({ path }) => {
        if (dirname(path) === root || path.includes("/node_modules/")) return undefined;
        const text = await readFile(path, "utf8");
        if (!SELF_REFERENCE.test(text)) return undefined;
        try {
          const { code } = await transform(text, {
            loader: LOADERS[extname(path)] ?? "js",
            define: { ...REPLACED },
            sourcemap: "inline",
            sourcesContent: false,
            sourcefile: basename(path),
            target: "node20",
            charset: "utf8",
            logLevel: "silent",
            tsconfigRaw,
          });
          // On the first line, so that no line of the file moves.
          const where = JSON.stringify(relative(root, path));
          return { contents: `var ${HERE} = ${LOCATE}(${where}); ${code}`, loader: "js" };
        } catch {
          // The bundler meets the same error and reports it with its place.
          return undefined;
        }
      });
    },
  };
}
