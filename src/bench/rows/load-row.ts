import type { Client, KeygroupClient } from "../../client/index.js";
import type { Isolation, Measurement, Target } from "../results.js";
import { functionFolder, startNode, type BenchNode } from "../servers.js";
import { spreadOf, spreadOfRatios, type Spread } from "../statistics.js";
import { runWrk, type Load, type RequestShape } from "../wrk.js";
import type { ProfiledWork, ProfileStart, RowContext } from "./context.js";

/** A function under load. */
export interface LoadRow {
  readonly name: string;
  readonly title: string;
  /** Folder of its code, relative to the top folder. */
  readonly folder: string;
  readonly shape: RequestShape;
  readonly durability: "relaxed" | "strict";
  /** Least share of the ceiling's requests per second, or least GB/s that its calls read. */
  readonly target: { readonly ceilingShare: number } | { readonly gbPerS: number };
  /** Bytes of state that one call reads; for targets in GB/s. */
  readonly bytesPerCall?: number;
  /** Stores what the function expects to find. */
  readonly preload?: (kv: KeygroupClient) => Promise<void>;
}

/** Calls in a sandbox reach at least this share of the same calls in a plain process. */
const SANDBOX_SHARE = 0.9;

/** The runs of one round, one after the other. */
interface Round {
  readonly ceiling: Load;
  readonly loads: ReadonlyMap<Isolation, Load>;
}

/** Loads the row's function in every isolation, round by round with the ceiling between. */
export async function measureLoad(row: LoadRow, context: RowContext): Promise<Measurement[]> {
  const { isolations } = context;
  const node = await startNode(context.resources);
  for (const isolation of isolations) await deployRow(node.client, row, isolation);
  for (const isolation of isolations) await load(row, context, urlOf(node, row, isolation), true);
  const rounds: Round[] = [];
  for (let round = 0; round < context.rounds; round++) {
    context.progress(`${row.title}: round ${round + 1} of ${context.rounds}`);
    // why: whoever comes second in a round may find the machine warmer, so they take turns.
    const order = round % 2 === 0 ? isolations : isolations.toReversed();
    const ceiling = await load(row, context, context.ceilingUrl);
    const loads = new Map<Isolation, Load>();
    for (const isolation of order) {
      loads.set(isolation, await load(row, context, urlOf(node, row, isolation)));
    }
    rounds.push({ ceiling, loads });
  }
  await node.stop();
  return measurementsOf(row, rounds, isolations);
}

/** The row's function in `process` isolation, to be profiled under load. */
export async function profiledLoad(
  row: LoadRow,
  { resources, profiler }: ProfileStart,
): Promise<ProfiledWork> {
  const node = await startNode(resources, { execArgs: profiler("node") });
  await deployRow(node.client, row, "process");
  return {
    title: `${row.title}, process`,
    unit: "call",
    processes: [{ role: "node", pid: node.pid }],
    async run(durationS) {
      const url = urlOf(node, row, "process");
      const { requests, requestsPerS } = await runWrk(resources, {
        url,
        shape: row.shape,
        durationS,
      });
      return { units: requests, perS: requestsPerS };
    },
    stop: () => node.stop(),
  };
}

/** Deploys the function and calls it once, so that a row that cannot work fails at once. */
async function deployRow(client: Client, row: LoadRow, isolation: Isolation): Promise<void> {
  const name = deployedName(row, isolation);
  await client.functions.deploy(name, functionFolder(row.folder), { isolation });
  await client.keygroups.configure(name, { durability: row.durability });
  await row.preload?.(client.kv(name));
  const { method, body, contentType } = row.shape;
  await client.call(name, body, {
    method,
    ...(contentType === undefined ? {} : { headers: { "content-type": contentType } }),
  });
}

/** Where the row's function is called. */
function urlOf(node: BenchNode, row: LoadRow, isolation: Isolation): string {
  return `${node.functionsUrl}/${deployedName(row, isolation)}`;
}

function deployedName(row: LoadRow, isolation: Isolation): string {
  return `${row.name}-${isolation}`;
}

async function load(row: LoadRow, context: RowContext, url: string, isWarmUp = false) {
  const durationS = isWarmUp ? context.warmUpS : context.runS;
  return await runWrk(context.resources, { url, shape: row.shape, durationS });
}

/** What the rounds say, per isolation and for the two together. */
export function measurementsOf(
  row: LoadRow,
  rounds: readonly Round[],
  isolations: readonly Isolation[],
): Measurement[] {
  const found = isolations.map((isolation) => measurementOf(row, rounds, isolation));
  if (isolations.includes("process") && isolations.includes("sandbox")) {
    found.push(comparisonOf(row, rounds));
  }
  return found;
}

function measurementOf(row: LoadRow, rounds: readonly Round[], isolation: Isolation): Measurement {
  const loads = loadsOf(rounds, isolation);
  const ceilings = rounds.map(({ ceiling }) => ceiling);
  const requestsPerS = spreadOf(rates(loads));
  const ceilingRequestsPerS = spreadOf(rates(ceilings));
  const p50Ms = spreadOf(loads.map((load) => load.p50Ms));
  const p99Ms = spreadOf(loads.map((load) => load.p99Ms));
  const failures = failuresOf([...loads, ...ceilings]);
  return {
    row: row.name,
    title: row.title,
    isolation,
    ...valueAndTarget(row, loads, ceilings),
    ...(failures === undefined ? {} : { invalid: failures }),
    note:
      `${count(requestsPerS)} of ${count(ceilingRequestsPerS)} requests/s, ` +
      `p50 ${p50Ms.median.toFixed(2)} ms, p99 ${p99Ms.median.toFixed(2)} ms`,
    figures: { requestsPerS, ceilingRequestsPerS, p50Ms, p99Ms, rounds: loads, ceilings },
  };
}

function valueAndTarget(
  { target, bytesPerCall = 0 }: LoadRow,
  loads: readonly Load[],
  ceilings: readonly Load[],
): { unit: "× ceiling" | "GB/s"; value: Spread; target: Target } {
  if ("gbPerS" in target) {
    const value = spreadOf(rates(loads).map((rate) => (rate * bytesPerCall) / 1e9));
    return { unit: "GB/s", value, target: { atLeast: target.gbPerS } };
  }
  const value = spreadOfRatios(rates(loads), rates(ceilings));
  return { unit: "× ceiling", value, target: { atLeast: target.ceilingShare } };
}

function comparisonOf(row: LoadRow, rounds: readonly Round[]): Measurement {
  const sandboxed = loadsOf(rounds, "sandbox");
  const plain = loadsOf(rounds, "process");
  const failures = failuresOf([...sandboxed, ...plain]);
  return {
    row: row.name,
    title: `${row.title}, sandbox ÷ process`,
    isolation: "sandbox",
    unit: "× process",
    value: spreadOfRatios(rates(sandboxed), rates(plain)),
    target: { atLeast: SANDBOX_SHARE },
    ...(failures === undefined ? {} : { invalid: failures }),
    note: "",
    figures: {},
  };
}

function loadsOf(rounds: readonly Round[], isolation: Isolation): Load[] {
  return rounds.flatMap(({ loads }) => loads.get(isolation) ?? []);
}

function rates(loads: readonly Load[]): number[] {
  return loads.map((load) => load.requestsPerS);
}

function failuresOf(loads: readonly Load[]): string | undefined {
  const refused = loads.reduce((sum, load) => sum + load.refused, 0);
  const broken = loads.reduce((sum, load) => sum + load.broken, 0);
  if (refused + broken === 0) return undefined;
  return `${refused} requests were answered with an error, ${broken} not at all`;
}

function count({ median }: Spread): string {
  return Math.round(median).toLocaleString("en-US");
}
