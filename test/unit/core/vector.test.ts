import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../src/core/codec.js";
import { Vector } from "../../../src/core/vector.js";

const dot = fc.record({
  epoch: fc.nat(3),
  restart: fc.nat(2),
  counter: fc.integer({ min: 1, max: 5 }),
});
const vector = fc.array(dot, { maxLength: 6 }).map((dots) => new Vector(dots));

describe("Vector", () => {
  it("covers an origin's commits up to the one it advanced to", () => {
    const own = new Vector();
    own.advance({ epoch: 1, restart: 0, counter: 1 });
    own.advance({ epoch: 1, restart: 0, counter: 2 });
    expect(own.covers({ epoch: 1, restart: 0, counter: 2 })).toBe(true);
    expect(own.covers({ epoch: 1, restart: 0, counter: 3 })).toBe(false);
    expect(own.covers({ epoch: 1, restart: 1, counter: 1 })).toBe(false);
  });

  it("refuses to advance over a gap or twice", () => {
    const own = new Vector([{ epoch: 1, restart: 0, counter: 2 }]);
    expect(() => own.advance({ epoch: 1, restart: 0, counter: 4 })).toThrow(/gap/);
    expect(() => own.advance({ epoch: 1, restart: 0, counter: 2 })).toThrow(/gap/);
  });

  it("joins to the least vector that includes both", () => {
    fc.assert(
      fc.property(vector, vector, dot, (left, right, probe) => {
        const joined = left.clone();
        joined.join(right);
        expect(joined.includes(left) && joined.includes(right)).toBe(true);
        expect(joined.covers(probe)).toBe(left.covers(probe) || right.covers(probe));
      }),
    );
  });

  it("compares two vectors from both sides alike", () => {
    const mirrored = { equal: "equal", before: "after", after: "before", concurrent: "concurrent" };
    fc.assert(
      fc.property(vector, vector, (left, right) => {
        expect(right.compare(left)).toBe(mirrored[left.compare(right)]);
        expect(left.compare(right) === "equal").toBe(left.includes(right) && right.includes(left));
      }),
    );
  });

  it("encodes equal vectors to equal bytes, in whatever order they were filled", () => {
    fc.assert(
      fc.property(vector, (own) => {
        const other = new Vector(own.entries().reverse());
        expect(other.encode()).toEqual(own.encode());
        expect(Vector.decode(new ByteReader(own.encode())).compare(own)).toBe("equal");
      }),
    );
  });

  it("knows a later restart of the same member only", () => {
    const own = new Vector([{ epoch: 2, restart: 3, counter: 1 }]);
    expect(own.hasLaterRestart({ epoch: 2, restart: 2 })).toBe(true);
    expect(own.hasLaterRestart({ epoch: 2, restart: 3 })).toBe(false);
    expect(own.hasLaterRestart({ epoch: 1, restart: 0 })).toBe(false);
  });
});
