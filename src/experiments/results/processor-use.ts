import type { PooledPoint } from "./result-set.js";

/** Who uses the processors while a point is loaded: `node` is the daemon alone, `functions` its instances. */
export type ProcessorUser = "node" | "functions" | "network" | "clients";

export const PROCESSOR_USERS: readonly ProcessorUser[] = [
  "node",
  "functions",
  "network",
  "clients",
];

/** Names of the totals of a point that hold processor time in ms, from the first request to the last answer. */
export const PROCESSOR_TOTALS = {
  node: "cpu-node-ms",
  functions: "cpu-functions-ms",
  network: "cpu-network-ms",
  clients: "cpu-clients-ms",
  /** Of all processors, whoever used them. */
  busy: "cpu-busy-ms",
  /** What all processors could have given. */
  capacity: "cpu-capacity-ms",
} as const satisfies Readonly<Record<ProcessorUser | "busy" | "capacity", string>>;

/** What the processors did for a point. */
export interface ProcessorUse {
  /** In ms for each request, floors not counted. */
  readonly perRequestMs: Readonly<Record<ProcessorUser, number>>;
  /** Share of all processors that was in use. */
  readonly busyShare: number;
}

/** What the processors did for the requests of a point; `undefined` if that was not measured. */
export function processorUseOf(point: PooledPoint): ProcessorUse | undefined {
  const total = (name: keyof typeof PROCESSOR_TOTALS): number =>
    point.totals(PROCESSOR_TOTALS[name]).reduce((sum, value) => sum + value, 0);
  const capacityMs = total("capacity");
  const requests = point.effort.requestsTotal;
  if (capacityMs === 0 || requests === 0) return undefined;
  const each = PROCESSOR_USERS.map((user) => [user, total(user) / requests] as const);
  return {
    perRequestMs: Object.fromEntries(each) as Record<ProcessorUser, number>,
    busyShare: total("busy") / capacityMs,
  };
}
