import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Point, Result } from "./point.js";
import { samplesFromCsv, samplesToCsv } from "./samples-csv.js";

/** Files of another format are not read. */
const FORMAT = 1;
const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;
/** Other files in the folder are none of a result. */
const DESCRIPTION = /^[a-z0-9-]+-r\d+\.json$/;

/** What a folder holds of a point. `other` = it was measured, but not as it is asked for now. */
export type Held =
  | { readonly kind: "complete"; readonly result: Result }
  | { readonly kind: "absent" }
  | { readonly kind: "other" }
  | { readonly kind: "broken"; readonly why: string };

/** A file of results that cannot be read; the message names the file and says why. */
export class BrokenResultError extends Error {
  override readonly name = "BrokenResultError";
}

/** What describes a result beside its samples. */
interface Description extends Omit<Result, "samples"> {
  readonly format: number;
  readonly samples: { readonly total: number; readonly sha256: string };
}

/**
 * The results of points, two files each: samples as CSV, everything else as JSON.
 *
 * 1. The JSON is written last, and both appear by a rename: what can be loaded was saved to its end.
 * 2. The JSON holds the hash of the CSV: two files of different runs never pass as one result.
 */
export class ResultStore {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder if need be. */
  static async open(folder: string): Promise<ResultStore> {
    await mkdir(folder, { recursive: true });
    return new ResultStore(folder);
  }

  /** What there is of `point`, whatever the commit that was measured. */
  async find(point: Point): Promise<Held> {
    try {
      const result = await this.#load(nameOf(point));
      if (result === undefined) return { kind: "absent" };
      return identityOf(result.point) === identityOf(point)
        ? { kind: "complete", result }
        : { kind: "other" };
    } catch (error) {
      if (!(error instanceof BrokenResultError)) throw error;
      return { kind: "broken", why: error.message };
    }
  }

  /** Stores a result, in the place of an earlier one of its point. */
  async save(result: Result): Promise<void> {
    const name = nameOf(result.point);
    const csv = samplesToCsv(result.samples);
    const samples = { total: result.samples.length, sha256: hashOf(csv) };
    const description: Description = { format: FORMAT, ...result, samples };
    await this.#write(`${name}.csv`, csv);
    await this.#write(`${name}.json`, `${JSON.stringify(description, null, 2)}\n`);
  }

  /** All results, one after the other. What cannot be read comes as the error that says why. */
  async *all(): AsyncGenerator<Result | BrokenResultError> {
    const files = (await readdir(this.#folder)).filter((file) => DESCRIPTION.test(file));
    for (const file of files.sort()) {
      try {
        const result = await this.#load(file.slice(0, -".json".length));
        if (result !== undefined) yield result;
      } catch (error) {
        if (!(error instanceof BrokenResultError)) throw error;
        yield error;
      }
    }
  }

  async #load(name: string): Promise<Result | undefined> {
    const path = join(this.#folder, `${name}.json`);
    const text = await readIfThere(path);
    if (text === undefined) return undefined;
    const description = descriptionOf(text, path);
    if (nameOf(description.point) !== name) throw broken(path, "is about another point");
    const csvPath = join(this.#folder, `${name}.csv`);
    const csv = await readIfThere(csvPath);
    if (csv === undefined) throw broken(csvPath, "is missing");
    const { format: _, samples: expected, ...rest } = description;
    if (hashOf(csv) !== expected.sha256)
      throw broken(csvPath, `is not what ${name}.json describes`);
    const samples = samplesFromCsv(csv);
    if (samples.length !== expected.total) throw broken(csvPath, "has too few samples");
    return { ...rest, samples };
  }

  async #write(file: string, text: string): Promise<void> {
    const path = join(this.#folder, file);
    await writeFile(`${path}.partial`, text);
    await rename(`${path}.partial`, path);
  }
}

/** What a point is called in files and messages, such as `3-edge-awaited-r1`. @throws Error if its names are none */
export function nameOf({ figure, name, repeat }: Point): string {
  if (!NAME.test(figure) || !NAME.test(name) || !Number.isInteger(repeat)) {
    throw new Error(`no name of a point: figure "${figure}", "${name}", repeat ${repeat}`);
  }
  return `${figure}-${name}-r${repeat}`;
}

/** Equal for two points if a result of the one is a result of the other. */
export function identityOf(point: Point): string {
  const parameters = Object.entries(point.parameters).sort(([a], [b]) => (a < b ? -1 : 1));
  const { figure, name, repeat, seed, loadS, cutS } = point;
  return JSON.stringify([figure, name, repeat, seed, loadS, cutS, parameters]);
}

function descriptionOf(text: string, path: string): Description {
  let description: Partial<Description> | null;
  try {
    description = JSON.parse(text) as Partial<Description> | null;
  } catch {
    throw broken(path, "is no JSON");
  }
  if (description?.format !== FORMAT) throw broken(path, `is not of format ${FORMAT}`);
  const { point, samples, measuredAt, commit, network } = description;
  const isWhole =
    typeof point?.figure === "string" &&
    typeof point.name === "string" &&
    typeof point.parameters === "object" &&
    [point.repeat, point.seed, point.loadS, point.cutS, samples?.total].every(Number.isFinite) &&
    [samples?.sha256, measuredAt, commit, network].every((value) => typeof value === "string");
  if (!isWhole) throw broken(path, "lacks a part");
  return description as Description;
}

function broken(path: string, why: string): BrokenResultError {
  return new BrokenResultError(`${path} ${why}`);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
