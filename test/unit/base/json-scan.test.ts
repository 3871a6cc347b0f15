import * as fc from "fast-check";
import { expect, test } from "vitest";

import { findJsonFault, measureJson } from "../../../src/base/json-scan.js";

const DEPTH_MAX = 1000;
const faultOf = (text: string) => findJsonFault(Buffer.from(text), DEPTH_MAX);

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test.each([
  "0",
  "-0",
  "1.5e+9",
  "-12E3",
  '""',
  '"\\u00e4\\n\\/"',
  '"grüße 😀"',
  "true",
  "null",
  "[]",
  "{}",
  " [1 , 2] ",
  '{"a":{"b":[{}]},"":0}',
  "[[],[[]],{}]",
  '\t{ "a" : [ ] }\r\n',
  "",
  " ",
  "01",
  "-",
  "1.",
  ".5",
  "1e",
  "+1",
  "nul",
  "truex",
  "NaN",
  "'a'",
  '"',
  '"\\x"',
  '"\\u00g0"',
  '"\\u12"',
  '"a\nb"',
  "[",
  "[1,]",
  "[,1]",
  "[1 2]",
  "{",
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  "{1:2}",
  '{"a":1 "b":2}',
  "[}",
  "{]",
  "[1]]",
  "1 1",
  "\uFEFF1",
  "[1},",
  '{"a":1]',
])("%j is JSON exactly when a parser says so", (text) => {
  expect(faultOf(text) === undefined).toBe(isJson(text));
});

test("any JSON is taken, and what is changed at one place is taken when a parser takes it", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.constantFrom(...'[]{}",:\\ 0-e.tu\n'), (text, n, wrong) => {
      expect(faultOf(text)).toBeUndefined();
      const at = n % (text.length + 1);
      for (const changed of [
        text.slice(0, at) + wrong + text.slice(at),
        text.slice(0, at) + wrong + text.slice(at + 1),
        text.slice(0, at),
      ]) {
        // Half a surrogate pair is no UTF-8 and never gets here.
        if (changed.isWellFormed()) expect(faultOf(changed) === undefined).toBe(isJson(changed));
      }
    }),
    { numRuns: 2000 },
  );
});

test("the fault is where the text stops being JSON", () => {
  expect(faultOf('{"a":[1,x]}')).toEqual({ at: 8, isTooDeep: false });
  expect(faultOf('{"a":1')).toEqual({ at: 6, isTooDeep: false });
});

test("nesting ends at the depth that is allowed", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  expect(faultOf(nested(DEPTH_MAX))).toBeUndefined();
  expect(faultOf(nested(DEPTH_MAX + 1))).toEqual({ at: DEPTH_MAX, isTooDeep: true });
  expect(faultOf('{"":'.repeat(DEPTH_MAX + 1))).toMatchObject({ isTooDeep: true });
  expect(faultOf("[".repeat(16 * 1024 * 1024))).toEqual({ at: DEPTH_MAX, isTooDeep: true });
});

test("the parts of a text are counted outside its strings", () => {
  const text = '{"a,[\\"{":[1,2,{"b":null}]}';
  expect(measureJson(Buffer.from(text), 0)).toEqual({ parts: 7, depth: 3 });
  expect(measureJson(Buffer.from(`xx${text}`), 2)).toEqual({ parts: 7, depth: 3 });
});
