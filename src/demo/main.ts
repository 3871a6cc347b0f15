import { rm } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { connect, type Client } from "../client/index.js";
import { loadConfig } from "../node/config.js";
import { serve } from "../node/serve.js";
import { Progress } from "./progress.js";
import { expectedAverage, loadReadings, type Reading } from "./readings.js";

/**
 * `npm run demo`: one node, the paper's moving average in two languages, four years of weather.
 * Exits with 1 if a function's last average is not the mean of the last ten readings.
 */

const WINDOW = 10;
const DATA_DIR = resolve(".enoki-demo");
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

function example(path: string): string {
  return fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));
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

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function printTable(outcomes: readonly Outcome[]): void {
  const rows = outcomes.map((outcome) => [
    outcome.label,
    String(outcome.sent),
    `${outcome.average.toFixed(2)} °C`,
    `${percentile(outcome.latenciesMs, 0.5).toFixed(2)} ms`,
    `${percentile(outcome.latenciesMs, 0.99).toFixed(2)} ms`,
  ]);
  const table = [["runtime", "readings", "last average", "p50", "p99"], ...rows];
  const widths = table[0]?.map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0)),
  );
  console.log();
  for (const row of table) {
    console.log(
      `  ${row
        .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
        .join("   ")
        .trimEnd()}`,
    );
  }
}

async function main(): Promise<void> {
  await rm(DATA_DIR, { recursive: true, force: true });
  const { config } = await loadConfig({
    flags: { name: "demo", dataDir: DATA_DIR, functionPort: "0", adminPort: "0" },
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
      await client.functions.deploy(runtime.name, example(runtime.source));
      console.log(`  deployed ${runtime.name} in ${Math.round(performance.now() - startMs)} ms`);
    }
    const readings = await loadReadings(example("weather/seattle-weather.csv"));
    console.log(
      `\nStreaming ${readings.length} days of Seattle's weather into each, one reading at a time`,
    );
    const progress = new Progress("readings", readings.length * RUNTIMES.length);
    const outcomes = await Promise.all(
      RUNTIMES.map((runtime) => stream(client, runtime, readings, progress)),
    );
    printTable(outcomes);
    const expected = expectedAverage(readings, WINDOW);
    for (const outcome of outcomes) {
      if (Math.abs(outcome.average - expected) > 1e-9) {
        throw new Error(`${outcome.name} answered ${outcome.average}, but the mean is ${expected}`);
      }
    }
    console.log(
      `\nBoth agree with the mean of the last ${WINDOW} readings. Their state lies in ${relative(".", DATA_DIR)}/stores.`,
    );
  } finally {
    await serving.close();
  }
  const dir = relative(".", DATA_DIR);
  console.log(`
What to type next:
  npx enoki up --data-dir ${dir}                          the same node, its functions and data
  npx enoki kv ls moving-average-python                       in another terminal: its keys
  npx enoki invoke moving-average-python 21.5                 one more reading
  npx enoki init typescript my-function                       a function of your own
`);
}

await main();
