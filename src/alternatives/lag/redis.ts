import type { Server } from "../../bench/resources.js";
import type { Surroundings } from "../contender.js";
import { freePort, startDaemon, whenConnectable } from "../daemon.js";
import { startClient, type Pair } from "./pair.js";

/** A primary, and a replica that tells of changes of its keys. Neither persists anything. */
export async function startRedisPair(surroundings: Surroundings): Promise<Pair> {
  const [primaryPort, replicaPort] = [await freePort(), await freePort()];
  const primary = await startRedis(surroundings, primaryPort, [
    "--repl-diskless-sync",
    "yes",
    "--repl-diskless-sync-delay",
    "0",
  ]);
  const replica = await startRedis(surroundings, replicaPort, [
    "--replicaof",
    `127.0.0.1 ${primaryPort}`,
    "--notify-keyspace-events",
    "K$",
  ]);
  return await startClient(
    surroundings,
    "redis",
    [`redis://127.0.0.1:${primaryPort}`, `redis://127.0.0.1:${replicaPort}`],
    async () => {
      await replica.stop();
      await primary.stop();
    },
  );
}

async function startRedis(
  { resources }: Surroundings,
  port: number,
  settings: readonly string[],
): Promise<Server> {
  const folder = await resources.makeFolder();
  const own = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", ""];
  const args = [...own, "--appendonly", "no", ...settings];
  const server = await startDaemon(resources, { command: "redis-server", args });
  await whenConnectable({ port });
  return server;
}
