import type { Point, Scale } from "../results/point.js";

/** How the points of a figure are measured at one scale. */
export interface Extent {
  readonly repeats: number;
  readonly loadS: number;
  readonly cutS: number;
}

/** A set of parameters. */
export interface Setting {
  readonly name: string;
  readonly parameters: Point["parameters"];
}

/**
 * All settings once, then all of them again: what a machine is busy with for a while does not fall on
 * all repeats of one.
 */
export function repeated(
  figure: string,
  { repeats, loadS, cutS }: Extent,
  settings: readonly Setting[],
): readonly Point[] {
  return Array.from({ length: repeats }, (_, at) => at + 1).flatMap((repeat) =>
    settings.map(({ name, parameters }, at) => {
      const seed = repeat * 1000 + at;
      return { figure, name, repeat, seed, loadS, cutS, parameters };
    }),
  );
}

/** What holds at each scale. */
export type AtScale<T> = Readonly<Record<Scale, T>>;
