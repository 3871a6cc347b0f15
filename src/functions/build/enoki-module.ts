import type { Plugin } from "esbuild";

/** What `import { … } from "enoki"` offers inside a function; the guest provides each of them. */
export const GUEST_EXPORTS = ["kv", "EnokiError", "response", "call", "send"] as const;

/**
 * The source of the module that stands for `enoki` in a function. The guest puts its exports on
 * the global symbol before it loads the function, so no copy of the library is in the bundle.
 */
export function guestModuleSource(): string {
  const names = GUEST_EXPORTS.map((name) => `export const ${name} = guest.${name};`);
  return [`const guest = globalThis[Symbol.for("enoki.guest")];`, ...names, ""].join("\n");
}

/** Gives CommonJS code its `__dirname` and `__filename`: the folder and file of the bundle. */
const COMMONJS_SOURCE = `export const __dirname = import.meta.dirname;
export const __filename = import.meta.filename;
`;

/** The module to inject into a bundle so that {@link COMMONJS_SOURCE} is found. */
export const COMMONJS_MODULE = "enoki:commonjs";

/** Replaces the imports of `enoki` and {@link COMMONJS_MODULE} by the sources above. */
export const enokiModules: Plugin = {
  name: "enoki",
  setup(build) {
    const sources: Readonly<Record<string, string>> = {
      enoki: guestModuleSource(),
      [COMMONJS_MODULE]: COMMONJS_SOURCE,
    };
    build.onResolve({ filter: /^enoki(:commonjs)?$/ }, ({ path }) => ({
      path,
      namespace: "guest",
    }));
    build.onLoad({ filter: /.*/, namespace: "guest" }, ({ path }) => ({
      contents: sources[path] as string,
      loader: "js",
    }));
  },
};
