import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { runMeasuring } from "../bench/command.js";
import { hasProgram } from "../bench/etcd.js";
import { describeMachine, type Machine } from "../bench/machine.js";
import type { Resources } from "../bench/resources.js";
import { expectationOf, lengthText, sizeText, type Task } from "./expectation.js";
import { FIGURES } from "./figures/figures.js";
import { Measuring, type Failure } from "./measuring.js";
import { parseOptions, usage, type ExperimentOptions } from "./options.js";
import { writeReport } from "./report/write-report.js";
import { nameOf, ResultStore } from "./results/store.js";

/**
 * `npm run experiments`. Exits with 0 once every point is measured and the report is written, 1 when a
 * point failed or cannot be read, 2 when it was called wrongly or a program is missing, 130 when it was interrupted.
 */

const NAMES = FIGURES.map(({ figure }) => figure);
const MACHINE_FILE = "machine.json";
const PEERS_FILE = "peers.json";
const INTERRUPTED = 130;
const DOCS_FOLDER = fileURLToPath(new URL("../../docs/evaluation", import.meta.url));

async function main(resources: Resources): Promise<number> {
  const options = parseOptions(process.argv.slice(2), NAMES);
  if (options.wantsHelp) {
    process.stdout.write(usage(NAMES));
    return 0;
  }
  const missing = options.isReportOnly ? [] : missingPrograms();
  if (missing.length > 0) {
    say(`${missing.join(" and ")} missing; npm run setup installs it`);
    return 2;
  }
  const tasks = tasksOf(options);
  const store = await ResultStore.open(options.folder);
  const failures = options.isReportOnly ? [] : await measure(options, tasks, store, resources);
  if (resources.isReleased) {
    say("interrupted; what is measured stays, and the same command goes on from there");
    return INTERRUPTED;
  }
  const report = await writeReport({
    store,
    folder: join(options.folder, "report"),
    expected: tasks.map(({ point }) => point),
    known: FIGURES.flatMap((experiment) => experiment.points(options.scale)),
    titles: new Map(FIGURES.map(({ figure, title }) => [figure, title])),
    machine: await readMachine(options.folder),
    scale: options.scale,
    peersFile: join(options.folder, PEERS_FILE),
    ...(options.writesDocs && { docsFolder: DOCS_FOLDER }),
  });
  say(`the report: ${report.files.join(", ")}`);
  for (const why of report.broken) say(`left out: ${why}`);
  for (const { point, why } of failures) say(`failed: ${nameOf(point)}: ${why}`);
  if (report.missing.length > 0) {
    say(`not measured: ${report.missing.length} of ${tasks.length} points`);
  }
  return failures.length + report.broken.length > 0 ? 1 : 0;
}

/** What nodes and functions of the experiments cannot do without. */
function missingPrograms(): string[] {
  return ["etcd", "python3"].filter((program) => !hasProgram(program));
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
  resources: Resources,
): Promise<readonly Failure[]> {
  const { seconds, bytes, storedBytes } = expectationOf(tasks);
  say(
    `${tasks.length} points: about ${lengthText(seconds)} and ${sizeText(bytes)} of disk ` +
      `in ${folder}, less what is there`,
  );
  if (storedBytes > 0) say(`nodes hold up to ${sizeText(storedBytes)} in ${tmpdir()} meanwhile`);
  const machine = await describeMachine(resources);
  await writeFile(join(folder, MACHINE_FILE), `${JSON.stringify(machine, null, 2)}\n`);
  const { commit } = machine;
  const about = { store, resources, isAgain, commit, network: "emulator", say } as const;
  return new Measuring(about).run(tasks);
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

await runMeasuring(main);
