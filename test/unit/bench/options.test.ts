import { expect, test } from "vitest";

import { parseOptions, UsageError } from "../../../src/bench/options.js";

const parse = (...args: string[]) => parseOptions(args, ["a", "b", "memory"], ["a", "b"]);

test("rows may be named once, repeatedly and by commas", () => {
  expect(parse("--only", "a,b", "--only", "memory").only).toEqual(["a", "b", "memory"]);
  expect(parse().only).toEqual([]);
});

test.each([
  ["--only", "c"],
  ["--only", "a,"],
  ["--profile", "memory"],
  ["--fast"],
  ["a"],
  ["--write-docs", "--only=a"],
])("refuses %s %s", (...args) => {
  expect(() => parse(...args)).toThrow(UsageError);
});
