import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";

import { anchorsOf, linksOf, listPages, PROJECT_DIR, readPage } from "./pages.js";

/** What is wrong with a link of a page, or `undefined`. */
async function problemOf(page: string, link: string): Promise<string | undefined> {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined;
  const [path = "", anchor] = link.split("#", 2);
  const target = path === "" ? page : normalize(join(dirname(page), decodeURIComponent(path)));
  if (target.startsWith("..")) return `${link} leaves the project`;
  if (!existsSync(join(PROJECT_DIR, target))) return `${link} leads to no file`;
  if (anchor === undefined || !target.endsWith(".md")) return undefined;
  const isThere = anchorsOf(await readPage(target)).has(decodeURIComponent(anchor));
  return isThere ? undefined : `${link} leads to no heading`;
}

test.each(await listPages())("every link of %s leads somewhere", async (page) => {
  const links = linksOf(await readPage(page));
  const problems = await Promise.all(links.map((link) => problemOf(page, link)));
  expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
});

describe("the check", () => {
  const page = "docs/reference/http-api.md";

  test.each(["none.md", "errors.md#none", "#none", "../../../outside.md", "../none/"])(
    "finds that %s leads nowhere",
    async (link) => {
      expect(await problemOf(page, link)).toBeDefined();
    },
  );

  test.each(["errors.md", "errors.md#enoki_internal", "#admin-port", "https://example.org/x"])(
    "takes %s",
    async (link) => {
      expect(await problemOf(page, link)).toBe(undefined);
    },
  );

  test("reads links of all kinds, but none in code", () => {
    const markdown = [
      '[a](a.md) ![b](b.png "title") [c][c] `[no](no.md)`',
      "```\n[no](no.md)\n```",
      "[c]: c.md",
    ].join("\n");
    expect(linksOf(markdown)).toEqual(["a.md", "b.png", "c.md"]);
  });

  test("names headings as GitHub does", () => {
    const markdown = "# A `b` – c!\n\n## Same\n\n## Same\n\n```\n# no\n```\n### ENOKI_X\n";
    expect([...anchorsOf(markdown)]).toEqual(["a-b--c", "same", "same-1", "enoki_x"]);
  });
});
