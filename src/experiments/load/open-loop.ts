import { PreciseAlarm } from "../precise-alarm.js";
import type { Sample } from "../results/point.js";
import type { Arrivals } from "./arrivals.js";

/** Requests that are sent when they are due, whatever became of those before. */
export interface OpenLoad {
  readonly series: string;
  readonly arrivalsMs: Arrivals;
  /** Sends the n-th request, from 0, and resolves with the status of its answer. Never rejects. */
  readonly send: (n: number) => Promise<number>;
}

/** A little time to begin, so that the first requests are not late already. */
const LEAD_MS = 5;

/**
 * Sends all requests of several loads, on one clock, and waits for the answers. There is no limit to
 * those in flight. A latency counts from when the request was due, so that a client that is held up
 * hides nothing (coordinated omission).
 */
export async function runOpen(loads: readonly OpenLoad[]): Promise<Sample[]> {
  const due = loads
    .flatMap((load) => load.arrivalsMs.map((atMs, n) => ({ load, atMs, n })))
    .sort((one, other) => one.atMs - other.atMs);
  const startMs = performance.now() + LEAD_MS;
  const answered: Promise<Sample>[] = [];
  await new Promise<void>((resolve) => {
    const alarm = new PreciseAlarm(() => {
      const nowMs = performance.now() - startMs;
      for (;;) {
        const next = due[answered.length];
        if (next === undefined) {
          resolve(alarm.close());
          return;
        }
        if (next.atMs > nowMs) {
          alarm.set(startMs + next.atMs);
          return;
        }
        answered.push(sampled(next.load, next.n, next.atMs, startMs));
      }
    });
    alarm.set(startMs);
  });
  return await Promise.all(answered);
}

async function sampled(
  { series, send }: OpenLoad,
  n: number,
  atMs: number,
  startMs: number,
): Promise<Sample> {
  const status = await send(n);
  return { series, atMs, valueMs: performance.now() - startMs - atMs, status };
}
