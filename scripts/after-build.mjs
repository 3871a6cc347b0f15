// What tsc does not do: bundle what is started often, so that a start does not resolve hundreds of
// modules, and make the command executable (npm only does that for packages it installs itself).
import { chmodSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const COMMAND = join(ROOT, "dist/cli/main.js");
/** Parts that are loaded when they are needed; their names change with what is in them. */
const PARTS = "parts";
/** Packages of many small modules; others stay outside, some of them look for files of their own. */
const BUNDLED = new Set(["@hono/node-server", "commander", "hono", "zod"]);

const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

const shared = { absWorkingDir: ROOT, bundle: true, platform: "node", target: "node20.19" };
const [program] = await Promise.all([
  // The command, the node and its builds.
  build({
    ...shared,
    entryPoints: ["src/cli/main.ts", "src/functions/build/build-worker.ts"],
    outbase: "src",
    outdir: "dist",
    chunkNames: `${PARTS}/[name]-[hash]`,
    external: Object.keys(dependencies).filter((name) => !BUNDLED.has(name)),
    format: "esm",
    splitting: true,
    // Packages in CommonJS ask for modules of Node this way.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    sourcemap: true,
    metafile: true,
  }),
  // The guest. CommonJS, because only there a `require` inside of a function stays lazy: HTTP and
  // child processes are loaded by binaries alone.
  build({
    ...shared,
    entryPoints: ["src/guest/main.ts"],
    outfile: "dist/guest/main.cjs",
    format: "cjs",
    minifyWhitespace: true,
  }),
]);
chmodSync(COMMAND, 0o755);
// Last, because a program that runs meanwhile may still load its parts.
for (const name of readdirSync(join(ROOT, "dist", PARTS))) {
  const path = `dist/${PARTS}/${name}`;
  if (!(path in program.metafile.outputs)) rmSync(join(ROOT, path));
}
