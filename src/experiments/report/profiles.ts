import { readFile } from "node:fs/promises";

import { heading, text, type Block } from "./blocks.js";

/** A line of a profile of processors: what part of the code used how much of a request. */
export interface ProfileRow {
  /** What was loaded, such as `moving average, strict, 32 connections`. */
  readonly what: string;
  /** The part of the code. */
  readonly module: string;
  readonly sharePercent: number;
  readonly microsPerRequest: number;
  /** The commit that was profiled. */
  readonly commit: string;
}

/** Data is not compiled: it lies beside the sources, as seen from `src` and from `dist`. */
const FILE = new URL("../../../src/experiments/report/data/profiles.json", import.meta.url);

/** The profiles that the project keeps; `docs/experiments.md` says how one is made. */
export async function readProfiles(): Promise<readonly ProfileRow[]> {
  return JSON.parse(await readFile(FILE, "utf8")) as ProfileRow[];
}

/** The profiles as a table; nothing if there are none. */
export function profilesSection(rows: readonly ProfileRow[]): Block[] {
  if (rows.length === 0) return [];
  return [
    heading(3, "Profiles"),
    text(
      "Made with the profiler of Node, apart from the experiments, and kept in `src/experiments/report/data/profiles.json`.",
    ),
    {
      kind: "table",
      head: ["what", "part of the code", "share", "of a request", "commit"],
      texts: ["part of the code", "commit"],
      rows: rows.map(({ what, module, sharePercent, microsPerRequest, commit }) => [
        what,
        module,
        `${sharePercent} %`,
        `${microsPerRequest} µs`,
        commit,
      ]),
    },
  ];
}
