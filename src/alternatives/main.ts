import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { runMeasuring } from "../bench/command.js";
import { describeMachine } from "../bench/machine.js";
import { withMeasuredPart } from "../bench/report.js";
import type { Resources } from "../bench/resources.js";
import { wrkVersion } from "../bench/wrk.js";
import { inspect } from "./availability.js";
import { CONTENDERS } from "./contenders/contenders.js";
import { measureLags } from "./lag/measure.js";
import { parseOptions, USAGE, type PeersOptions } from "./options.js";
import { fetchPackages, layOutPrograms } from "./packages.js";
import { jsonReport, markdownReport, textReport, type PeersReport } from "./report.js";
import type { Absence, LagResult, WorkResult } from "./results.js";
import { measureWork, type RunContext } from "./rounds.js";
import { summaryOf } from "./summary.js";
import { SYSTEMS, type SystemName } from "./systems.js";

/**
 * `npm run peers`. Exits with 0 whatever the figures say and whatever this machine lacks, 1 when
 * something that is there did not work, 2 when it was called wrongly or wrk is missing.
 */

const PAGE = fileURLToPath(new URL("../../docs/peers.md", import.meta.url));
const FRONT_PAGE = fileURLToPath(new URL("../../README.md", import.meta.url));
const FULL = { rounds: 5, runS: 4, warmUpS: 3, rewarmS: 1 } as const;
const QUICK = { rounds: 2, runS: 1, warmUpS: 1, rewarmS: 1 } as const;

async function main(resources: Resources): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.wantsHelp) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (wrkVersion() === undefined) {
    process.stderr.write("wrk is missing; npm run setup installs it\n");
    return 2;
  }
  const report = await measure(options, resources);
  process.stdout.write(`\n${textReport(report)}`);
  if (options.jsonFile !== undefined) await writeFile(options.jsonFile, jsonReport(report));
  if (options.writesDocs) {
    for (const [path, measured] of [
      [PAGE, markdownReport(report)],
      [FRONT_PAGE, summaryOf(report)],
    ] as const) {
      await writeFile(path, withMeasuredPart(await readFile(path, "utf8"), measured, "peers"));
    }
  }
  return report.absences.some(({ isFailure }) => isFailure) ? 1 : 0;
}

async function measure(options: PeersOptions, resources: Resources): Promise<PeersReport> {
  const { isQuick, measured } = options;
  const amounts = isQuick ? QUICK : FULL;
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  const absences: Absence[] = [];
  const packages = await packagesOrNothing(resources, progress);
  const systems: { name: SystemName; versions: readonly string[] }[] = [];
  for (const name of options.systems) {
    const found = inspect(name, packages);
    if (found.isAvailable) systems.push({ name, versions: found.versions });
    else {
      absences.push({ title: SYSTEMS[name].title, reason: found.reason, isFailure: false });
      progress(`leaving out ${SYSTEMS[name].title}: ${found.reason}`);
    }
  }
  const names = systems.map(({ name }) => name);
  const machine = await describeMachine(resources);
  const context: RunContext = {
    ...amounts,
    resources,
    programs: await layOutPrograms(resources, packages),
    progress,
    absent(absence) {
      absences.push(absence);
      const { title, reason, isFailure } = absence;
      progress(isFailure ? `${title} does not work: ${reason}` : `leaving out ${title}: ${reason}`);
    },
  };
  const contenders = CONTENDERS.filter(({ system }) => names.includes(system));
  const works: WorkResult[] = [];
  let lags: readonly LagResult[] = [];
  for (const what of measured) {
    if (what === "lag") lags = await measureLags(names, context, isQuick);
    else works.push(await measureWork(what, contenders, context));
  }
  const { rounds, runS } = amounts;
  return { machine, isQuick, rounds, runS, systems, works, lags, absences };
}

/** The peers' packages; `undefined` where npm cannot fetch them, which leaves the rest to measure. */
async function packagesOrNothing(
  resources: Resources,
  progress: (text: string) => void,
): Promise<string | undefined> {
  try {
    return await fetchPackages(resources, progress);
  } catch (error) {
    if (resources.isReleased) throw error;
    progress(`the peers' packages could not be fetched: ${(error as Error).message}`);
    return undefined;
  }
}

await runMeasuring(main);
