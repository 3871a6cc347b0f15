import * as fc from "fast-check";
import { expect, test } from "vitest";

import { decodeItem, encodeItem, soleValue, type Version } from "../../../src/core/item.js";
import { TAG, type Tag } from "../../../src/core/value.js";
import { visibleValue } from "../../../src/core/visible.js";

const version: fc.Arbitrary<Version> = fc.record({
  dot: fc.record({
    epoch: fc.nat(300),
    restart: fc.nat(300),
    counter: fc.integer({ min: 1, max: 2 ** 40 }),
  }),
  hlc: fc.integer({ min: 0, max: 2 ** 52 }),
  value: fc.record({
    tag: fc.constantFrom<Tag>(TAG.tombstone, TAG.str, TAG.bytes, TAG.json),
    bytes: fc.uint8Array({ maxLength: 300 }),
  }),
  expiresAtMs: fc.constantFrom(0, 500, 1000, 1001, 2 ** 41),
  invocation: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { nil: undefined }),
  isPinned: fc.boolean(),
});

test("the short way to a value gives what the long way gives, or nothing", () => {
  let short = 0;
  fc.assert(
    fc.property(fc.array(version, { minLength: 1, maxLength: 3 }), (versions) => {
      const row = encodeItem(versions);
      const sole = soleValue(row, 1000);
      if (!sole) return;
      short += 1;
      expect(versions).toHaveLength(1);
      expect(sole).toEqual(visibleValue("lww", decodeItem(row), 1000));
    }),
    { numRuns: 2000, seed: 7 },
  );
  expect(short).toBeGreaterThan(200);
});
