import { functionFolder } from "../../bench/servers.js";
import type { Client } from "../../client/index.js";
import type { Experiment, Measure } from "../experiment.js";
import { runClosed } from "../load/closed-loop.js";
import { HttpCaller } from "../load/http-caller.js";
import type { Point } from "../results/point.js";
import { CLOUD, edgeName } from "../testbed/places.js";
import { Testbed, type Reached } from "../testbed/testbed.js";
import { repeated, type AtScale, type Extent, type Setting } from "./repeated.js";
import { DEPLOYED_S, warmUp } from "./warm-up.js";

const SIZES_BYTES = [1, 100, 1000, 10_000, 100_000, 250_000, 500_000, 750_000, 1_000_000];

const EXTENT: AtScale<Extent & { readonly sizesBytes: readonly number[] }> = {
  tiny: { repeats: 1, loadS: 0.3, cutS: 0, sizesBytes: [1000] },
  short: { repeats: 3, loadS: 1.2, cutS: 0.2, sizesBytes: SIZES_BYTES },
  full: { repeats: 3, loadS: 150, cutS: 10, sizesBytes: SIZES_BYTES },
};

const EDGE = edgeName(1);
/** Clients that each send their next request once they have the answer to the last. */
const WORKERS = 100;
/** As the paper has it. */
const INSTANCES = 4;
/**
 * Calls at once in an instance of an `async` function. why so few: all share the link to the cloud, and a
 * megabyte of each of a hundred would take longer than a node waits for another one.
 */
const CONCURRENCY = 16;
/** The share of the load that the floor is asked for. */
const FLOOR_SHARE = 0.2;
/** To warm up function and floor. */
const WARM_S = 0.1;
const ANSWER_BYTES = 2;
const TEXT = { "content-type": "text/plain" };
/** Values that are stored at once before the load. */
const STORED_AT_ONCE = 8;

/** Reading and writing as much as possible, by the size of the values. */
export const FIGURE_4: Experiment = {
  figure: "4",
  title: "Throughput of reads and writes by size, with the data at the edge and in the cloud",
  samplesPerS: 1500,
  storedBytesPerS: 150_000_000,
  aroundS: ({ loadS, parameters }) => DEPLOYED_S + WARM_S + loadS * FLOOR_SHARE + lateS(parameters),
  points: (scale) => repeated("4", EXTENT[scale], settings(EXTENT[scale].sizesBytes)),
  open: async ({ resources }) => {
    const testbed = await Testbed.open({ resources, edges: 1 });
    return (point) => measure(testbed, point);
  },
};

/** Until the last answers are there, with what is stored before, in seconds: by the size of the values. */
function lateS({ operation, data, sizeBytes }: Point["parameters"]): number {
  const megabytes = Number(sizeBytes) / 1e6;
  if (data === "edge") return 2.2 * megabytes;
  // A megabyte for each client takes 8 s on the link, and is stored before, or is on its way for as long.
  return 0.4 + (operation === "read" ? 9.8 * megabytes : Math.min(5, 10 * megabytes));
}

function settings(sizesBytes: readonly number[]): readonly Setting[] {
  const settings: Setting[] = [];
  for (const operation of ["read", "write"]) {
    for (const data of ["edge", "cloud"]) {
      for (const clientLink of ["10mbit", "unlimited"]) {
        for (const sizeBytes of sizesBytes) {
          const code = codeOf(operation, data);
          const how = { code, workers: WORKERS, instances: INSTANCES, connections: "kept" };
          const parameters = { operation, data, clientLink, sizeBytes, ...how };
          settings.push({ name: `${operation}-${data}-${clientLink}-${sizeBytes}`, parameters });
        }
      }
    }
  }
  return settings;
}

/**
 * why another function where the data are far: the prototype's server had a thread for each call, so
 * that four processes could wait for a hundred answers. Here a function does that by `async def`.
 */
function codeOf(operation: string, data: string): string {
  return `${operation}-python${data === "cloud" ? "-async" : ""}`;
}

async function measure(testbed: Testbed, point: Point): ReturnType<Measure> {
  const { operation, data, clientLink, code } = point.parameters;
  const sizeBytes = Number(point.parameters["sizeBytes"]);
  const dataNode = data === "cloud" ? CLOUD : EDGE;
  const deployment = {
    name: `figure-4-${point.name}`,
    folder: functionFolder(`experiments/functions/${String(code)}`),
    nodes: [EDGE],
    data: `at:${dataNode}`,
    // The other setting is one of functions that are `async`.
    config: { maxInstances: INSTANCES, ...(data === "cloud" && { concurrency: CONCURRENCY }) },
  } as const;
  const isFarRead = operation === "read" && data === "cloud";
  const { client } = testbed.node(dataNode);
  await testbed.deploy(deployment, async () => {
    if (isFarRead) await storeValues(client, deployment.name, sizeBytes);
  });
  const floor = await testbed.floor({ at: EDGE, answerBytes: ANSWER_BYTES });
  const portOf = ({ directPort, clientPort }: Reached): number =>
    clientLink === "unlimited" ? directPort : clientPort;
  const isLocalRead = operation === "read" && data === "edge";
  const loadOf = async (series: string, loadS: number, port: number, path: string) => {
    const caller = new HttpCaller({ port, connections: "kept" });
    const call = (body: string) => caller.call({ method: "POST", path, body, headers: TEXT });
    const callOf = (worker: number) => call(`${worker}-${sizeBytes}`);
    // What is read at the edge is stored by this. Otherwise small values of other clients: with large ones
    // it would take longer than the load.
    const warm = isLocalRead ? callOf : (n: number) => call(`warm${n}-1`);
    await warmUp({ workers: WORKERS, calls: WORKERS, call: warm });
    const send = async (worker: number) => (await callOf(worker)).status;
    const clocked = testbed.clockProcessors();
    const samples = await runClosed({ series, workers: WORKERS, loadS, send });
    const totals = clocked();
    caller.close();
    return { samples, totals };
  };
  const functions = portOf(await testbed.functionPorts(EDGE));
  const calls = await loadOf("call", point.loadS, functions, `/${deployment.name}`);
  const bare = await loadOf("floor", point.loadS * FLOOR_SHARE, portOf(floor), floor.path);
  await testbed.remove(deployment);
  return { samples: [...calls.samples, ...bare.samples], totals: calls.totals };
}

/** Stores what each client reads, where the data lie: the function would need longer than the load. */
async function storeValues(client: Client, keygroup: string, sizeBytes: number): Promise<void> {
  const kv = client.kv(keygroup);
  const value = "a".repeat(sizeBytes);
  let next = 0;
  const store = async (): Promise<void> => {
    for (let n = next++; n < WORKERS; n = next++) await kv.set(`data/${n}`, value);
  };
  await Promise.all(Array.from({ length: STORED_AT_ONCE }, store));
}
