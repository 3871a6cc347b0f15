import { parseArgs } from "node:util";

import { UsageError } from "../bench/options.js";
import { SYSTEMS, type SystemName } from "./systems.js";
import { WORKS, type Work } from "./work.js";

/** What can be measured: a piece of work under load, or the lag between nodes. */
export const MEASURED = [...WORKS, "lag"] as const;

/** What `npm run peers` was asked for. */
export interface PeersOptions {
  /** Short runs, for trying the command itself. */
  readonly isQuick: boolean;
  readonly measured: readonly (Work | "lag")[];
  readonly systems: readonly SystemName[];
  readonly jsonFile: string | undefined;
  readonly writesDocs: boolean;
  readonly wantsHelp: boolean;
}

const SYSTEM_NAMES = Object.keys(SYSTEMS) as SystemName[];

/** Reads the command line. @throws UsageError */
export function parseOptions(args: readonly string[]): PeersOptions {
  const values = parse(args);
  const only = (values.only ?? []).flatMap((names) => names.split(","));
  const known = [...MEASURED, ...SYSTEM_NAMES] as readonly string[];
  for (const name of only) {
    if (known.includes(name)) continue;
    throw new UsageError(`--only ${name}: there is no such thing; there are ${known.join(", ")}`);
  }
  if (values["write-docs"] === true && only.length > 0) {
    throw new UsageError("--write-docs replaces all tables: leave out --only");
  }
  const chosen = <T extends string>(names: readonly T[]): readonly T[] => {
    const found = names.filter((name) => only.includes(name));
    return found.length > 0 ? found : names;
  };
  return {
    isQuick: values.quick ?? false,
    measured: chosen(MEASURED),
    systems: chosen(SYSTEM_NAMES),
    jsonFile: values.json,
    writesDocs: values["write-docs"] ?? false,
    wantsHelp: values.help ?? false,
  };
}

/** Text of `--help`. */
export const USAGE = `npm run peers [-- OPTIONS]

Measures Enoki beside what could be taken instead, on the same work in the same run.

  --quick          short runs; the figures are rough
  --only NAME      only this work or this system; may be repeated, or names joined by commas
  --json FILE      write everything that was measured as JSON
  --write-docs     put the tables into docs/peers.md and README.md

Work: ${MEASURED.join(", ")}
Systems: ${SYSTEM_NAMES.join(", ")}
`;

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean" },
        only: { type: "string", multiple: true },
        json: { type: "string" },
        "write-docs": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}
