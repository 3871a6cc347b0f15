import { parentPort, workerData } from "node:worker_threads";

import type { PlanOverrides } from "../plan.js";
import { runChunk, type Chunk } from "./chunk.js";

// why: the stacks of errors that clients are meant to get cost a tenth of all time. Who replays a
// seed has them.
Error.stackTraceLimit = 0;

const port = parentPort;
if (!port) throw new Error("this runs in a worker thread");
port.on("message", (chunk: Chunk) => {
  void runChunk(chunk, workerData as PlanOverrides).then((summary) => port.postMessage(summary));
});
