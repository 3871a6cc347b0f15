import { formatDot } from "../../core/dot.js";
import type { Vector } from "../../core/vector.js";

/** What a vector covers, for people. */
export function vectorText(vector: Vector): string {
  const entries = vector.entries().filter(({ counter }) => counter > 0);
  return entries.map(formatDot).join(" ");
}
