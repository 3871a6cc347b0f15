import { join } from "node:path";
import { parseArgs } from "node:util";

import { UsageError } from "../bench/options.js";
import type { Scale } from "./results/point.js";

/** What `npm run experiments` was asked for. */
export interface ExperimentOptions {
  readonly scale: Scale;
  /** Names of figures; empty = all. */
  readonly only: readonly string[];
  /** Folder of the results; the report lies in it. */
  readonly folder: string;
  /** Only write the report of what there is. */
  readonly isReportOnly: boolean;
  /** Also measure what is there already. */
  readonly isAgain: boolean;
  /** Put the report into the documentation. */
  readonly writesDocs: boolean;
  readonly wantsHelp: boolean;
}

const FOLDER = "experiments-results";

/** Reads the command line. @throws UsageError */
export function parseOptions(
  args: readonly string[],
  figures: readonly string[],
): ExperimentOptions {
  const { values } = parse(args);
  if (values.full === true && values.tiny === true) {
    throw new UsageError("--full and --tiny: leave one of them out");
  }
  if (values["write-docs"] === true && values.tiny === true) {
    throw new UsageError("--write-docs: the figures of --tiny mean nothing");
  }
  const scale = values.full === true ? "full" : values.tiny === true ? "tiny" : "short";
  const only = (values.only ?? []).flatMap((names) => names.split(","));
  for (const name of only) {
    if (figures.includes(name)) continue;
    throw new UsageError(`--only ${name}: there is no such figure; figures: ${listOf(figures)}`);
  }
  return {
    scale,
    only,
    folder: values.results ?? join(FOLDER, scale),
    isReportOnly: values["report-only"] ?? false,
    isAgain: values.again ?? false,
    writesDocs: values["write-docs"] ?? false,
    wantsHelp: values.help ?? false,
  };
}

/** Text of `--help`. */
export function usage(figures: readonly string[]): string {
  return `npm run experiments [-- OPTIONS]

Repeats the experiments of the paper on this machine and writes a report. What was measured
before is not measured again: after an interruption, give the same command.

  --only FIGURE   only this figure; may be repeated, or figures joined by commas
  --full          as long as the paper did: hours; says first how many
  --tiny          seconds a point, to try the code; the figures mean nothing
  --results DIR   where results and report lie (${FOLDER}/short, /full or /tiny)
  --again         measure also what was measured before
  --report-only   write the report of what is there, and measure nothing
  --write-docs    put the report into docs/evaluation, too

Figures: ${listOf(figures)}
`;
}

function listOf(figures: readonly string[]): string {
  return figures.join(", ");
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true },
        full: { type: "boolean" },
        tiny: { type: "boolean" },
        results: { type: "string" },
        again: { type: "boolean" },
        "report-only": { type: "boolean" },
        "write-docs": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
