import { readFile } from "node:fs/promises";

/** A curve or a row of bars as the paper shows it. */
export type PaperPoints = readonly (readonly [x: number, y: number])[];

/** A plot of the paper. */
export type PaperPlot = "3" | "4a" | "4b" | "6a" | "6b" | "6c" | "8a" | "8b" | "8c";

/** Where the data of a curve lay: beside the function, on the other edge, in the cloud, on both edges. */
export type PaperCurve = "edge" | "peer" | "cloud" | "replicated";

/** What the paper shows, recovered from its figures; each file says how, and what its x and y are. */
export class PaperCurves {
  readonly #plots: ReadonlyMap<PaperPlot, ReadonlyMap<string, PaperPoints>>;

  private constructor(plots: ReadonlyMap<PaperPlot, ReadonlyMap<string, PaperPoints>>) {
    this.#plots = plots;
  }

  /** Reads the files of the project. */
  static async read(): Promise<PaperCurves> {
    const plots: PaperPlot[] = ["3", "4a", "4b", "6a", "6b", "6c", "8a", "8b", "8c"];
    const read = plots.map(async (plot) => [plot, await readPlot(plot)] as const);
    return new PaperCurves(new Map(await Promise.all(read)));
  }

  /** The points of a curve; none if the paper does not show it. */
  points(plot: PaperPlot, curve: PaperCurve): PaperPoints {
    return this.#plots.get(plot)?.get(curve) ?? [];
  }
}

/** Data is not compiled: it lies beside the sources, as seen from `src` and from `dist`. */
async function readPlot(plot: PaperPlot): Promise<ReadonlyMap<string, PaperPoints>> {
  const file = new URL(`../../../src/experiments/paper/data/figure-${plot}.csv`, import.meta.url);
  const curves = new Map<string, [number, number][]>();
  const lines = (await readFile(file, "utf8"))
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of lines.slice(1)) {
    const [curve = "", x, y] = line.split(",");
    const points = curves.get(curve) ?? [];
    curves.set(curve, points);
    points.push([Number(x), Number(y)]);
  }
  return curves;
}
