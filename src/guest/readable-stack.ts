import { readFileSync, statSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { fileURLToPath } from "node:url";

/** A larger source map would take more of the instance's memory than a line number is worth. */
const SOURCE_MAP_BYTES_MAX = 4 * 1024 * 1024;

/** Ends a frame: where a call stands, as a path or URL, line and column. */
const PLACE = /((?:file:\/\/)?\/[^()]*):(\d+):(\d+)(\)?)$/;

/** `undefined`: there is none. */
const sourceMaps = new Map<string, SourceMap | undefined>();

/**
 * A stack as its author wants to read it: lines of the bundle become lines of their own files, and
 * the frames of `guestFile` are left out.
 *
 * why not the engine's own support: it reads the map at each cold start; this at the first error.
 */
export function readableStack(stack: string, guestFile: string | undefined): string {
  const own = guestFile === undefined ? [] : [`${guestFile}:`];
  const lines = stack.split("\n").filter((line) => !own.some((path) => line.includes(path)));
  while (/^ +at .*\(?node:internal\//.test(lines.at(-1) ?? "")) lines.pop();
  return lines.map(withOriginalPlace).join("\n");
}

function withOriginalPlace(line: string): string {
  if (!/^ +at /.test(line)) return line;
  return line.replace(PLACE, (place, file: string, row: string, column: string, end: string) => {
    const path = file.startsWith("file:") ? fileURLToPath(file) : file;
    const origin = sourceMapOf(path)?.findEntry(Number(row) - 1, Number(column) - 1);
    if (origin === undefined || !("originalSource" in origin)) return place;
    const { originalSource, originalLine, originalColumn } = origin;
    return `${originalSource}:${originalLine + 1}:${originalColumn + 1}${end}`;
  });
}

function sourceMapOf(path: string): SourceMap | undefined {
  if (!sourceMaps.has(path)) sourceMaps.set(path, readSourceMap(`${path}.map`));
  return sourceMaps.get(path);
}

function readSourceMap(path: string): SourceMap | undefined {
  try {
    if (statSync(path).size > SOURCE_MAP_BYTES_MAX) return undefined;
    return new SourceMap(JSON.parse(readFileSync(path, "utf8")) as SourceMapPayload);
  } catch {
    return undefined;
  }
}
