import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Machine } from "../../bench/machine.js";
import { PaperCurves } from "../paper/curves.js";
import type { Point, Scale } from "../results/point.js";
import { ResultSet } from "../results/result-set.js";
import { BrokenResultError, identityOf, nameOf, type ResultStore } from "../results/store.js";
import { thirdsOf } from "../results/thirds.js";
import type { Block } from "./blocks.js";
import { htmlOf } from "./html.js";
import { markdownOf } from "./markdown.js";
import { peersTargetsOf } from "./peers-targets.js";
import { readProfiles } from "./profiles.js";
import { reportOf } from "./report.js";
import type { TargetRow } from "./targets.js";

/** What a report is written from. */
export interface ReportOptions {
  readonly store: ResultStore;
  /** Where it is written; made if need be. */
  readonly folder: string;
  /** What should have been measured. */
  readonly expected: readonly Point[];
  /** All points there are at this scale; results of others are left out. */
  readonly known: readonly Point[];
  /** Titles of the figures, by name. */
  readonly titles: ReadonlyMap<string, string>;
  readonly machine: Machine | undefined;
  readonly scale: Scale;
  /** What `npm run peers -- --json` wrote; need not be there. */
  readonly peersFile: string;
  /** Where Markdown and plots are written, too. */
  readonly docsFolder?: string;
}

/** What was written, and what is not in it. */
export interface WrittenReport {
  readonly files: readonly string[];
  /** Names of points that are expected and not there. */
  readonly missing: readonly string[];
  /** Why a result that is there could not be read, one each. */
  readonly broken: readonly string[];
}

const TITLE = "The experiments of the Enoki paper, repeated";

/** Writes `index.html`, `report.md` and the plots beside it, of all results that can be read. */
export async function writeReport(options: ReportOptions): Promise<WrittenReport> {
  const { store, folder, docsFolder, expected, titles, machine, scale } = options;
  const known = new Set(options.known.map(identityOf));
  const results = new ResultSet();
  const broken: string[] = [];
  const there = new Set<string>();
  for await (const found of store.all()) {
    if (found instanceof BrokenResultError) {
      broken.push(found.message);
    } else if (!known.has(identityOf(found.point))) {
      broken.push(`${nameOf(found.point)} was measured under other parameters`);
    } else {
      results.add(found);
      if (found.point.figure === "partition")
        thirdsOf(found).forEach((third) => results.add(third));
      there.add(nameOf(found.point));
    }
  }
  const missing = expected.map(nameOf).filter((name) => !there.has(name));
  const peersTargets = await readPeersTargets(options.peersFile, broken);
  const expectedTotal = expected.length;
  const profiles = await readProfiles();
  const conditions = { scale, machine, expectedTotal, missing, broken, peersTargets, profiles };
  const curves = await PaperCurves.read();
  const blocks = reportOf({ results, curves, titles, conditions });
  const html = join(folder, "index.html");
  const files = [html, await writeMarkdown(blocks, folder)];
  await writeFile(html, htmlOf(blocks, TITLE));
  if (docsFolder !== undefined) files.push(await writeMarkdown(blocks, docsFolder));
  return { files, missing, broken };
}

/** Writes the report with its plots beside it; returns its path. */
async function writeMarkdown(blocks: readonly Block[], folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const markdown = join(folder, "report.md");
  await writeFile(markdown, markdownOf(blocks));
  for (const block of blocks) {
    if (block.kind === "plot") await writeFile(join(folder, `${block.file}.svg`), block.svg);
  }
  return markdown;
}

async function readPeersTargets(file: string, broken: string[]): Promise<TargetRow[]> {
  if (!existsSync(file)) return [];
  try {
    return peersTargetsOf(await readFile(file, "utf8"));
  } catch (error) {
    broken.push(`${file} is nothing that npm run peers wrote: ${(error as Error).message}`);
    return [];
  }
}
