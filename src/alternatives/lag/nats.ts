import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Surroundings } from "../contender.js";
import { freePort, startDaemon, whenConnectable } from "../daemon.js";
import { startClient, type Pair } from "./pair.js";

/** A hub and a leaf node, each with JetStream in a domain of its own; the client makes bucket and mirror. */
export async function startNatsPair(surroundings: Surroundings): Promise<Pair> {
  const [hubPort, leafPort, linkPort] = [await freePort(), await freePort(), await freePort()];
  await startNats(surroundings, "hub", hubPort, [`leafnodes { listen: "127.0.0.1:${linkPort}" }`]);
  await whenConnectable({ port: linkPort });
  await startNats(surroundings, "leaf", leafPort, [
    `leafnodes { remotes: [{ url: "nats://127.0.0.1:${linkPort}" }] }`,
  ]);
  return await startClient(surroundings, "nats", [`127.0.0.1:${hubPort}`, `127.0.0.1:${leafPort}`]);
}

async function startNats(
  { resources }: Surroundings,
  name: string,
  port: number,
  settings: readonly string[],
): Promise<void> {
  const folder = await resources.makeFolder();
  const config = join(folder, "nats.conf");
  const lines = [
    `server_name: ${name}`,
    `listen: "127.0.0.1:${port}"`,
    `jetstream { domain: ${name}, store_dir: "${folder}" }`,
    ...settings,
  ];
  await writeFile(config, `${lines.join("\n")}\n`);
  const daemon = { command: "nats-server", args: ["--config", config] };
  await startDaemon(resources, daemon);
  await whenConnectable({ port });
}
