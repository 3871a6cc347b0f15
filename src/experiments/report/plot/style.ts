/** How a series looks. */
export interface Style {
  readonly colour: string;
  readonly marker: Marker;
  /** Published numbers are dashed and hollow, ours are solid. */
  readonly isPublished: boolean;
}

/** What stands on a line, so that it is known without colour. */
export type Marker = "circle" | "square" | "triangle" | "diamond";

/** From dark to light: four colours that differ in grey too. */
export const COLOURS = ["#14213d", "#9b2f1f", "#3aa981", "#f0b429"] as const;

const MARKERS: readonly Marker[] = ["circle", "square", "triangle", "diamond"];

/** The looks of the series of that index, 0 to 3: as published, or as we measured it. */
export function styleOf(index: 0 | 1 | 2 | 3, source: "paper" | "ours"): Style {
  return {
    colour: COLOURS[index],
    marker: MARKERS[index] as Marker,
    isPublished: source === "paper",
  };
}
