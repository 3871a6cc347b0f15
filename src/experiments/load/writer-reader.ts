import type { Sample } from "../results/point.js";
import { constantArrivals, randomPhaseArrivals } from "./arrivals.js";
import { runOpen, type OpenLoad } from "./open-loop.js";
import { stalenessOf, type SeenRead, type SeenWrite } from "./staleness.js";

/** One client that writes new values, and one that reads, both at one rate. */
export interface WriterReader {
  readonly ratePerS: number;
  readonly loadS: number;
  /**
   * `locked`: both at the same moments, as the paper ran it: then every read is the same time away
   * from the write before. `random`: the reads at moments that are drawn by chance.
   */
  readonly phase: "locked" | "random";
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Writes the value and resolves with the status. */
  readonly write: (value: string) => Promise<number>;
  /** Reads; resolves with the status and what was read. */
  readonly read: () => Promise<{ readonly status: number; readonly value: string }>;
  /** What else is sent meanwhile, such as to the floor. */
  readonly beside?: readonly OpenLoad[];
}

/**
 * Runs both; gives their latencies as `write` and `read`, and how stale each successful read was as
 * `staleness`.
 */
export async function runWriterReader(options: WriterReader): Promise<Sample[]> {
  const { ratePerS, loadS, phase, random, write, read, beside = [] } = options;
  const writes: SeenWrite[] = [];
  const reads: SeenRead[] = [];
  const ticksMs = constantArrivals(ratePerS, loadS);
  const begunMs = performance.now();
  const writing: OpenLoad = {
    series: "write",
    arrivalsMs: ticksMs,
    send: async (n) => {
      const value = `${n}`.padStart(32, "0");
      const status = await write(value);
      if (isDone(status)) writes.push({ n, value, endMs: performance.now() });
      return status;
    },
  };
  const reading: OpenLoad = {
    series: "read",
    arrivalsMs: phase === "locked" ? ticksMs : randomPhaseArrivals(ratePerS, loadS, random),
    send: async () => {
      const { status, value } = await read();
      if (isDone(status)) reads.push({ value, endMs: performance.now() });
      return status;
    },
  };
  const samples = await runOpen([writing, reading, ...beside]);
  const staleness = stalenessOf(writes, reads).map(({ endMs, stalenessMs }) => ({
    series: "staleness",
    atMs: endMs - begunMs,
    valueMs: stalenessMs,
    status: 200,
  }));
  return [...samples, ...staleness];
}

function isDone(status: number): boolean {
  return status >= 200 && status < 300;
}
