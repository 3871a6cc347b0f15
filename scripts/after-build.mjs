// What tsc does not do: make the command executable (npm only does that for packages it installs
// itself), and bundle the guest into one file, so that an instance starts without resolving modules.
import { chmodSync, existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const command = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(command)) chmodSync(command, 0o755);

// CommonJS, because only there a `require` inside of a function stays lazy: HTTP and child processes
// are loaded by binaries alone.
await build({
  entryPoints: [fileURLToPath(new URL("../src/guest/main.ts", import.meta.url))],
  outfile: fileURLToPath(new URL("../dist/guest/main.cjs", import.meta.url)),
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  minifyWhitespace: true,
});
