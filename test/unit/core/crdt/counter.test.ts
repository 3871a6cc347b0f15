import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addToCounter,
  counterValue,
  decodeCounter,
  EMPTY_COUNTER,
  encodeCounter,
  joinCounters,
  type CounterState,
} from "../../../../src/core/crdt/counter.js";
import { parseDot } from "../../../../src/core/dot.js";

function add(state: CounterState, n: number, dot: string): CounterState {
  return addToCounter(state, n, parseDot(dot)!);
}

/** States that really occur: what a cell says depends on the dot that wrote it alone. */
const anyState = fc
  .array(fc.record({ epoch: fc.nat(3), counter: fc.integer({ min: 1, max: 9 }) }), { maxLength: 5 })
  .map((cells) =>
    cells
      .map(({ epoch, counter }) => [{ epoch, restart: 0, counter, sum: counter * 7 - epoch * 30 }])
      .reduce((joined, state) => [...joinCounters(joined, state)], [] as CounterState),
  );

describe("a counter", () => {
  it("adds what every origin has added", () => {
    const left = add(add(EMPTY_COUNTER, 2, "1.0.1"), 3, "1.0.2");
    const right = add(add(EMPTY_COUNTER, 2, "1.0.1"), -10, "2.0.1");
    expect(counterValue(joinCounters(left, right))).toBe(-5);
  });

  it("joins commutatively, associatively and idempotently, to the byte", () => {
    fc.assert(
      fc.property(anyState, anyState, anyState, (a, b, c) => {
        const bytes = encodeCounter(joinCounters(a, b));
        expect(encodeCounter(joinCounters(b, a))).toEqual(bytes);
        expect(joinCounters(joinCounters(a, b), c)).toEqual(joinCounters(a, joinCounters(b, c)));
        expect(joinCounters(a, a)).toEqual(a);
        expect(decodeCounter(bytes)).toEqual(joinCounters(a, b));
      }),
    );
  });

  it("takes an origin's newer cell even when a delete made its sum smaller", () => {
    const before = add(EMPTY_COUNTER, 5, "1.0.1");
    const concurrent = add(before, 1, "2.0.1");
    const afterDelete = add(EMPTY_COUNTER, 1, "1.0.3");
    expect(counterValue(joinCounters(concurrent, afterDelete))).toBe(2);
    expect(counterValue(joinCounters(afterDelete, concurrent))).toBe(2);
  });

  it.each([2 ** 53, 0.5, Number.NaN, Infinity])("refuses to add %d", (n) => {
    expect(() => add(EMPTY_COUNTER, n, "1.0.1")).toThrow(/2\^53−1/);
  });

  it("refuses a sum beyond the exact integers", () => {
    const full = add(EMPTY_COUNTER, Number.MAX_SAFE_INTEGER, "1.0.1");
    expect(() => add(full, 1, "1.0.2")).toThrow(/2\^53−1/);
    expect(() => add(full, 1, "2.0.1")).toThrow(/2\^53−1/);
    expect(counterValue(decodeCounter(encodeCounter(add(full, -1, "2.0.1"))))).toBe(2 ** 53 - 2);
  });
});
