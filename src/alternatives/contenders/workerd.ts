import { join } from "node:path";

import { TMPFS, type Contender } from "../contender.js";
import { startDaemon } from "../daemon.js";
import { VALUE_BYTES, WORKS, type Work } from "../work.js";

const ARCHITECTURE = process.arch === "x64" ? "64" : process.arch;
const BINARY = `node_modules/@cloudflare/workerd-linux-${ARCHITECTURE}/bin/workerd`;

/**
 * `workerd serve` with a configuration of its own: a Worker, and one Durable Object that it calls. Its
 * output gate holds answers back until what was written is synced.
 */
export const WORKERDS: readonly Contender[] = [
  workerd("workerd + Durable Object", "strict", WORKS),
  workerd("workerd + Durable Object, data on tmpfs", "relaxed", ["average"]),
];

function workerd(
  title: string,
  durability: "relaxed" | "strict",
  works: readonly Work[],
): Contender {
  return {
    system: "workerd",
    title,
    durability,
    isolation: "an isolate of V8 in the server's process",
    works,
    async start({ resources, programs }, work) {
      const data = await resources.makeFolder(durability === "relaxed" ? TMPFS : undefined);
      const isStateless = work === "no-op";
      const config = join(programs, `workerd/${isStateless ? "no-op" : "state"}.capnp`);
      const server = await startDaemon(resources, {
        command: join(programs, BINARY),
        args: [
          "serve",
          config,
          "--socket-addr=http=127.0.0.1:0",
          "--control-fd=1",
          ...(isStateless ? [] : [`--directory-path=data=${data}`]),
        ],
        saysReady: true,
      });
      const { port } = JSON.parse(server.readyLine) as { port: number };
      const url = `http://127.0.0.1:${port}/`;
      if (!isStateless) await prepare(url, VALUE_BYTES[work]);
      return { url };
    },
  };
}

async function prepare(url: string, valueBytes: number): Promise<void> {
  const response = await fetch(url, { method: "PUT", body: String(valueBytes) });
  if (!response.ok)
    throw new Error(`workerd answered ${response.status}: ${await response.text()}`);
}
