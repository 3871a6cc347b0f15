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

describe("a vector that knows its members", () => {
  const of = (epoch: number, ...origins: (readonly [number, number, number])[]): Vector =>
    new Vector(
      origins.map(([epoch, restart, counter]) => ({ epoch, restart, counter })),
      epoch,
    );
  const at = (epoch: number, restart: number) => ({ epoch, restart, counter: 7 });

  it("takes who is not listed, though of an earlier record, for retired", () => {
    const own = of(3, [2, 0, 1]);
    expect(own.covers(at(1, 0))).toBe(true);
    expect(own.covers(at(2, 0))).toBe(false);
    expect(own.covers(at(4, 0))).toBe(false);
    expect(of(0, [2, 0, 1]).covers(at(1, 0))).toBe(false);
  });

  it("takes a restart that is not listed for retired only if a later one is listed", () => {
    const own = of(3, [2, 3, 1]);
    expect(own.covers(at(2, 2))).toBe(true);
    expect(own.covers(at(2, 4))).toBe(false);
    expect(new Vector([at(2, 3)]).covers(at(2, 2))).toBe(false);
  });

  it("lists new members once, at 0, and never those that it may have retired", () => {
    const own = of(2, [2, 0, 5]);
    own.listMembers([1, 2, 3], 4);
    expect(own.entries().map(({ epoch, counter }) => [epoch, counter])).toEqual([
      [2, 5],
      [3, 0],
    ]);
    expect([own.epoch, own.covers(at(3, 0))]).toEqual([4, false]);
  });

  it("joins what the other does not know yet, and drops what the other has retired", () => {
    const own = of(3, [1, 0, 9], [2, 0, 4]);
    own.join(of(4, [2, 0, 5], [2, 1, 1], [4, 0, 0]));
    expect(own.entries().map(({ epoch, restart }) => [epoch, restart])).toEqual([
      [2, 0],
      [2, 1],
      [4, 0],
    ]);
    expect(own.get({ epoch: 2, restart: 0 })).toBe(5);
  });

  it("does not list again what it has retired", () => {
    const own = of(3, [2, 1, 4]);
    own.join(of(3, [1, 0, 9], [2, 0, 7], [2, 1, 4]));
    expect(own.entries()).toEqual([{ epoch: 2, restart: 1, counter: 4 }]);
  });

  it("covers the same after a join, in whichever order the other listed its restarts", () => {
    const own = of(1, [1, 0, 1]);
    own.join(of(2, [2, 1, 3], [2, 0, 5], [1, 0, 1]));
    expect([own.get({ epoch: 2, restart: 0 }), own.get({ epoch: 2, restart: 1 })]).toEqual([5, 3]);
  });
});
