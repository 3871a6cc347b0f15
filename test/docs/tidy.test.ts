import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { PROJECT_DIR } from "./pages.js";

const LINES_MAX = 350;
const SOURCE_DIRS = ["src", "test", "guest", "clients", "scripts"];
const SOURCE = /\.(?:ts|mjs|py|sh)$/;

test("a source file over 350 lines says why so long in its first comment", async () => {
  const paths = listSources();
  expect(paths).toEqual(
    expect.arrayContaining([
      "src/core/replica.ts",
      "clients/python/enoki_client.py",
      "scripts/test.mjs",
    ]),
  );
  const silent: string[] = [];
  for (const path of paths) {
    const text = await readFile(join(PROJECT_DIR, path), "utf8");
    if (isTooLong(text) && !/why so long/i.test(firstComment(text))) silent.push(path);
  }
  expect(silent).toEqual([]);
});

test.each([
  ["// Why so long: x\n\ncode", "// Why so long: x"],
  ["// a\n// b\ncode // c", "// a\n// b"],
  ["/**\n * a\n */\ncode", "/**\n * a\n */"],
  ['"""a\nb"""\ncode', '"""a\nb"""'],
  ["#!/bin/x\n# a\ncode", "#!/bin/x\n# a"],
  ["code\n// Why so long: x", ""],
])("the first comment of %j is %j", (text, comment) => {
  expect(firstComment(text)).toBe(comment);
});

function isTooLong(text: string): boolean {
  return text.split("\n").length - 1 > LINES_MAX;
}

/** The comment that a text begins with; empty if it begins with anything else. */
function firstComment(text: string): string {
  const [comment = ""] =
    /^(?:"""[\s\S]*?"""|\/\*[\s\S]*?\*\/|(?:(?:\/\/|#)[^\n]*\n)+)/.exec(text) ?? [];
  return comment.trimEnd();
}

/** Tracked sources; where there is no git, as in an unpacked tarball, all that are there. */
function listSources(): string[] {
  const paths = existsSync(join(PROJECT_DIR, ".git"))
    ? execFileSync("git", ["ls-files", ...SOURCE_DIRS], { cwd: PROJECT_DIR, encoding: "utf8" })
        .split("\n")
        .filter((path) => existsSync(join(PROJECT_DIR, path)))
    : SOURCE_DIRS.flatMap((dir) =>
        readdirSync(join(PROJECT_DIR, dir), { recursive: true, encoding: "utf8" }).map(
          (path) => `${dir}/${path}`,
        ),
      );
  return paths.filter((path) => SOURCE.test(path));
}
