import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { isAsShown, stepsOf, withOutputs } from "../helpers/page-steps.js";
import { walkThrough } from "../helpers/walkthrough.js";
import { PROJECT_DIR, readPage } from "./pages.js";

/** Pages that show what one gets; each is walked through from an empty folder. */
const PAGES = [
  "README.md",
  "docs/start.md",
  "docs/guides/write-a-function.md",
  "docs/guides/operate.md",
  "docs/guides/observe.md",
  "docs/guides/calls.md",
];

/** With `ENOKI_DOCS_UPDATE=1` the outputs on the pages are written anew instead of compared. */
const isUpdate = process.env["ENOKI_DOCS_UPDATE"] === "1";

const hasTools = ["curl", "python3"].every(
  (tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0,
);

test.skipIf(!hasTools).each(PAGES)(
  "whoever does what %s says gets what it shows",
  async (path) => {
    const { shown, got } = await walkThrough(await readPage(path));
    if (isUpdate) await writeFile(join(PROJECT_DIR, path), got);
    else expect(got).toBe(shown);
  },
  300_000,
);

describe("the check", () => {
  const page = "```python a/fn.py\nx = 1\n```\n```console\n$ one\nA\n…\nZ\n$ two\n^C\nbye\n```\n";

  test("reads files, commands with their output, and the end of the node", () => {
    expect(stepsOf(page)).toEqual([
      { kind: "file", path: "a/fn.py", content: "x = 1\n" },
      { kind: "command", command: "one", output: "A\n…\nZ\n" },
      { kind: "command", command: "two", output: "" },
      { kind: "stop", output: "bye\n" },
    ]);
  });

  test("puts other outputs in their places and leaves the rest of the page", () => {
    expect(withOutputs(page, ["1\n", "2\n", "3\n"])).toBe(
      "```python a/fn.py\nx = 1\n```\n```console\n$ one\n1\n$ two\n2\n^C\n3\n```\n",
    );
  });

  test.each([
    ["ready in 12 ms", "ready in 9 ms", true],
    ["visitor 1", "visitor 2", false],
    ["A\n…\nZ", "A\nb\nc\nZ", true],
    ["A\n…\nZ", "A\nb", false],
    ["status 200", "status 500", false],
    ["1 (running 0)", "1 (running 1)", false],
  ])("takes %j for %j: %s", (shown, actual, isEqual) => {
    expect(isAsShown(shown, actual)).toBe(isEqual);
  });
});
