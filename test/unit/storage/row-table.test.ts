import { expect, test } from "vitest";
import * as fc from "fast-check";

import { RowTable } from "../../../src/storage/row-table.js";

const bytes = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value & 0xff);
const numberOf = (key: Uint8Array): number => ((key[0] as number) << 8) | (key[1] as number);

/** Few keys, so that blocks fill, split, empty and fill again. */
const key = fc.integer({ min: 0, max: 2000 });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("fill" as const),
      key,
      count: fc.integer({ min: 1, max: 700 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("clear" as const),
      key,
      count: fc.integer({ min: 1, max: 700 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("remove" as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("range" as const),
      start: fc.option(key, { nil: undefined }),
      end: fc.option(key, { nil: undefined }),
      reverse: fc.boolean(),
      limit: fc.option(fc.integer({ min: 0, max: 600 }), { nil: undefined }),
    }),
  },
);

test("a table answers as a sorted list of its rows does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const table = new RowTable();
      const rows = new Map<number, Uint8Array>();
      let value = 0;
      const put = (at: number): void => {
        const next = bytes(value++ & 0xffff);
        expect(table.replace(bytes(at), next)).toBe(rows.get(at));
        rows.set(at, next);
      };
      const drop = (at: number): void => {
        expect(table.remove(bytes(at))).toBe(rows.get(at));
        rows.delete(at);
      };
      for (const one of steps) {
        if (one.type === "fill") for (let i = 0; i < one.count; i++) put(one.key + i * 3);
        else if (one.type === "clear") for (let i = 0; i < one.count; i++) drop(one.key + i);
        else if (one.type === "remove") drop(one.key);
        else {
          const { start, end, reverse, limit } = one;
          const found = table.range({
            ...(start !== undefined && { start: bytes(start) }),
            ...(end !== undefined && { end: bytes(end) }),
            ...(limit !== undefined && { limit }),
            reverse,
          });
          const expected = [...rows.keys()]
            .filter((at) => at >= (start ?? 0) && at < (end ?? Infinity))
            .sort((a, b) => (reverse ? b - a : a - b))
            .slice(0, limit);
          expect(found.map((row) => numberOf(row.key))).toEqual(expected);
          expect(found.map((row) => row.value)).toEqual(expected.map((at) => rows.get(at)));
        }
      }
      for (const at of rows.keys()) expect(table.get(bytes(at))).toBe(rows.get(at));
    }),
    { numRuns: 30 },
  );
});
