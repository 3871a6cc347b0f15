import { relative } from "node:path";

import { packageFile } from "../installation/package-files.js";
import { connect, type Client } from "../client/index.js";
import { loadConfig } from "../node/config.js";
import { serve } from "../node/serve.js";
import { Progress } from "./progress.js";
import { expectedAverage, loadReadings, type Reading } from "./readings.js";
import { percentile, printTable } from "./table.js";

const WINDOW = 10;
const RUNTIMES = [
  { name: "moving-average-python", label: "Python", source: "moving-average/python" },
  { name: "moving-average-typescript", label: "TypeScript", source: "moving-average/typescript" },
] as const;

interface Outcome {
  readonly label: string;
  readonly name: string;
  readonly sent: number;
  readonly average: number;
  readonly latenciesMs: readonly number[];
}

/**
 * One node, the paper's moving average in two languages, four years of weather. Fails if a function's
 * last average is not the mean of the last ten readings.
 */
export async function showOneNode(dataDir: string): Promise<void> {
  const config = await loadConfig({
    flags: { name: "demo", dataDir, functionPort: "0", adminPort: "0" },
    env: {},
    readFile: () => Promise.reject(new Error("the demo has no configuration file")),
  });
  const serving = await serve(config);
  try {
    const { ready } = serving;
    console.log(
      `Enoki ${ready.version}: node "${ready.name}" with store, functions and gateway at ${ready.functions}`,
    );
    console.log(`  isolation: ${ready.isolation}\n`);
    const client = connect(ready.admin ?? "");
    for (const runtime of RUNTIMES) {
      const startMs = performance.now();
      await client.functions.deploy(runtime.name, packageFile(`examples/${runtime.source}`));
      console.log(`  deployed ${runtime.name} in ${Math.round(performance.now() - startMs)} ms`);
    }
    const readings = await loadReadings(packageFile("examples/weather/seattle-weather.csv"));
    console.log(
      `\nStreaming ${readings.length} days of Seattle's weather into each, one reading at a time`,
    );
    const progress = new Progress("readings", readings.length * RUNTIMES.length);
    const outcomes = await Promise.all(
      RUNTIMES.map((runtime) => stream(client, runtime, readings, progress)),
    );
    printOutcomes(outcomes);
    checkOutcomes(outcomes, expectedAverage(readings, WINDOW));
    console.log(
      `\nBoth agree with the mean of the last ${WINDOW} readings. Their state lies in ${relative(".", dataDir)}/stores.`,
    );
  } finally {
    await serving.close();
  }
}

async function stream(
  client: Client,
  runtime: (typeof RUNTIMES)[number],
  readings: readonly Reading[],
  progress: Progress,
): Promise<Outcome> {
  const latenciesMs: number[] = [];
  let average = Number.NaN;
  for (const reading of readings) {
    const startMs = performance.now();
    const response = await client.call(runtime.name, String(reading.temperatureMaxC));
    latenciesMs.push(performance.now() - startMs);
    average = (response.json() as { average: number }).average;
    progress.step();
  }
  return { label: runtime.label, name: runtime.name, sent: readings.length, average, latenciesMs };
}

function printOutcomes(outcomes: readonly Outcome[]): void {
  printTable(
    ["runtime", "readings", "last average", "p50", "p99"],
    outcomes.map((outcome) => [
      outcome.label,
      String(outcome.sent),
      `${outcome.average.toFixed(2)} °C`,
      `${percentile(outcome.latenciesMs, 0.5).toFixed(2)} ms`,
      `${percentile(outcome.latenciesMs, 0.99).toFixed(2)} ms`,
    ]),
  );
}

function checkOutcomes(outcomes: readonly Outcome[], expected: number): void {
  for (const { name, average } of outcomes) {
    if (Math.abs(average - expected) > 1e-9) {
      throw new Error(`${name} answered ${average}, but the mean is ${expected}`);
    }
  }
}
