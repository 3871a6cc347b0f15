import { randomPhaseArrivals, type Arrivals } from "../../load/arrivals.js";
import { HttpCaller } from "../../load/http-caller.js";
import { runOpen, type OpenLoad } from "../../load/open-loop.js";
import { KINDS, type City, type Kind } from "../../results/by-figure.js";
import type { Outcome, Point, Sample } from "../../results/point.js";
import type { Deployment } from "../../../bench/deployment.js";
import { CLOUD, edgeName } from "../../testbed/places.js";
import type { Testbed } from "../../testbed/testbed.js";
import { CALL_MS, CLOUD_TRIP_MS, warmCallsOf, warmUp, warmUpS } from "../warm-up.js";
import { ENTRIES } from "./application.js";
import { bodyBytesOf, drawRequests, type CityRequest } from "./requests.js";

/** A load of the smart city. */
export interface CityRun {
  readonly testbed: Testbed;
  readonly point: Point;
  readonly random: () => number;
  readonly functions: readonly Deployment[];
  /** Where the plan of movements lies. */
  readonly store: City["store"];
  readonly arrivals: City["arrivals"];
  /** What happens meanwhile. */
  readonly meanwhile?: () => Promise<void>;
}

const EDGE = edgeName(1);
const FLOOR_RATE_PER_S = 1;
const ANSWER_BYTES = 60;
const TRIP_BYTES = 100;
/** Calls of each kind at once before the load. */
const WARM_WORKERS = 2;
/** To deploy all eight functions at once, and to remove them, in seconds. */
const CITY_DEPLOYED_S = 5;
const JSON_TYPE = { "content-type": "application/json" };

/**
 * Deploys the city, loads it and removes it. Series, for each kind of request: its name for the latency
 * of requests that pass their filter, `filtered-…` for those that do not, `in-function-…` for the time
 * inside of the function, and `floor-…`.
 */
export async function runCity(run: CityRun): Promise<Outcome> {
  const { testbed, point, random, functions, arrivals, meanwhile } = run;
  await Promise.all(functions.map((deployment) => testbed.deploy(deployment)));
  const { clientPort } = await testbed.functionPorts(EDGE);
  const caller = new HttpCaller({ port: clientPort, connections: "fresh" });
  const call = ({ kind, body }: CityRequest) =>
    caller.call({ method: "POST", path: `/${ENTRIES[kind]}`, body, headers: JSON_TYPE });
  const requests = drawRequests({ arrivals, loadS: point.loadS, random });
  const calls = warmCallsOfKind(point, run.store);
  await Promise.all(
    KINDS.map(async (kind) => {
      const passing = requests.find((one) => one.kind === kind && !one.isFiltered);
      if (passing) await warmUp({ workers: WARM_WORKERS, calls, call: () => call(passing) });
    }),
  );
  const inFunction: Sample[] = [];
  const load: OpenLoad[] = groups(requests).map(([series, ofSeries]) => ({
    series,
    arrivalsMs: ofSeries.map(({ atMs }) => atMs),
    send: async (n) => {
      const request = ofSeries[n] as CityRequest;
      const { status, body } = await call(request);
      if (status === 200) inFunction.push(inFunctionOf(series, request.atMs, body));
      return status;
    },
  }));
  const floors = await Promise.all(
    // why drawn here: who is ready first differs from run to run, and all draw from one source.
    KINDS.map(
      (kind) => [kind, randomPhaseArrivals(FLOOR_RATE_PER_S, point.loadS, random)] as const,
    ).map(([kind, arrivalsMs]) => floorOf(run, kind, arrivalsMs)),
  );
  const clocked = testbed.clockProcessors();
  const [samples] = await Promise.all([runOpen([...load, ...floors]), meanwhile?.()]);
  const totals = clocked();
  caller.close();
  await Promise.all(functions.map((deployment) => testbed.remove(deployment)));
  return { samples: [...samples, ...inFunction], totals };
}

/** How long {@link runCity} takes beyond its load, in seconds. */
export function cityAroundS(point: Point, { store, arrivals, plan }: City): number {
  const callMs = CALL_MS + (store === "cloud" ? 2 * CLOUD_TRIP_MS : 0);
  const isSerial = store === "cloud" && plan === "update";
  // Two kinds of requests change the plan; `update`s of it in the cloud come one after the other.
  const warm = { workers: isSerial ? 1 : WARM_WORKERS, calls: warmCallsOfKind(point, store) };
  const warmS = warmUpS(warm, callMs) * (isSerial ? 2 : 1);
  // More of them are due then than get done one after the other.
  const lateS = isSerial && arrivals === "generator" ? 1.3 * point.loadS : 0;
  return CITY_DEPLOYED_S + warmS + lateS;
}

function warmCallsOfKind(point: Point, store: City["store"]): number {
  // why fewer: each takes two trips to the cloud, and updates are tried again.
  return Math.ceil(warmCallsOf(point) / (store === "cloud" ? 6 : 2));
}

/** Requests by the series of their latency. */
function groups(requests: readonly CityRequest[]): readonly [string, readonly CityRequest[]][] {
  const bySeries = new Map<string, CityRequest[]>();
  for (const request of requests) {
    const series = request.isFiltered ? `filtered-${request.kind}` : request.kind;
    bySeries.set(series, [...(bySeries.get(series) ?? []), request]);
  }
  return [...bySeries];
}

function inFunctionOf(series: string, atMs: number, body: Buffer): Sample {
  const { inFunctionMs } = JSON.parse(body.toString()) as { readonly inFunctionMs: number };
  return { series: `in-function-${series}`, atMs, valueMs: inFunctionMs, status: 200 };
}

/**
 * A bare server at the edge in place of the function, asked with as many bytes; what reads and writes the
 * plan in the cloud takes two trips.
 */
async function floorOf(
  { testbed, store }: CityRun,
  kind: Kind,
  arrivalsMs: Arrivals,
): Promise<OpenLoad> {
  const trips = { to: CLOUD, count: 2, bytes: TRIP_BYTES };
  const isFar = store === "cloud" && kind !== "weather";
  const floor = await testbed.floor({
    at: EDGE,
    answerBytes: ANSWER_BYTES,
    ...(isFar && { trips }),
  });
  const caller = new HttpCaller({ port: floor.clientPort, connections: "fresh" });
  const body = "a".repeat(bodyBytesOf(kind));
  return {
    series: `floor-${kind}`,
    arrivalsMs,
    send: async () => (await caller.call({ method: "POST", path: floor.path, body })).status,
  };
}
