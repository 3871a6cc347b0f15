import { spawnSync } from "node:child_process";
import { Agent, request } from "node:http";

import { whenQuiet } from "../process-tree.js";
import type { Isolation, Measurement } from "../results.js";
import { functionFolder, startNode } from "../servers.js";
import { median, spreadOf, spreadOfRatios } from "../statistics.js";
import type { RowContext } from "./context.js";

/** Functions in one language whose first calls are timed. */
export interface ColdStartRow {
  readonly name: string;
  readonly title: string;
  readonly folder: string;
}

/** Greatest share of a bare `node -e 0`. */
const TARGETS: Readonly<Record<Isolation, number>> = { process: 0.25, sandbox: 0.6 };
const WARM_CALLS = 50;

/** In ms. */
interface Samples {
  /** First calls, less what a warm call takes. */
  readonly coldMs: number[];
  /** `node -e 0`, from start to end, each just before the first call of the same index. */
  readonly bareNodeMs: number[];
  readonly warmMs: number;
  /** The first call after the node's start, when no process waits yet; less a warm call. */
  readonly emptyPoolMs: number;
}

/** The rows for cold starts. */
export const COLD_START_ROWS: readonly ColdStartRow[] = [
  { name: "js-cold-start", title: "JS cold start", folder: "bench/functions/no-op-js" },
  { name: "python-cold-start", title: "Python cold start", folder: "bench/functions/no-op-python" },
];

/** Times the first calls of many functions in every isolation. */
export async function measureColdStarts(
  row: ColdStartRow,
  context: RowContext,
): Promise<Measurement[]> {
  const found: Measurement[] = [];
  for (const isolation of context.isolations) {
    context.progress(`${row.title}, ${isolation}: ${context.coldStarts} functions`);
    found.push(measurementOf(row, isolation, await takeSamples(row, isolation, context)));
  }
  return found;
}

/**
 * Deploys one function more than there are samples, then starts the node anew, so that none of them
 * has an instance. The first one fills the pools and tells what a warm call takes.
 */
async function takeSamples(
  row: ColdStartRow,
  isolation: Isolation,
  context: RowContext,
): Promise<Samples> {
  const { resources, coldStarts } = context;
  const names = Array.from({ length: coldStarts + 1 }, (_, i) => `${row.name}-${i}`);
  const deploying = await startNode(resources);
  const folder = functionFolder(row.folder);
  for (const name of names) await deploying.client.functions.deploy(name, folder, { isolation });
  await deploying.stop();
  const node = await startNode(resources, { dataDir: deploying.dataDir });
  const caller = new Caller(node.functionsUrl);
  await whenQuiet(node.pid);
  const deployed = await node.client.functions.list();
  if (deployed.some(({ status }) => status.instances > 0)) throw new Error("a function is warm");
  const [first = "", ...others] = names;
  const emptyPoolMs = await caller.callMs(first);
  const warmMs = await caller.warmMs(first);
  const coldMs: number[] = [];
  const bareNodeMs: number[] = [];
  for (const name of others) {
    await whenQuiet(node.pid);
    bareNodeMs.push(timeBareNodeMs());
    coldMs.push((await caller.callMs(name)) - warmMs);
  }
  caller.close();
  await node.stop();
  return { coldMs, bareNodeMs, warmMs, emptyPoolMs: emptyPoolMs - warmMs };
}

function measurementOf(row: ColdStartRow, isolation: Isolation, samples: Samples): Measurement {
  const { coldMs, bareNodeMs, warmMs, emptyPoolMs } = samples;
  return {
    row: row.name,
    title: row.title,
    isolation,
    unit: "× node -e 0",
    value: spreadOfRatios(coldMs, bareNodeMs),
    target: { atMost: TARGETS[isolation] },
    note:
      `${median(coldMs).toFixed(1)} ms, node -e 0: ${median(bareNodeMs).toFixed(1)} ms, ` +
      `pool empty: ${emptyPoolMs.toFixed(1)} ms (${coldMs.length} starts)`,
    figures: {
      coldMs: spreadOf(coldMs),
      bareNodeMs: spreadOf(bareNodeMs),
      warmMs,
      emptyPoolMs,
      samples: { coldMs, bareNodeMs },
    },
  };
}

function timeBareNodeMs(): number {
  const startMs = performance.now();
  const { status } = spawnSync(process.execPath, ["-e", "0"], { stdio: "ignore" });
  if (status !== 0) throw new Error(`node -e 0 ended with ${status}`);
  return performance.now() - startMs;
}

/** Times calls over one connection that stays open. */
class Caller {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(url: string) {
    this.#url = url;
  }

  /** From before the request is sent until its answer is complete. @throws Error unless 200 */
  callMs(name: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const startMs = performance.now();
      request(`${this.#url}/${name}`, { agent: this.#agent }, (response) => {
        response.resume().once("end", () => {
          if (response.statusCode === 200) resolve(performance.now() - startMs);
          else reject(new Error(`${name} answered with ${response.statusCode}`));
        });
      })
        .once("error", reject)
        .end();
    });
  }

  /** The median of many calls of a function that has an instance. */
  async warmMs(name: string): Promise<number> {
    const timesMs: number[] = [];
    for (let i = 0; i < WARM_CALLS; i++) timesMs.push(await this.callMs(name));
    return median(timesMs);
  }

  close(): void {
    this.#agent.destroy();
  }
}
