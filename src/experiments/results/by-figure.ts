import type { Pool } from "./pool.js";
import type { PooledPoint, Rate, ResultSet } from "./result-set.js";

/**
 * What the points of the figures are told apart by, and what their series are called. The experiments
 * give these names, the report asks by them.
 *
 * | figure | parameters | series |
 * |---|---|---|
 * | `3` | `data`, `variant` | `call`, `floor` |
 * | `4` | `operation`, `sizeBytes`, `data`, `clientLink` | `call`, `floor` |
 * | `6` | `data`, `phase` | `write`, `read`, `staleness`, `lag`, `floor-write`, `floor-read` |
 * | `8` | `store`, `arrivals`, `plan` | `KIND`, `filtered-KIND`, `in-function-…` of both, `floor-KIND` |
| `edges` | `edges` | as `6` |
| `lost-updates` | `way`, `nodes` | `call`; totals `calls`, `kept`, `lost` |
| `partition` | `work`, `data` or `store` | as `6` or `8` |
 *
 * A series that begins with `floor` is a bare echo of the same size over the same links.
 */

/** Where the data of Figures 3, 4 and 8 lie. */
export type Place = "edge" | "cloud";
/** How the moving average of Figure 3 waits for its store. */
export type Variant = "python-awaited" | "python-sent" | "typescript-parallel";
/** The client's link of Figure 4: 10 Mb/s, or as fast as the machine. */
export type ClientLink = "10mbit" | "unlimited";
/** Where the data of Figure 6 lie. */
export type Placement = "cloud" | "peer" | "replicated";
/** How writer and reader of Figure 6 tick: together, as the paper ran it, or not. */
export type Phase = "locked" | "random";
/** What the requests of Figure 8 are about, and so which function they enter by. */
export type Kind = "weather" | "traffic" | "object";
/** A deployment and a load of Figure 8. `steady` = 5 requests/s, as the paper says; `generator` = about 33, as it ran. */
export type City = {
  readonly store: Place;
  readonly arrivals: "steady" | "generator";
  readonly plan: "get and set" | "update";
};

export const VARIANTS: readonly Variant[] = [
  "python-awaited",
  "python-sent",
  "typescript-parallel",
];
export const PLACES: readonly Place[] = ["edge", "cloud"];
export const CLIENT_LINKS: readonly ClientLink[] = ["10mbit", "unlimited"];
export const PLACEMENTS: readonly Placement[] = ["cloud", "peer", "replicated"];
export const PHASES: readonly Phase[] = ["locked", "random"];
export const KINDS: readonly Kind[] = ["weather", "traffic", "object"];
export const CITIES: readonly City[] = (["steady", "generator"] as const).flatMap((arrivals) => [
  { store: "edge", arrivals, plan: "get and set" },
  { store: "cloud", arrivals, plan: "get and set" },
  { store: "cloud", arrivals, plan: "update" },
]);

/** The requests of a point beside its floor. */
export interface AboveFloor {
  readonly pool: Pool;
  readonly floorP50Ms: number | undefined;
  /** Median less the floor's; `undefined` without a floor. */
  readonly beyondP50Ms: number | undefined;
}

/** Figure 3: the calls. */
export function movingAverage(
  results: ResultSet,
  data: Place,
  variant: Variant,
): AboveFloor | undefined {
  return aboveFloor(results.point("3", { data, variant }), "call", "floor");
}

/** One bar of Figure 4. */
export interface Throughput {
  /** Requests that succeeded. */
  readonly rate: Rate;
  /** The same in MB of data. */
  readonly mbPerS: number;
  /** Requests a second that a bare server answers over the same link. */
  readonly floorPerS: number | undefined;
}

/** Figure 4: what 100 clients get done. */
export function throughput(
  results: ResultSet,
  where: {
    readonly operation: "read" | "write";
    readonly data: Place;
    readonly bytes: number;
    readonly clientLink: ClientLink;
  },
): Throughput | undefined {
  const { operation, data, bytes, clientLink } = where;
  const point = results.point("4", { operation, data, clientLink, sizeBytes: bytes });
  const rate = point?.rate("call");
  if (point === undefined || rate === undefined) return undefined;
  return {
    rate,
    mbPerS: (rate.perS * bytes) / 1e6,
    floorPerS: point.rate("floor")?.perS,
  };
}

/** Figure 6: requests of one kind. */
export function replicated(
  results: ResultSet,
  placement: Placement,
  phase: Phase,
  series: "write" | "read",
): AboveFloor | undefined {
  return aboveFloor(results.point("6", { data: placement, phase }), series, `floor-${series}`);
}

/** Figure 6c: staleness of reads, or how long after a value was stored it was visible on the other node. */
export function delayOfReplication(
  results: ResultSet,
  placement: Placement,
  phase: Phase,
  series: "staleness" | "lag",
): Pool | undefined {
  return results.point("6", { data: placement, phase })?.pool(series);
}

/** Figure 8: requests of one kind. */
export interface CityRequests {
  /** Inside of the entry function, of what passes its filter. */
  readonly passing: Pool;
  /** Inside of the entry function, of what its filter ends too. */
  readonly all: Pool;
  /** As the client sees it, of what passes the filter. */
  readonly client: AboveFloor;
}

/** Figure 8: requests of one kind. */
export function smartCity(results: ResultSet, city: City, kind: Kind): CityRequests | undefined {
  const point = results.point("8", city);
  const passing = point?.pool(`in-function-${kind}`);
  const all = point?.pool(`in-function-${kind}`, `in-function-filtered-${kind}`);
  const client = aboveFloor(point, kind, `floor-${kind}`);
  return passing && all && client && { passing, all, client };
}

function aboveFloor(
  point: PooledPoint | undefined,
  series: string,
  floorSeries: string,
): AboveFloor | undefined {
  const pool = point?.pool(series);
  if (pool === undefined) return undefined;
  const floorP50Ms = point?.pool(floorSeries)?.quantile(0.5);
  const beyondP50Ms = floorP50Ms === undefined ? undefined : pool.quantile(0.5) - floorP50Ms;
  return { pool, floorP50Ms, beyondP50Ms };
}
