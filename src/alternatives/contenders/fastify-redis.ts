import { join } from "node:path";

import type { Resources } from "../../bench/resources.js";
import type { Contender, Durability } from "../contender.js";
import { startDaemon, whenConnectable } from "../daemon.js";
import { VALUE_BYTES, WORKS, type Work } from "../work.js";

/** How Redis is told what an answered write is to survive. */
const PERSISTENCE: Readonly<Record<"memory" | "strict", readonly string[]>> = {
  memory: ["--save", "", "--appendonly", "no"],
  strict: ["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
};

/** What people build by hand. */
export const FASTIFY_REDIS: readonly Contender[] = [
  fastifyRedis("Fastify + Redis, no persistence", "memory", WORKS),
  fastifyRedis("Fastify + Redis, appendfsync always", "strict", ["average"]),
];

function fastifyRedis(
  title: string,
  durability: "memory" | "strict",
  works: readonly Work[],
): Contender {
  return {
    system: "fastify-redis",
    title,
    durability: durability satisfies Durability,
    isolation: "none: the function is the server's own code; Redis is another process",
    works,
    async start({ resources, programs }, work) {
      const socket = await startRedis(resources, PERSISTENCE[durability]);
      const server = await resources.startServer(process.execPath, [
        join(programs, "fastify-redis/server.mjs"),
        work.startsWith("read") ? "read" : work,
        socket,
        String(VALUE_BYTES[work]),
      ]);
      return { url: server.readyLine };
    },
  };
}

/** Resolves with its socket. */
async function startRedis(resources: Resources, persistence: readonly string[]): Promise<string> {
  const folder = await resources.makeFolder();
  const socket = `${folder}/redis.sock`;
  const args = ["--port", "0", "--unixsocket", socket, "--dir", folder, ...persistence];
  await startDaemon(resources, { command: "redis-server", args });
  await whenConnectable({ path: socket });
  return socket;
}
