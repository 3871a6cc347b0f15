import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { runMeasuring } from "./command.js";
import { describeMachine } from "./machine.js";
import { parseOptions, usage, type BenchOptions } from "./options.js";
import { profileRow } from "./profile.js";
import {
  jsonReport,
  markdownTable,
  textTable,
  withMeasuredPart,
  type BenchReport,
} from "./report.js";
import type { Resources } from "./resources.js";
import { verdictOf, type Isolation, type Measurement } from "./results.js";
import type { RowContext } from "./rows/context.js";
import { ROWS } from "./rows/rows.js";
import { startCeiling, startNode } from "./servers.js";
import { wrkVersion } from "./wrk.js";

/**
 * `npm run bench`. Exits with 0 however slow the machine is, 1 when requests failed, 2 when it was
 * called wrongly or wrk is missing.
 */

const PAGE = fileURLToPath(new URL("../../docs/bench.md", import.meta.url));
const FULL = { rounds: 5, runS: 4, warmUpS: 3, coldStarts: 25 } as const;
const QUICK = { rounds: 2, runS: 1, warmUpS: 1, coldStarts: 5 } as const;

const rowNames = ROWS.map((row) => row.name);
const profiledNames = ROWS.filter((row) => row.profiled).map((row) => row.name);

async function main(resources: Resources): Promise<number> {
  const options = parseOptions(process.argv.slice(2), rowNames, profiledNames);
  if (options.wantsHelp) {
    process.stdout.write(usage(rowNames));
    return 0;
  }
  if (wrkVersion() === undefined) {
    process.stderr.write("wrk is missing; npm run setup installs it\n");
    return 2;
  }
  const profiled = ROWS.find(({ name }) => name === options.profile)?.profiled;
  if (profiled !== undefined) {
    process.stdout.write(await profileRow({ profiled }, resources));
    return 0;
  }
  const report = await measure(options, resources);
  process.stdout.write(`\n${textTable(report)}`);
  if (options.jsonFile !== undefined) await writeFile(options.jsonFile, jsonReport(report));
  if (options.writesDocs) {
    const page = withMeasuredPart(await readFile(PAGE, "utf8"), markdownTable(report));
    await writeFile(PAGE, page);
  }
  return report.measurements.some((found) => verdictOf(found) === "invalid") ? 1 : 0;
}

async function measure(options: BenchOptions, resources: Resources): Promise<BenchReport> {
  const amounts = options.isQuick ? QUICK : FULL;
  const machine = await describeMachine(resources);
  const context: RowContext = {
    ...amounts,
    isQuick: options.isQuick,
    resources,
    isolations: await findIsolations(resources),
    ceilingUrl: await startCeiling(resources),
    progress: (text) => process.stderr.write(`${text}\n`),
  };
  const measurements: Measurement[] = [];
  for (const row of ROWS) {
    const isWanted =
      options.only.length === 0
        ? !(options.isQuick && row.isSlow)
        : options.only.includes(row.name);
    if (isWanted) measurements.push(...(await row.measure(context)));
  }
  const { rounds, runS } = amounts;
  return { machine, isQuick: options.isQuick, rounds, runS, measurements };
}

/** Asks a node what works here. */
async function findIsolations(resources: Resources): Promise<readonly Isolation[]> {
  const node = await startNode(resources);
  const { isolation } = await node.client.node();
  await node.stop();
  if (isolation?.available.includes("sandbox")) return ["process", "sandbox"];
  process.stderr.write(`no sandbox here: ${isolation?.sandboxMissing ?? "unknown reason"}\n`);
  return ["process"];
}

await runMeasuring(main);
