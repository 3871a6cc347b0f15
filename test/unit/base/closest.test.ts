import { expect, test } from "vitest";

import { closest, editDistance } from "../../../src/base/closest.js";

test.each([
  ["helo", ["hello", "help-desk"], "hello"],
  ["HELLO", ["hello"], "hello"],
  ["data_dir", ["data-dir", "name"], "data-dir"],
  ["ab", ["ba"], "ba"],
  ["hello", ["world", "quite-other"], undefined],
  ["x", [], undefined],
])("%s among %j is taken for %s", (text, candidates, meant) => {
  expect(closest(text, candidates)).toBe(meant);
});

test.each([
  ["", "abc", 3],
  ["kitten", "sitting", 3],
  ["abcd", "abdc", 1],
  ["same", "same", 0],
])("from %j to %j it is %i steps", (from, to, steps) => {
  expect([editDistance(from, to), editDistance(to, from)]).toEqual([steps, steps]);
});
