import { expect, test } from "vitest";

import { formatDurationMs } from "../../src/base/duration.js";
import { LIMITS } from "../../src/core/limits.js";
import { readPage } from "./pages.js";

const page = await readPage("docs/reference/limits.md");
const rows = [...page.matchAll(/^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$/gm)].map(
  ([, name, value, text]) => ({ name, value, text: text as string }),
);

/** A limit for people, by the unit in its name. */
function show(name: string, limit: number): string {
  if (name.endsWith("Ms")) return formatDurationMs(limit);
  if (!name.includes("Bytes")) return limit.toLocaleString("en-US");
  for (const [unit, sizeBytes] of [
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (limit % sizeBytes === 0) return `${limit / sizeBytes} ${unit}`;
  }
  return `${limit} bytes`;
}

test("the page has every limit with its value, once, and nothing else", () => {
  const expected = Object.entries(LIMITS).map(([name, limit]) => `${name} = ${show(name, limit)}`);
  expect(rows.map(({ name, value }) => `${name} = ${value}`).toSorted()).toEqual(
    expected.toSorted(),
  );
});

test("every row says something", () => {
  for (const { name, text } of rows) expect(text.length, name).toBeGreaterThan(20);
});
