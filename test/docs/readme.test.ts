import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

import { linksOf, listPages, readPage } from "./pages.js";

const INDEX = "docs/README.md";

/** Pages of the project that a page links to. */
async function targetsOf(path: string): Promise<Set<string>> {
  const links = linksOf(await readPage(path));
  return new Set(links.map((link) => normalize(join(dirname(path), link.split("#")[0] ?? ""))));
}

test("the index links to every page of the documentation", async () => {
  const listed = await targetsOf(INDEX);
  const pages = (await listPages()).filter((path) => path.startsWith("docs/") && path !== INDEX);
  expect(pages.filter((path) => !listed.has(path))).toEqual([]);
});

test("the front page leads to the tutorial, the index, the architecture and how to contribute", async () => {
  const listed = await targetsOf("README.md");
  for (const page of [
    "docs/start.md",
    INDEX,
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
  ]) {
    expect(listed).toContain(page);
  }
});

test("the front page shows a first function of at most ten lines in both languages", async () => {
  const page = await readPage("README.md");
  const functions = [...page.matchAll(/^```(python|typescript) \S+\n([\s\S]*?)^```$/gm)];
  expect(functions.map(([, language]) => language)).toEqual(["python", "typescript"]);
  for (const [, , code = ""] of functions)
    expect(code.trimEnd().split("\n").length).toBeLessThan(11);
});
