import { parseArgs } from "node:util";

/** What `npm run bench` was asked for. */
export interface BenchOptions {
  /** Short runs, for trying the bench itself. */
  readonly isQuick: boolean;
  /** Names of rows; empty = all. */
  readonly only: readonly string[];
  readonly jsonFile: string | undefined;
  readonly writesDocs: boolean;
  /** Name of the row to profile instead of measuring. */
  readonly profile: string | undefined;
  readonly wantsHelp: boolean;
}

/** Wrong command line; the message says what is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Reads the command line. @throws UsageError */
export function parseOptions(
  args: readonly string[],
  rows: readonly string[],
  profiled: readonly string[],
): BenchOptions {
  const { values } = parse(args);
  const only = (values.only ?? []).flatMap((names) => names.split(","));
  for (const name of only) checkName("--only", name, rows);
  if (values.profile !== undefined) checkName("--profile", values.profile, profiled);
  if (values["write-docs"] === true && only.length > 0) {
    throw new UsageError("--write-docs replaces the whole table: leave out --only");
  }
  return {
    isQuick: values.quick ?? false,
    only,
    jsonFile: values.json,
    writesDocs: values["write-docs"] ?? false,
    profile: values.profile,
    wantsHelp: values.help ?? false,
  };
}

/** Text of `--help`. */
export function usage(rows: readonly string[]): string {
  return `npm run bench [-- OPTIONS]

  --quick          short runs; the figures are rough
  --only NAME      only these rows; may be repeated, or names joined by commas
  --json FILE      write everything that was measured as JSON
  --write-docs     put the table into docs/bench.md
  --profile NAME   show where the node spends its time in one row, instead of measuring

Rows: ${rows.join(", ")}
`;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean" },
        only: { type: "string", multiple: true },
        json: { type: "string" },
        "write-docs": { type: "boolean" },
        profile: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

function checkName(option: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  throw new UsageError(`${option} ${name}: there is no such row; rows: ${known.join(", ")}`);
}
