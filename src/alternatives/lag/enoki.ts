import { setTimeout as delay } from "node:timers/promises";

import { startEtcd } from "../../bench/etcd.js";
import { startNode, type BenchNode } from "../../bench/servers.js";
import type { Surroundings } from "../contender.js";
import { startClient, type Pair } from "./pair.js";

const KEYGROUP = "lag";
const POLL_MS = 20;
const SERVES_TIMEOUT_MS = 30_000;
/** The client's own library, as users import it. */
const LIBRARY = new URL("../../client/index.js", import.meta.url).href;

/** Two nodes as `enoki up` starts them, with replicas of one keygroup. */
export async function startEnokiPair(surroundings: Surroundings): Promise<Pair> {
  const { resources } = surroundings;
  const naming = await startEtcd(resources);
  const nodes: BenchNode[] = [];
  for (const name of ["a", "b"]) {
    const flags = ["--name", name, "--naming", naming, "--link-port", "0"];
    nodes.push(await startNode(resources, { flags }));
  }
  const [a, b] = nodes as [BenchNode, BenchNode];
  await a.client.keygroups.create(KEYGROUP);
  await a.client.keygroups.addReplica(KEYGROUP, "b");
  await whenBothServe(a);
  const addresses = [a.client.url, b.client.url, LIBRARY];
  return await startClient(surroundings, "enoki", addresses, async () => {
    await b.stop();
    await a.stop();
  });
}

async function whenBothServe({ client }: BenchNode): Promise<void> {
  const endMs = performance.now() + SERVES_TIMEOUT_MS;
  for (;;) {
    const { replicas } = await client.keygroups.replicas(KEYGROUP);
    if (replicas.length === 2 && replicas.every(({ state }) => state === "serving")) return;
    if (performance.now() > endMs) throw new Error("the second replica does not serve");
    await delay(POLL_MS);
  }
}
