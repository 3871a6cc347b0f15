import { showExportedValue } from "./json-values.js";
import type { ExportedItem } from "./types.js";

/** The last millisecond that a date can hold. */
const TIME_MS_MAX = 8.64e15;

/** An item as a line of an export, which `enoki kv import` reads. */
export function exportLine({ key, value, expiresAtMs }: ExportedItem): string {
  const shown = { key, value: showExportedValue(value) };
  if (expiresAtMs === 0) return JSON.stringify(shown);
  const expiresAt = new Date(Math.min(expiresAtMs, TIME_MS_MAX)).toISOString();
  return JSON.stringify({ ...shown, expiresAt });
}
