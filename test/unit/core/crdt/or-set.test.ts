import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json } from "../../../../src/core/crdt/json.js";
import {
  addToSet,
  decodeSet,
  EMPTY_SET,
  encodeSet,
  joinSets,
  removeFromSet,
  setJson,
  type SetState,
} from "../../../../src/core/crdt/or-set.js";
import { parseDot } from "../../../../src/core/dot.js";

function add(state: SetState, member: Json, dot: string): SetState {
  return addToSet(state, member, parseDot(dot)!);
}

function remove(state: SetState, member: Json, dot: string): SetState {
  return removeFromSet(state, member, parseDot(dot)!);
}

/** Three replicas that add, remove and take over each other's state: all their states. */
const anyStates = fc
  .array(fc.tuple(fc.nat(2), fc.nat(2), fc.constantFrom("x", "y"), fc.nat(2)), { maxLength: 12 })
  .map((steps) => {
    const states = [EMPTY_SET, EMPTY_SET, EMPTY_SET];
    const counters = [0, 0, 0];
    for (const [at, kind, member, from] of steps) {
      const own = states[at] as SetState;
      if (kind === 2) {
        states[at] = joinSets(own, states[from] as SetState);
        continue;
      }
      counters[at] = (counters[at] as number) + 1;
      const dot = `${at + 1}.0.${counters[at]}`;
      states[at] = kind === 0 ? add(own, member, dot) : remove(own, member, dot);
    }
    return states as [SetState, SetState, SetState];
  });

describe("a set", () => {
  it("holds JSON values once each, whatever the order of their object members", () => {
    const state = add(add(EMPTY_SET, { a: 1, b: [2] }, "1.0.1"), { b: [2], a: 1 }, "1.0.2");
    expect(setJson(add(state, "x", "1.0.3"))).toBe('["x",{"a":1,"b":[2]}]');
  });

  it("lets an add win over a concurrent remove", () => {
    const both = add(EMPTY_SET, "x", "1.0.1");
    const joined = joinSets(remove(both, "x", "1.0.2"), add(both, "x", "2.0.1"));
    expect(setJson(joined)).toBe('["x"]');
  });

  it("removes what the remover had seen, also from a state that changed otherwise meanwhile", () => {
    const both = add(EMPTY_SET, "x", "1.0.1");
    expect(setJson(joinSets(remove(both, "x", "1.0.2"), add(both, "y", "2.0.1")))).toBe('["y"]');
  });

  it("joins commutatively, associatively and idempotently, to the byte", () => {
    fc.assert(
      fc.property(anyStates, ([a, b, c]) => {
        const bytes = encodeSet(joinSets(a, b));
        expect(encodeSet(joinSets(b, a))).toEqual(bytes);
        expect(encodeSet(joinSets(joinSets(a, b), c))).toEqual(
          encodeSet(joinSets(a, joinSets(b, c))),
        );
        expect(encodeSet(joinSets(a, a))).toEqual(encodeSet(a));
        expect(encodeSet(decodeSet(bytes))).toEqual(bytes);
      }),
    );
  });

  it("refuses what is no JSON", () => {
    expect(() => add(EMPTY_SET, Number.NaN, "1.0.1")).toThrow(/NaN/);
    expect(() => add(EMPTY_SET, undefined as unknown as Json, "1.0.1")).toThrow(/not JSON/);
  });
});
