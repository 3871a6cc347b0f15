import type { Target } from "../bench/results.js";
import { median, percentileOf, spreadOf, spreadOfRatios } from "../bench/statistics.js";
import type { Load } from "../bench/wrk.js";
import type { Durability } from "./contender.js";
import type { Comparison, Lane, LagResult, WorkResult } from "./results.js";
import { SYSTEMS } from "./systems.js";
import type { Work } from "./work.js";

/** What Enoki must reach beside whom. */
interface LoadTarget {
  readonly work: Work;
  readonly title: string;
  /** Of Enoki's lanes. */
  readonly durability: Durability;
  readonly against: (lane: Lane) => boolean;
  /** Absent where it is only told. */
  readonly target?: Target;
}

/** All platforms sync before they answer, unless their data lie where nothing is synced. */
const isPlatform =
  (which: "as it is" | "data on tmpfs") =>
  ({ system, durability }: Lane): boolean =>
    SYSTEMS[system].kind === "platform" &&
    durability === (which === "as it is" ? "strict" : "relaxed");

const LOAD_TARGETS: readonly LoadTarget[] = [
  {
    work: "average",
    title: "moving average, relaxed",
    durability: "relaxed",
    against: isPlatform("as it is"),
    target: { atLeast: 5 },
  },
  {
    work: "average",
    title: "moving average, relaxed",
    durability: "relaxed",
    against: isPlatform("data on tmpfs"),
  },
  {
    work: "average",
    title: "moving average, relaxed",
    durability: "relaxed",
    against: ({ system, durability }) => system === "fastify-redis" && durability === "memory",
    target: { atLeast: 1.3 },
  },
  {
    work: "average",
    title: "moving average, strict",
    durability: "strict",
    against: isPlatform("as it is"),
    target: { atLeast: 2 },
  },
  {
    work: "average",
    title: "moving average, strict",
    durability: "strict",
    against: ({ system, durability }) => system === "fastify-redis" && durability === "strict",
    target: { atLeast: 1 },
  },
  {
    work: "no-op",
    title: "no-op",
    durability: "relaxed",
    against: ({ system }) => system === "workerd",
    target: { atLeast: 1.8 },
  },
];

/** The project's targets beside what was measured; those that lack a side are left out. */
export function comparisonsOf(
  works: readonly WorkResult[],
  lags: readonly LagResult[],
): Comparison[] {
  const loads = LOAD_TARGETS.flatMap((target) => {
    const lanes = works.find(({ work }) => work === target.work)?.lanes ?? [];
    return lanes
      .filter(({ system, durability }) => system === "enoki" && durability === target.durability)
      .flatMap((ours) => loadComparison(target, ours, lanes) ?? []);
  });
  return [...loads, ...lagComparisons(lags)];
}

/** Beside the best of the others in each round, whichever that is. */
function loadComparison(
  { title, target, against }: LoadTarget,
  ours: Lane,
  lanes: readonly Lane[],
): Comparison | undefined {
  const others = lanes.filter((lane) => against(lane) && problemOf(lane) === undefined);
  const best = others.toSorted((a, b) => median(ratesOf(b)) - median(ratesOf(a)))[0];
  if (best === undefined) return undefined;
  const bases = ours.loads.map((_, round) =>
    Math.max(...others.map(({ loads }) => (loads[round] as Load).requestsPerS)),
  );
  const invalid = problemOf(ours);
  return {
    title: `${title}: ${ours.title}`,
    against: best.title,
    value: spreadOfRatios(ratesOf(ours), bases),
    ...(target === undefined ? {} : { target }),
    ...(invalid === undefined ? {} : { invalid }),
  };
}

function lagComparisons(lags: readonly LagResult[]): Comparison[] {
  const theirs = lags.find(({ system }) => system === "nats");
  if (theirs === undefined) return [];
  return lags
    .filter(({ system }) => system === "enoki")
    .map((ours) => ({
      title: `visible on the other node after a write, median: ${ours.title}`,
      against: theirs.title,
      value: spreadOfRatios(mediansOf(ours), mediansOf(theirs)),
      target: { atMost: 1 },
    }));
}

/** Requests per second, round by round. */
export function ratesOf({ loads }: Lane): number[] {
  return loads.map(({ requestsPerS }) => requestsPerS);
}

/** Why a lane counts for nothing: requests that failed, or a round without any answer. */
export function problemOf({ loads }: Lane): string | undefined {
  const failures = loads.reduce((sum, { refused, broken }) => sum + refused + broken, 0);
  if (failures > 0) return `${failures} requests failed`;
  return loads.some(({ requests }) => requests === 0) ? "no answer in a whole round" : undefined;
}

function mediansOf({ rounds }: LagResult): number[] {
  return rounds.map(({ startedMs }) => median(startedMs));
}

/** The medians and the 99th percentiles of the rounds, as spreads. */
export function lagSpreads(result: LagResult, from: "startedMs" | "acknowledgedMs") {
  const at = (share: number) =>
    spreadOf(result.rounds.map((round) => percentileOf(round[from], share)));
  return { p50: at(0.5), p99: at(0.99) };
}
