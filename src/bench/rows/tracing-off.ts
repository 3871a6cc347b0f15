import type { Measurement } from "../results.js";
import { functionFolder, startNode, startNoOpTracerNode, type BenchNode } from "../servers.js";
import { median, spreadOf, spreadOfRatios } from "../statistics.js";
import { runWrk, type Load } from "../wrk.js";
import type { RowContext } from "./context.js";

const NAME = "no-op";
const PAIRS = { full: 10, quick: 2 } as const;
/** Medians within 2 %. */
const SHARE_MIN = 0.98;

/**
 * What a node that is not traced pays for that it might be: calls per second of a node as it is
 * started with tracing off, against one whose tracer is a constant that does nothing, in pairs.
 */
export async function measureTracingOff(context: RowContext): Promise<Measurement[]> {
  const { resources, progress, isQuick, runS, warmUpS } = context;
  const nodes = {
    off: await startNode(resources, { flags: ["--otlp", "off"] }),
    constant: await startNoOpTracerNode(resources),
  };
  for (const node of Object.values(nodes)) {
    await deploy(node);
    await load(context, node, warmUpS);
  }
  const loads = { off: [] as Load[], constant: [] as Load[] };
  const pairs = isQuick ? PAIRS.quick : PAIRS.full;
  for (let pair = 0; pair < pairs; pair++) {
    progress(`tracing off: pair ${pair + 1} of ${pairs}`);
    // why: whoever comes second may find the machine warmer, so they take turns.
    const order = pair % 2 === 0 ? (["off", "constant"] as const) : (["constant", "off"] as const);
    for (const which of order) loads[which].push(await load(context, nodes[which], runS));
  }
  for (const node of Object.values(nodes)) await node.stop();
  return [measurementOf(loads)];
}

async function deploy({ client }: BenchNode): Promise<void> {
  const isolation = "process";
  await client.functions.deploy(NAME, functionFolder("bench/functions/no-op-js"), { isolation });
  await client.call(NAME);
}

function load({ resources }: RowContext, node: BenchNode, durationS: number): Promise<Load> {
  const url = `${node.functionsUrl}/${NAME}`;
  return runWrk(resources, { url, shape: { method: "GET" }, durationS });
}

function measurementOf({
  off,
  constant,
}: {
  readonly off: readonly Load[];
  readonly constant: readonly Load[];
}): Measurement {
  const [own, other] = [off, constant].map((loads) => loads.map((one) => one.requestsPerS));
  const [offRates, constantRates] = [own ?? [], other ?? []];
  const p50Ms = spreadOf(off.map((one) => one.p50Ms));
  const constantP50Ms = spreadOf(constant.map((one) => one.p50Ms));
  const failures = [...off, ...constant].reduce((sum, one) => sum + one.refused + one.broken, 0);
  const { min, max } = spreadOfRatios(offRates, constantRates);
  const shown = (rates: readonly number[]): string =>
    Math.round(median(rates)).toLocaleString("en-US");
  return {
    row: "tracing-off",
    title: "JS no-op, tracing off",
    isolation: "process",
    unit: "× no-op port",
    // The medians are compared; the extremes are those of the pairs.
    value: { median: median(offRates) / median(constantRates), min, max },
    target: { atLeast: SHARE_MIN },
    ...(failures === 0 ? {} : { invalid: `${failures} requests failed` }),
    note:
      `${shown(offRates)} of ${shown(constantRates)} requests/s, ` +
      `p50 ${p50Ms.median.toFixed(2)} of ${constantP50Ms.median.toFixed(2)} ms`,
    figures: { off, constant, p50Ms, constantP50Ms },
  };
}
