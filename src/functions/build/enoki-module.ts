import type { Plugin } from "esbuild";

/**
 * What `import { … } from "enoki"` offers inside a function, types apart: what the package itself
 * exports. The guest provides each of them.
 */
export const GUEST_EXPORTS = ["kv", "EnokiError", "response", "call", "send"] as const;

/**
 * The source of the module that stands for `enoki` in a function. The guest puts its exports on
 * the global symbol before it loads the function, so no copy of the library is in the bundle.
 */
export function guestModuleSource(): string {
  const names = GUEST_EXPORTS.map((name) => `export const ${name} = guest.${name};`);
  return [`const guest = globalThis[Symbol.for("enoki.guest")];`, ...names, ""].join("\n");
}

/** Name of the function that tells a file of the bundle where its original lies. */
export const LOCATE = "__enokiLocate";

/** Gives code what a bundle takes from it: where it is. */
const LOCATION_SOURCE = `import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
export const __dirname = import.meta.dirname;
export const __filename = import.meta.filename;
export function ${LOCATE}(path) {
  const filename = join(__dirname, path);
  return { filename, dirname: dirname(filename), url: pathToFileURL(filename).href };
}
`;

/** The module to inject into a bundle so that {@link LOCATION_SOURCE} is found. */
export const LOCATION_MODULE = "enoki:location";

/** Replaces the imports of `enoki` and {@link LOCATION_MODULE} by the sources above. */
export const enokiModules: Plugin = {
  name: "enoki",
  setup(build) {
    const sources: Readonly<Record<string, string>> = {
      enoki: guestModuleSource(),
      [LOCATION_MODULE]: LOCATION_SOURCE,
    };
    build.onResolve({ filter: /^enoki(:location)?$/ }, ({ path }) => ({
      path,
      namespace: "guest",
      // Nothing of it is in a bundle that does not use it.
      sideEffects: false,
    }));
    build.onLoad({ filter: /.*/, namespace: "guest" }, ({ path }) => ({
      contents: sources[path] as string,
      loader: "js",
    }));
  },
};
