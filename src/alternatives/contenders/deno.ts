import { join } from "node:path";

import type { Contender } from "../contender.js";
import { startDaemon } from "../daemon.js";
import { VALUE_BYTES, WORKS } from "../work.js";

const BINARY = `node_modules/@deno/linux-${process.arch}-glibc/deno`;

/** Deno's own server and key-value store, in one process. */
export const DENO: Contender = {
  system: "deno",
  title: "Deno + Deno KV",
  durability: "relaxed",
  isolation: "a process of its own, with Deno's permissions",
  works: WORKS,
  async start({ resources, programs }, work) {
    const folder = await resources.makeFolder();
    const flags = ["--no-config", "--no-lock", "--no-prompt", "--unstable-kv"];
    const rights = ["--allow-net=127.0.0.1", `--allow-read=${folder}`, `--allow-write=${folder}`];
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
    });
    return { url: server.readyLine };
  },
};
