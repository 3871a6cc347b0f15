import { setTimeout as delay } from "node:timers/promises";

import { functionFolder } from "../../../bench/servers.js";
import type { Client } from "../../../client/index.js";
import type { Experiment, Measure } from "../../experiment.js";
import { poissonArrivals } from "../../load/arrivals.js";
import { HttpCaller } from "../../load/http-caller.js";
import { runOpen } from "../../load/open-loop.js";
import type { Point } from "../../results/point.js";
import type { Deployment } from "../../../bench/deployment.js";
import { edgeName } from "../../testbed/places.js";
import { Testbed } from "../../testbed/testbed.js";
import { repeated, type AtScale, type Extent, type Setting } from "../repeated.js";
import { DEPLOYED_S, warmUp } from "../warm-up.js";

const EXTENT: AtScale<Extent> = {
  tiny: { repeats: 1, loadS: 1, cutS: 0 },
  short: { repeats: 3, loadS: 3, cutS: 0 },
  // why no longer: each call answers with all that was added so far, over the client's 10 Mb/s.
  full: { repeats: 3, loadS: 10, cutS: 0 },
};

/** How often it is called, on all nodes together. */
const RATE_PER_S = 120;
const NODES = [1, 2, 3].map(edgeName);
const INSTANCES = 4;
/** A line of Listing 1. */
const LINE = "Hello World!\n";
/** Data of all nodes are the same after so long, or there is something wrong. */
const AGREED_WITHIN_MS = 30_000;
const POLL_MS = 100;
/** Until that is seen, before and after the load. */
const AGREED_S = 2.5;

const WAYS = [
  { way: "get-set", nodes: 1 },
  { way: "get-set", nodes: 3 },
  { way: "update", nodes: 1 },
  { way: "update", nodes: 3 },
  { way: "counter", nodes: 3 },
] as const;

const FOLDERS = {
  "get-set": "listing-1-python",
  update: "update-python",
  counter: "counter-python",
} as const;

/**
 * How many of the calls of Listing 1 leave nothing behind, by how it writes and on how many nodes.
 * Totals: `calls` that were answered with success, what of them is `kept`, and what is `lost`.
 */
export const LOST_UPDATES: Experiment = {
  figure: "lost-updates",
  title: "Updates that Listing 1 loses, and what does not lose them",
  aroundS: () => DEPLOYED_S + AGREED_S,
  points: (scale) =>
    repeated("lost-updates", EXTENT[scale], settings().slice(scale === "tiny" ? -1 : 0)),
  open: async ({ resources }) => {
    const testbed = await Testbed.open({ resources, edges: NODES.length });
    return (point, random) => measure(testbed, point, random);
  },
};

function settings(): readonly Setting[] {
  return WAYS.map(({ way, nodes }) => ({
    name: `${way}-${nodes}`,
    parameters: { way, nodes, policy: "lww", ratePerS: RATE_PER_S, connections: "kept" },
  }));
}

async function measure(testbed: Testbed, point: Point, random: () => number): ReturnType<Measure> {
  const way = point.parameters["way"] as keyof typeof FOLDERS;
  const nodes = NODES.slice(0, Number(point.parameters["nodes"])) as [string, ...string[]];
  const deployment: Deployment = {
    name: `lost-${point.name}`,
    folder: functionFolder(`experiments/functions/${FOLDERS[way]}`),
    nodes,
    data: "replicate",
    config: { maxInstances: INSTANCES },
    keygroup: { policy: "lww" },
  };
  await testbed.deploy(deployment);
  const clients = nodes.map((name) => testbed.node(name).newClient());
  const path = `/${deployment.name}`;
  const loads = [];
  const callers: HttpCaller[] = [];
  for (const name of nodes) {
    const { clientPort } = await testbed.functionPorts(name);
    const caller = new HttpCaller({ port: clientPort, connections: "kept" });
    callers.push(caller);
    const call = () => caller.call({ method: "POST", path });
    await warmUp({ workers: INSTANCES, calls: INSTANCES, call });
    const arrivalsMs = poissonArrivals(RATE_PER_S / nodes.length, point.loadS, random);
    loads.push({ series: "call", arrivalsMs, send: async () => (await call()).status });
  }
  const before = await agreed(clients, deployment.name, way);
  const samples = await runOpen(loads);
  const kept = (await agreed(clients, deployment.name, way)) - before;
  for (const caller of callers) caller.close();
  const calls = samples.filter(({ status }) => status === 200).length;
  await testbed.remove(deployment);
  return { samples, totals: { calls, kept, lost: calls - kept } };
}

/** How many updates the data show, once all nodes show the same. */
async function agreed(
  clients: readonly Client[],
  keygroup: string,
  way: keyof typeof FOLDERS,
): Promise<number> {
  const endMs = performance.now() + AGREED_WITHIN_MS;
  const look = async (client: Client): Promise<number> =>
    way === "counter"
      ? await client.kv(keygroup).get<number>("count", 0)
      : (await client.kv(keygroup).get<string>("current", "")).length / LINE.length;
  let before: readonly number[] = [];
  for (;;) {
    const counts = await Promise.all(clients.map(look));
    // Twice the same: then nothing is on its way any more.
    if (new Set([...before, ...counts]).size === 1 && before.length > 0) return counts[0] ?? 0;
    if (performance.now() > endMs) throw new Error(`the nodes do not agree: ${counts.join(", ")}`);
    before = counts;
    await delay(POLL_MS);
  }
}
