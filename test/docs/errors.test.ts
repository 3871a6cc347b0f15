import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { ERRORS, type ErrorCode } from "../../src/core/errors.js";
import { readPage } from "./pages.js";

/** Shorter says no more than the title does. */
const USEFUL_CHARACTERS = 80;

const page = await readPage("docs/reference/errors.md");
const sections = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const [code = "", facts = "", ...text] = section.split(/^## /m, 1)[0]?.split("\n") ?? [];
      return [code, { facts, text: text.join("\n").trim() }];
    }),
);
const codes = Object.keys(ERRORS) as ErrorCode[];

/** Every code that stands in a test of the product. */
const tested = new Set<string>();
for (const path of await readdir("test", { recursive: true })) {
  if (!path.endsWith(".test.ts") || path.startsWith("docs/")) continue;
  const text = await readFile(join("test", path), "utf8");
  for (const [code] of text.matchAll(/\bENOKI_[A-Z_]+\b/g)) tested.add(code);
}

test("the page has a section for every code, once, and for nothing else", () => {
  expect([...page.matchAll(/^### (.*)$/gm)].map(([, code]) => code).toSorted()).toEqual(
    codes.toSorted(),
  );
});

test.each(codes)("%s has the status, exit code and title that the catalogue says", (code) => {
  const { status, exitCode, title } = ERRORS[code];
  expect(sections.get(code)?.facts).toBe(
    `HTTP status ${status} · exit code ${exitCode} · ${title}`,
  );
});

test.each(codes)("%s is explained", (code) => {
  expect(sections.get(code)?.text.length).toBeGreaterThan(USEFUL_CHARACTERS);
});

test.each(codes)("%s stands in a test of the product", (code) => {
  expect(tested).toContain(code);
});

test("every exit code in use is in the table of exit codes", () => {
  const inTable = [...page.matchAll(/^\| (\d) \|/gm)].map(([, exitCode]) => Number(exitCode));
  const inUse = codes.map((code) => ERRORS[code].exitCode as number);
  expect([...new Set([0, ...inUse])].toSorted()).toEqual(inTable);
});
