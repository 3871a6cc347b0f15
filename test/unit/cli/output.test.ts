import { expect, test } from "vitest";

import { ago, fields, preview, printable, table } from "../../../src/cli/output.js";

test("a table lines its columns up and ends no line with blanks", () => {
  expect(
    table(
      ["NAME", "N"],
      [
        ["long name", "1"],
        ["b", ""],
      ],
    ),
  ).toBe("NAME       N\nlong name  1\nb\n");
});

test("a table without rows is nothing", () => {
  expect(table(["NAME"], [])).toBe("");
});

test("fields leave out what is not there", () => {
  expect(
    fields([
      ["a", "1"],
      ["long", undefined],
      ["bcd", "2"],
    ]),
  ).toBe("a    1\nbcd  2\n");
});

test("control characters in names cannot reach the terminal", () => {
  expect(printable("a\u001b[31m\nb")).toBe("a\\u001b[31m\\nb");
  expect(table(["N"], [["x\ny"]])).toBe("N\nx\\ny\n");
});

test("a preview is one line, cut, and tells the size of bytes", () => {
  expect(preview("x".repeat(100), 5)).toBe("xxxx…");
  expect(preview({ a: "b\n" })).toBe('{"a":"b\\n"}');
  expect(preview(new Uint8Array(3))).toBe("<3 bytes>");
});

test.each([
  [400, "0s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [3_600_000 * 25, "1d"],
  [-5, "0s"],
])("%i ms ago is shown as %s", (ageMs, shown) => {
  expect(ago(new Date(1_000_000_000_000 - ageMs).toISOString(), 1_000_000_000_000)).toBe(shown);
});
