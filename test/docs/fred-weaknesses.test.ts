import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { PROJECT_DIR, readPage } from "./pages.js";

const page = await readPage("docs/internals/fred-weaknesses.md");
const rows = [...page.matchAll(/^\| (\d+) \| .+ \| (.+) \|$/gm)].map(([, number, proof]) => ({
  number: Number(number),
  proof: proof as string,
}));

test("each of the 26 weaknesses has its row, in order", () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 26 }, (_, i) => i + 1));
});

test.each(rows)("the tests of weakness $number exist: $proof", ({ proof }) => {
  const paths = [...proof.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path as string);
  expect(paths).not.toEqual([]);
  expect(paths.filter((path) => !existsSync(join(PROJECT_DIR, path)))).toEqual([]);
});
