import { join } from "node:path";

import { TMPFS, type Contender } from "../contender.js";
import { startDaemon } from "../daemon.js";
import { VALUE_BYTES, WORKS, type Work } from "../work.js";

const BINARY = `node_modules/@deno/linux-${process.arch}-glibc/deno`;

/** Deno's own server and key-value store, in one process, which syncs each commit. */
export const DENOS: readonly Contender[] = [
  deno("Deno + Deno KV", "strict", WORKS),
  deno("Deno + Deno KV, data on tmpfs", "relaxed", ["average"]),
];

function deno(title: string, durability: "relaxed" | "strict", works: readonly Work[]): Contender {
  const isOnTmpfs = durability === "relaxed";
  return {
    system: "deno",
    title,
    durability,
    // Below /dev Deno asks for all of its permissions.
    isolation: `a process of its own, with ${isOnTmpfs ? "all" : "three"} of Deno's permissions`,
    works,
    async start({ resources, programs }, work) {
      const folder = await resources.makeFolder(isOnTmpfs ? TMPFS : undefined);
      const flags = ["--no-config", "--no-lock", "--no-prompt", "--unstable-kv"];
      const rights = isOnTmpfs
        ? ["--allow-all"]
        : ["--allow-net=127.0.0.1", `--allow-read=${folder}`, `--allow-write=${folder}`];
      const server = await startDaemon(resources, {
        command: join(programs, BINARY),
        args: [
          "run",
          ...flags,
          ...rights,
          join(programs, "deno/server.mjs"),
          work.startsWith("read") ? "read" : work,
          `${folder}/data`,
          String(VALUE_BYTES[work]),
        ],
        env: { DENO_DIR: `${folder}/cache`, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
        saysReady: true,
      });
      return { url: server.readyLine };
    },
  };
}
