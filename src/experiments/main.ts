import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describeMachine, type Machine } from "../bench/machine.js";
import { UsageError } from "../bench/options.js";
import { Resources } from "../bench/resources.js";
import { expectationOf, lengthText, sizeText, type Task } from "./expectation.js";
import { FIGURES } from "./figures/figures.js";
import { Measuring, type Failure } from "./measuring.js";
import { parseOptions, usage, type ExperimentOptions } from "./options.js";
import { writeReport } from "./report/write-report.js";
import { nameOf, ResultStore } from "./results/store.js";

/**
 * `npm run experiments`. Exits with 0 once every point is measured and the report is written, 1 when a
 * point failed or cannot be read, 2 when it was called wrongly, 130 when it was interrupted.
 */

const NAMES = FIGURES.map(({ figure }) => figure);
const MACHINE_FILE = "machine.json";

async function main(onStart: (measuring: Measuring) => void): Promise<number> {
  const options = parseOptions(process.argv.slice(2), NAMES);
  if (options.wantsHelp) {
    process.stdout.write(usage(NAMES));
    return 0;
  }
  const tasks = tasksOf(options);
  const store = await ResultStore.open(options.folder);
  const failures = options.isReportOnly ? [] : await measure(options, tasks, store, onStart);
  const report = await writeReport({
    store,
    folder: join(options.folder, "report"),
    expected: tasks.map(({ point }) => point),
    titles: new Map(FIGURES.map(({ figure, title }) => [figure, title])),
    machine: await readMachine(options.folder),
    scale: options.scale,
  });
  say(`the report: ${report.files.join(", ")}`);
  for (const why of report.broken) say(`left out: ${why}`);
  for (const { point, why } of failures) say(`failed: ${nameOf(point)}: ${why}`);
  if (report.missing.length > 0) {
    say(`not measured: ${report.missing.length} of ${tasks.length} points`);
  }
  return failures.length + report.broken.length > 0 ? 1 : 0;
}

function tasksOf({ scale, only }: ExperimentOptions): Task[] {
  return FIGURES.filter(({ figure }) => only.length === 0 || only.includes(figure)).flatMap(
    (experiment) => experiment.points(scale).map((point) => ({ experiment, point })),
  );
}

async function measure(
  { folder, isAgain }: ExperimentOptions,
  tasks: readonly Task[],
  store: ResultStore,
  onStart: (measuring: Measuring) => void,
): Promise<readonly Failure[]> {
  const { seconds, bytes, storedBytes } = expectationOf(tasks);
  say(
    `${tasks.length} points: about ${lengthText(seconds)} and ${sizeText(bytes)} of disk ` +
      `in ${folder}, less what is there`,
  );
  if (storedBytes > 0) say(`nodes hold up to ${sizeText(storedBytes)} in ${tmpdir()} meanwhile`);
  const machine = await lookAtMachine();
  await writeFile(join(folder, MACHINE_FILE), `${JSON.stringify(machine, null, 2)}\n`);
  const { commit } = machine;
  const measuring = new Measuring({ store, isAgain, commit, network: "emulator", say });
  onStart(measuring);
  return measuring.run(tasks);
}

async function lookAtMachine(): Promise<Machine> {
  const resources = new Resources();
  try {
    return await describeMachine(resources);
  } finally {
    await resources.release();
  }
}

/** The machine of the latest run; `undefined` if that is not known. */
async function readMachine(folder: string): Promise<Machine | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, MACHINE_FILE), "utf8")) as Machine;
  } catch {
    return undefined;
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** At the first signal everything is ended in order, at the second at once. */
function endOnSignal(measuring: Measuring): void {
  let signals = 0;
  const end = (): void => {
    signals += 1;
    if (signals > 1) measuring.kill();
    else say("ending; what is measured stays, and the same command goes on from there");
    void measuring.end().finally(() => process.exit(130));
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
}

try {
  process.exitCode = await main(endOnSignal);
} catch (error) {
  const isUsage = error instanceof UsageError;
  say(isUsage ? error.message : String((error as Error).stack));
  process.exitCode = isUsage ? 2 : 1;
}
