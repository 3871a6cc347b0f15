import { formatDurationMs } from "../base/duration.js";

/** A table for people: a heading line, then a line per row; `""` without rows. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  const lines = [headings, ...rows.map((row) => row.map(printable))];
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => (line[i] ?? "").length)));
  const shown = lines.map((line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join("  ")
      .trimEnd(),
  );
  return `${shown.join("\n")}\n`;
}

/** Names and values, one per line; rows whose value is `undefined` are left out. */
export function fields(
  rows: readonly (readonly [name: string, value: string | undefined])[],
): string {
  const given = rows.filter(([, value]) => value !== undefined) as [string, string][];
  const width = Math.max(...given.map(([name]) => name.length));
  const lines = given.map(([name, value]) =>
    `${name.padEnd(width)}  ${printable(value)}`.trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

/** One line of JSON. */
export function jsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Text that cannot move the cursor or break a line: control characters are escaped. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}

/** A value on one line, cut to `lengthMax` characters. */
export function preview(value: unknown, lengthMax = 80): string {
  const shown =
    value instanceof Uint8Array
      ? `<${value.length} bytes>`
      : typeof value === "string"
        ? value
        : JSON.stringify(value);
  const line = printable(shown);
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax - 1)}…`;
}

/** How long ago a time was, in its largest unit: `5s`, `3m`, `2d`. */
export function ago(time: string, nowMs: number): string {
  const ageMs = Math.max(0, nowMs - Date.parse(time));
  const sizesMs = [86_400_000, 3_600_000, 60_000, 1000];
  const sizeMs = sizesMs.find((size) => ageMs >= size) ?? 1000;
  return formatDurationMs(Math.floor(ageMs / sizeMs) * sizeMs).replace(/^0ms$/, "0s");
}
