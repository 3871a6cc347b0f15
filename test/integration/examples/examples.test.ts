import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { walkThrough } from "../../helpers/walkthrough.js";

const EXAMPLES_DIR = join(import.meta.dirname, "../../../examples");

/** Data that the others use, and no function. */
const NO_FUNCTIONS: ReadonlySet<string> = new Set(["weather"]);

const examples = readdirSync(EXAMPLES_DIR).filter((name) => !NO_FUNCTIONS.has(name));

/** As for the documentation's pages: writes the outputs anew instead of comparing them. */
const isUpdate = process.env["ENOKI_DOCS_UPDATE"] === "1";

test.each(examples)("the example %s does what its page shows", async (name) => {
  const path = join(EXAMPLES_DIR, name, "README.md");
  const page = readFileSync(path, "utf8");
  const { shown, got } = await walkThrough(page, { files: EXAMPLES_DIR, first: "enoki up" });
  expect(got).toContain("$ enoki deploy");
  if (isUpdate) await writeFile(path, got);
  else expect(got).toBe(shown);
});

test("listing 1 is the paper's, to the letter", () => {
  expect(readFileSync(join(EXAMPLES_DIR, "listing-1/fn.py"), "utf8").trimEnd()).toBe(
    [
      "import kv",
      "def call(i: str) -> str:",
      '    curr = kv.get(key="current")',
      '    curr = curr + "Hello World!\\n"',
      '    kv.set(key="current", val=curr)',
      "    return curr",
    ].join("\n"),
  );
});
