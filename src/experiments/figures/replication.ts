import { functionFolder } from "../../bench/servers.js";
import { HttpCaller } from "../load/http-caller.js";
import type { OpenLoad } from "../load/open-loop.js";
import { randomPhaseArrivals } from "../load/arrivals.js";
import { runWriterReader } from "../load/writer-reader.js";
import type { Phase, Placement } from "../results/by-figure.js";
import type { Outcome, Point } from "../results/point.js";
import type { Deployment } from "../../bench/deployment.js";
import { CLOUD, edgeName } from "../testbed/places.js";
import type { Testbed } from "../testbed/testbed.js";
import { LagWatch } from "./lag-watch.js";
import {
  CALL_MS,
  CLOUD_TRIP_MS,
  DEPLOYED_S,
  PEER_TRIP_MS,
  warmCallsOf,
  warmUp,
  warmUpS,
} from "./warm-up.js";

/** One writer and one reader, at two edges. */
export interface ReplicationRun {
  readonly testbed: Testbed;
  readonly point: Point;
  readonly random: () => number;
  readonly data: Placement;
  readonly phase: Phase;
  /** All edges that run the function: the first one is written at, the last one read at. */
  readonly edges: readonly [string, ...string[]];
  /** What happens meanwhile. */
  readonly meanwhile?: (deployment: Deployment) => Promise<void>;
}

/** Of the writer and of the reader (paper, section 4.3). */
export const RATE_PER_S = 10;
const FLOOR_RATE_PER_S = 4;
/** As in the prototype. */
const INSTANCES = 4;
/** To start them on one node, in seconds. */
const INSTANCES_S = 0.4;
const KEY = "counter";
const VALUE_BYTES = 32;
/** An operation as one node sends it to another, about. */
const TRIP_BYTES = 100;
const TEXT = { "content-type": "text/plain" };

/**
 * Lets one client write a value at an edge and another one read it at another edge. Series: `write`,
 * `read`, `staleness`, with replicas `lag`, and the floors `floor-write` and `floor-read`.
 */
export async function runReplication(run: ReplicationRun): Promise<Outcome> {
  const { testbed, point, random, data, phase, edges } = run;
  const [writing] = edges;
  const reading = edges.at(-1) ?? writing;
  const deployment: Deployment = {
    name: `replication-${point.name}`,
    folder: functionFolder("experiments/functions/replication-python"),
    nodes: edges,
    data: data === "replicated" ? "replicate" : `at:${serverOf(data)}`,
    config: { maxInstances: INSTANCES },
  };
  await testbed.deploy(deployment);
  const path = `/${deployment.name}`;
  const writer = await callerAt(testbed, writing);
  const reader = await callerAt(testbed, reading);
  const call = (caller: HttpCaller, body: string) =>
    caller.call({ method: "POST", path, body, headers: TEXT });
  const calls = warmCallsOf(point);
  await Promise.all([
    warmUp({ workers: INSTANCES, calls, call: (n) => call(writer, `warm ${n}`) }),
    warmUp({ workers: INSTANCES, calls, call: () => call(reader, "") }),
  ]);
  const lag =
    data === "replicated" && reading !== writing
      ? new LagWatch({
          keygroup: deployment.name,
          key: KEY,
          source: testbed.node(writing).client,
          target: testbed.node(reading).client,
        })
      : undefined;
  const beside = [
    await floorAt(run, "floor-write", writing, VALUE_BYTES, 0),
    await floorAt(run, "floor-read", reading, 0, VALUE_BYTES),
  ];
  const clocked = testbed.clockProcessors();
  const begunMs = performance.now();
  const [samples] = await Promise.all([
    runWriterReader({
      ratePerS: RATE_PER_S,
      loadS: point.loadS,
      phase,
      random,
      write: async (value) => (await call(writer, value)).status,
      read: async () => {
        const { status, body } = await call(reader, "");
        return { status, value: body.toString() };
      },
      beside,
    }),
    run.meanwhile?.(deployment),
  ]);
  const totals = clocked();
  const lags = (await lag?.end(begunMs)) ?? [];
  for (const caller of [writer, reader]) caller.close();
  await testbed.remove(deployment);
  return { samples: [...samples, ...lags], totals };
}

/** How long {@link runReplication} takes beyond its load, in seconds. */
export function replicationAroundS(point: Point, data: Placement, edges: number): number {
  const tripMs = { cloud: CLOUD_TRIP_MS, peer: PEER_TRIP_MS, replicated: 0 }[data];
  const warm = { workers: INSTANCES, calls: warmCallsOf(point) };
  // Instances start on all edges, which share the processors.
  return DEPLOYED_S + edges * INSTANCES_S + warmUpS(warm, CALL_MS + tripMs);
}

async function callerAt(testbed: Testbed, node: string): Promise<HttpCaller> {
  const { clientPort } = await testbed.functionPorts(node);
  return new HttpCaller({ port: clientPort, connections: "fresh" });
}

/** A bare server in place of the function, with a trip to another one in place of its operation. */
async function floorAt(
  { testbed, data, point, random }: ReplicationRun,
  series: string,
  at: string,
  sentBytes: number,
  answerBytes: number,
): Promise<OpenLoad> {
  const to = data === "replicated" ? at : serverOf(data);
  const trips = { to, count: 1, bytes: TRIP_BYTES };
  const floor = await testbed.floor({ at, answerBytes, ...(to !== at && { trips }) });
  const caller = new HttpCaller({ port: floor.clientPort, connections: "fresh" });
  const body = "a".repeat(sentBytes);
  return {
    series,
    arrivalsMs: randomPhaseArrivals(FLOOR_RATE_PER_S, point.loadS, random),
    send: async () => (await caller.call({ method: "POST", path: floor.path, body })).status,
  };
}

/** The only node that has the data. */
function serverOf(data: "cloud" | "peer"): string {
  return data === "cloud" ? CLOUD : edgeName(1);
}
