import { ms, perS, size, times } from "../numbers.js";
import { FIGURE_4, SIZES_BYTES } from "../paper/prototype.js";
import {
  delayOfReplication,
  movingAverage,
  PHASES,
  replicated,
  smartCity,
  throughput,
  VARIANTS,
  CITIES,
  type Kind,
  type Place,
} from "../results/by-figure.js";
import type { PooledPoint, ResultSet } from "../results/result-set.js";
import { processorUseText } from "./figures/processor-use.js";

/** What the project set out to reach, and what it reached. */
export interface TargetRow {
  readonly work: string;
  readonly target: string;
  /** `undefined`: not measured. */
  readonly reached?: {
    readonly ours: string;
    readonly holds: boolean;
    /** Where it does not hold: what the time was spent on. */
    readonly profile?: string;
    /** Where it does not hold and is a time: what that time is made of. */
    readonly split?: TimeSplit;
  };
}

/** A time beside what is known of its parts. */
export interface TimeSplit {
  /** The median, with the network. */
  readonly measuredMs: number;
  /** Of a bare echo over the same links; `undefined` where none was asked. */
  readonly floorMs: number | undefined;
  /** From node to node, one after the other. */
  readonly trips: number;
  readonly point: PooledPoint;
}

/** The series that a target is about. */
interface Timed {
  readonly series: string;
  readonly floor?: string;
  readonly trips: number;
}

const PEER_ONE_WAY_MS = 10;

/** All targets that these experiments can decide; those against other platforms are `npm run peers`'. */
export function targetsOf(results: ResultSet): TargetRow[] {
  return [
    ...VARIANTS.map((variant) =>
      atMost(
        `Figure 3, edge, ${variant}: median beyond the network`,
        1.5,
        movingAverage(results, "edge", variant)?.beyondP50Ms,
        results.point("3", { data: "edge", variant }),
        { series: "call", floor: "floor", trips: 0 },
      ),
    ),
    ...VARIANTS.map((variant, at) =>
      atMost(
        `Figure 3, cloud, ${variant}: median`,
        [210, 160, 110][at] as number,
        movingAverage(results, "cloud", variant)?.pool.quantile(0.5),
        results.point("3", { data: "cloud", variant }),
        { series: "call", floor: "floor", trips: [4, 3, 2][at] as number },
      ),
    ),
    ...(["read", "write"] as const).flatMap((operation) => [
      unlimitedThroughput(results, operation),
      limitedThroughput(results, operation),
    ]),
    ...PHASES.flatMap((phase) =>
      (["write", "read"] as const).map((series) =>
        atMost(
          `Figure 6, replicated ${series}, phases ${phase}: median beyond the network`,
          1,
          replicated(results, "replicated", phase, series)?.beyondP50Ms,
          results.point("6", { data: "replicated", phase }),
          { series, floor: `floor-${series}`, trips: 0 },
        ),
      ),
    ),
    ...([0.5, 0.99] as const).map((share) => {
      const lag = delayOfReplication(results, "replicated", "random", "lag");
      return atMost(
        `Figure 6c, random phases: lag beyond the one-way delay of ${PEER_ONE_WAY_MS} ms, p${share * 100}`,
        share === 0.5 ? 2 : 10,
        lag && lag.quantile(share) - PEER_ONE_WAY_MS,
        results.point("6", { data: "replicated", phase: "random" }),
      );
    }),
    ...smartCityTargets(results, "edge", { object: 8, traffic: 5, weather: 3 }),
    ...smartCityTargets(results, "cloud", { object: 115, traffic: 110 }),
  ];
}

function smartCityTargets(
  results: ResultSet,
  store: Place,
  limitsMs: Partial<Record<Kind, number>>,
): TargetRow[] {
  return Object.entries(limitsMs).flatMap(([kind, limitMs]) =>
    CITIES.filter((city) => city.store === store).map((city) => {
      const rate = city.arrivals === "steady" ? "5/s" : "33/s";
      return atMost(
        `Figure 8, ${kind}, store in the ${store} (${city.plan}), ${rate}: median in the function, of what passes`,
        limitMs,
        smartCity(results, city, kind as Kind)?.passing.quantile(0.5),
        results.point("8", city),
        { series: `in-function-${kind}`, trips: store === "cloud" && kind !== "weather" ? 2 : 0 },
      );
    }),
  );
}

/** Unlimited client link: against the prototype, at the size where we are worst. */
function unlimitedThroughput(results: ResultSet, operation: "read" | "write"): TargetRow {
  return worst(
    `Figure 4, edge, ${operation}s, client link unlimited: requests/s ÷ the prototype's, at the worst size`,
    "≥ 10 ×",
    10,
    SIZES_BYTES.map((bytes, at) => {
      const where = { operation, data: "edge", clientLink: "unlimited" } as const;
      const ours = throughput(results, { ...where, bytes });
      const prototypePerS = FIGURE_4[operation].edge[at] as number;
      return (
        ours && {
          bytes,
          ratio: ours.rate.perS / prototypePerS,
          note: `${perS(ours.rate.perS)}, prototype ${perS(prototypePerS)}`,
          point: results.point("4", { ...where, sizeBytes: bytes }),
        }
      );
    }),
  );
}

/** Over 10 Mb/s: against the lower of ten times the prototype and 0.8 of a bare server over that link. */
function limitedThroughput(results: ResultSet, operation: "read" | "write"): TargetRow {
  return worst(
    `Figure 4, edge, ${operation}s, 10 Mb/s: requests/s ÷ the lower of 10 × the prototype's and 0.8 × a bare server's, at the worst size`,
    "≥ 1 ×",
    1,
    SIZES_BYTES.map((bytes, at) => {
      const where = { operation, data: "edge", clientLink: "10mbit" } as const;
      const ours = throughput(results, { ...where, bytes });
      if (ours?.floorPerS === undefined) return undefined;
      const neededPerS = Math.min(
        10 * (FIGURE_4[operation].edge[at] as number),
        0.8 * ours.floorPerS,
      );
      return {
        bytes,
        ratio: ours.rate.perS / neededPerS,
        note: `${perS(ours.rate.perS)}, needed ${perS(neededPerS)}`,
        point: results.point("4", { ...where, sizeBytes: bytes }),
      };
    }),
  );
}

interface Ratio {
  readonly bytes: number;
  readonly ratio: number;
  readonly note: string;
  readonly point: PooledPoint | undefined;
}

/** A target for every size; not measured if one size is not. */
function worst(
  work: string,
  target: string,
  limit: number,
  ratios: readonly (Ratio | undefined)[],
): TargetRow {
  const known = ratios.filter((ratio) => ratio !== undefined);
  const [least] = [...known].sort((a, b) => a.ratio - b.ratio);
  if (known.length < ratios.length || least === undefined) return { work, target };
  const ours = `${times(least.ratio)} at ${size(least.bytes)} (${least.note})`;
  return { work, target, reached: reachedOf(ours, least.ratio >= limit, least.point) };
}

function atMost(
  work: string,
  limitMs: number,
  valueMs: number | undefined,
  point: PooledPoint | undefined,
  timed?: Timed,
): TargetRow {
  const target = `≤ ${limitMs} ms`;
  if (valueMs === undefined) return { work, target };
  const holds = valueMs <= limitMs;
  const split = holds || timed === undefined ? undefined : splitOf(point, timed);
  return {
    work,
    target,
    reached: { ...reachedOf(ms(valueMs), holds, point), ...(split && { split }) },
  };
}

function splitOf(
  point: PooledPoint | undefined,
  { series, floor, trips }: Timed,
): TimeSplit | undefined {
  const measuredMs = point?.pool(series)?.quantile(0.5);
  if (point === undefined || measuredMs === undefined) return undefined;
  const floorMs = floor === undefined ? undefined : point.pool(floor)?.quantile(0.5);
  return { measuredMs, floorMs, trips, point };
}

function reachedOf(
  ours: string,
  holds: boolean,
  point: PooledPoint | undefined,
): NonNullable<TargetRow["reached"]> {
  return holds ? { ours, holds } : { ours, holds, profile: processorUseText(point) };
}
