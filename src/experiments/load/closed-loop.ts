import { setTimeout as delay } from "node:timers/promises";

import type { Sample } from "../results/point.js";

/** Clients that each send their next request once they have the answer to the last. */
export interface ClosedLoad {
  readonly series: string;
  readonly workers: number;
  readonly loadS: number;
  /** Sends a request of that worker, from 0, and resolves with the status of its answer. Never rejects. */
  readonly send: (worker: number) => Promise<number>;
}

/** A worker that got no answer waits so long: a server that is gone is not asked without end. */
const PAUSE_MS = 10;

/** Lets all workers send until the time is over, and waits for the answers that are still due. */
export async function runClosed(load: ClosedLoad): Promise<Sample[]> {
  const { series, workers, loadS, send } = load;
  const samples: Sample[] = [];
  const startMs = performance.now();
  const work = async (worker: number): Promise<void> => {
    for (;;) {
      const atMs = performance.now() - startMs;
      if (atMs >= loadS * 1000) return;
      const status = await send(worker);
      samples.push({ series, atMs, valueMs: performance.now() - startMs - atMs, status });
      if (status === 0) await delay(PAUSE_MS);
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  return samples;
}
