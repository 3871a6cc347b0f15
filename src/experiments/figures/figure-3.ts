import { functionFolder } from "../../bench/servers.js";
import type { Experiment, Measure } from "../experiment.js";
import { constantArrivals } from "../load/arrivals.js";
import { HttpCaller } from "../load/http-caller.js";
import { runOpen } from "../load/open-loop.js";
import type { Point } from "../results/point.js";
import { CLOUD, edgeName } from "../testbed/places.js";
import { Testbed } from "../testbed/testbed.js";
import { repeated, type AtScale, type Extent, type Setting } from "./repeated.js";
import { CALL_MS, CLOUD_TRIP_MS, DEPLOYED_S, warmCallsOf, warmUp, warmUpS } from "./warm-up.js";

/** How the function uses its store, and how many trips to it follow one another. */
interface Variant {
  readonly name: string;
  readonly folder: string;
  readonly trips: number;
  readonly remoteWrites: "awaited" | "pipelined";
}

const VARIANTS: readonly Variant[] = [
  { name: "python-awaited", folder: "average-python", trips: 4, remoteWrites: "awaited" },
  { name: "python-sent", folder: "average-python", trips: 3, remoteWrites: "pipelined" },
  { name: "typescript-parallel", folder: "average-typescript", trips: 2, remoteWrites: "awaited" },
];

const EXTENT: AtScale<Extent> = {
  tiny: { repeats: 1, loadS: 0.5, cutS: 0 },
  short: { repeats: 3, loadS: 10, cutS: 1 },
  full: { repeats: 3, loadS: 300, cutS: 20 },
};

const RATE_PER_S = 10;
const EDGE = edgeName(1);
/** The clients of the prototype, each with readings of its own. */
const CLIENTS = 10;
/** As the function answers, and as it says to its store. */
const ANSWER_BYTES = 5;
const TRIP_BYTES = 100;
/** Calls at once before the load: more than there are during it. */
const WARM_WORKERS = 4;

/** The moving average: where its data lie, and how the function reaches them. */
export const FIGURE_3: Experiment = {
  figure: "3",
  title: "Moving average with its data at the edge and in the cloud",
  samplesPerS: 20,
  // Calls and floor are warmed up at once, and take the same trips.
  aroundS: (point) => {
    const { data, trips } = point.parameters;
    const callMs = CALL_MS + (data === "cloud" ? Number(trips) * CLOUD_TRIP_MS : 0);
    return DEPLOYED_S + warmUpS({ workers: WARM_WORKERS, calls: warmCallsOf(point) }, callMs);
  },
  points: (scale) => repeated("3", EXTENT[scale], settings()),
  open: async ({ resources }) => {
    const testbed = await Testbed.open({ resources, edges: 1 });
    return (point) => measure(testbed, point);
  },
};

function settings(): readonly Setting[] {
  return ["edge", "cloud"].flatMap((data) =>
    VARIANTS.map(({ name: variant, ...how }) => ({
      name: `${data}-${variant}`,
      parameters: { data, variant, ...how, ratePerS: RATE_PER_S, connections: "fresh" },
    })),
  );
}

async function measure(testbed: Testbed, point: Point): ReturnType<Measure> {
  const { data, folder, trips } = point.parameters;
  const { remoteWrites } = point.parameters as unknown as Variant;
  const isAtCloud = data === "cloud";
  const deployment = {
    name: `figure-3-${point.name}`,
    folder: functionFolder(`experiments/functions/${String(folder)}`),
    nodes: [EDGE],
    data: `at:${isAtCloud ? CLOUD : EDGE}`,
    config: { remoteWrites },
  } as const;
  await testbed.deploy(deployment);
  const floor = await testbed.floor({
    at: EDGE,
    answerBytes: ANSWER_BYTES,
    ...(isAtCloud && { trips: { to: CLOUD, count: Number(trips), bytes: TRIP_BYTES } }),
  });
  const { clientPort } = await testbed.functionPorts(EDGE);
  const caller = new HttpCaller({ port: clientPort, connections: "fresh" });
  const echo = new HttpCaller({ port: floor.clientPort, connections: "fresh" });
  const send = (to: HttpCaller, path: string, n: number) =>
    to.call({ method: "POST", path, body: `${n % CLIENTS}-10`, headers: TEXT });
  const call = (n: number) => send(caller, `/${deployment.name}`, n);
  const calls = warmCallsOf(point);
  await Promise.all([
    warmUp({ workers: WARM_WORKERS, calls, call }),
    warmUp({ workers: WARM_WORKERS, calls, call: (n) => send(echo, floor.path, n) }),
  ]);
  const statusOf = async (answer: Promise<{ readonly status: number }>) => (await answer).status;
  const clocked = testbed.clockProcessors();
  const samples = await runOpen([
    {
      series: "call",
      arrivalsMs: constantArrivals(RATE_PER_S, point.loadS),
      send: (n) => statusOf(call(n)),
    },
    {
      series: "floor",
      // Between two calls, so that neither waits for the other on the client's link.
      arrivalsMs: constantArrivals(RATE_PER_S, point.loadS, 500 / RATE_PER_S),
      send: (n) => statusOf(send(echo, floor.path, n)),
    },
  ]);
  const totals = clocked();
  await testbed.remove(deployment);
  return { samples, totals };
}

const TEXT = { "content-type": "text/plain" };
