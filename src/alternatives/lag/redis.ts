import type { Surroundings } from "../contender.js";
import { freePort, startDaemon, whenConnectable } from "../daemon.js";
import { startClient, type Pair } from "./pair.js";

/** A primary, and a replica that tells of changes of its keys. Neither persists anything. */
export async function startRedisPair(surroundings: Surroundings): Promise<Pair> {
  const [primaryPort, replicaPort] = [await freePort(), await freePort()];
  await startRedis(surroundings, primaryPort, [
    "--repl-diskless-sync",
    "yes",
    "--repl-diskless-sync-delay",
    "0",
  ]);
  await startRedis(surroundings, replicaPort, [
    "--replicaof",
    `127.0.0.1 ${primaryPort}`,
    "--notify-keyspace-events",
    "K$",
  ]);
  return await startClient(surroundings, "redis", [
    `redis://127.0.0.1:${primaryPort}`,
    `redis://127.0.0.1:${replicaPort}`,
  ]);
}

async function startRedis(
  { resources }: Surroundings,
  port: number,
  settings: readonly string[],
): Promise<void> {
  const folder = await resources.makeFolder();
  const own = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", ""];
  const args = [...own, "--appendonly", "no", ...settings];
  await startDaemon(resources, { command: "redis-server", args });
  await whenConnectable({ port });
}
