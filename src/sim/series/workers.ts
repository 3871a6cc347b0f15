import { Worker } from "node:worker_threads";

import type { PlanOverrides } from "../plan.js";
import type { Chunk, ChunkSummary } from "./chunk.js";

/** Simulations make much garbage that dies young; with room for it they take a fifth less time. */
const YOUNG_MB = 64;

/**
 * Runs chunks in `workersMax` threads, each of which takes the next one as soon as it is free, and calls
 * `done` with each summary, in any order. Ends with the chunks; rejects if a thread dies.
 */
export async function runInWorkers(
  chunks: Iterator<Chunk>,
  workersMax: number,
  overrides: PlanOverrides,
  done: (summary: ChunkSummary) => void,
): Promise<void> {
  const threads = Array.from({ length: workersMax }, () => runThread(chunks, overrides, done));
  await Promise.all(threads);
}

async function runThread(
  chunks: Iterator<Chunk>,
  overrides: PlanOverrides,
  done: (summary: ChunkSummary) => void,
): Promise<void> {
  const first = chunks.next();
  if (first.done) return;
  const worker = new Worker(new URL("worker.js", import.meta.url), {
    workerData: overrides,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  try {
    await new Promise<void>((resolve, reject) => {
      worker.on("error", reject);
      worker.on("message", (summary: ChunkSummary) => {
        done(summary);
        const next = chunks.next();
        if (next.done) resolve();
        else worker.postMessage(next.value, []);
      });
      worker.postMessage(first.value, []);
    });
  } finally {
    await worker.terminate();
  }
}
