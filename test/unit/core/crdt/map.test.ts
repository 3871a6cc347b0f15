import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addToField,
  decodeMap,
  EMPTY_MAP,
  encodeMap,
  fieldCounterValue,
  joinMaps,
  mapJson,
  removeField,
  setField,
  type MapState,
} from "../../../../src/core/crdt/map.js";
import { parseDot } from "../../../../src/core/dot.js";

function at(dot: string, hlc: number) {
  return { dot: parseDot(dot)!, hlc };
}

const anyPair = fc
  .array(fc.tuple(fc.nat(1), fc.nat(3), fc.constantFrom("f", "g")), { maxLength: 12 })
  .map((steps) => {
    const states: MapState[] = [EMPTY_MAP, EMPTY_MAP];
    const counters = [0, 0];
    let hlc = 0;
    for (const [who, kind, field] of steps) {
      const own = states[who] as MapState;
      if (kind === 3) {
        states[who] = joinMaps(own, states[1 - who] as MapState);
        continue;
      }
      counters[who] = (counters[who] as number) + 1;
      const now = at(`${who + 1}.0.${counters[who]}`, ++hlc);
      if (kind === 0) states[who] = setField(own, field, hlc, now);
      if (kind === 1) states[who] = addToField(own, field, 1, now);
      if (kind === 2) states[who] = removeField(own, field, now.dot);
    }
    return states as [MapState, MapState];
  });

describe("a map", () => {
  it("keeps the latest value of a register and adds up a counter", () => {
    const base = addToField(
      setField(EMPTY_MAP, "r", "old", at("1.0.1", 1)),
      "n",
      1,
      at("1.0.2", 2),
    );
    const left = addToField(setField(base, "r", "left", at("1.0.3", 3)), "n", 2, at("1.0.4", 4));
    const right = addToField(setField(base, "r", "right", at("2.0.1", 5)), "n", 4, at("2.0.2", 6));
    expect(mapJson(joinMaps(left, right))).toBe('{"n":7,"r":"right"}');
    expect(fieldCounterValue(joinMaps(left, right), "n")).toBe(7);
  });

  it("shows the part written last when one side set and the other added", () => {
    const left = setField(EMPTY_MAP, "f", "text", at("1.0.1", 1));
    const right = addToField(EMPTY_MAP, "f", 5, at("2.0.1", 2));
    expect(mapJson(joinMaps(left, right))).toBe('{"f":5}');
    const later = setField(EMPTY_MAP, "f", "text", at("1.0.1", 3));
    expect(mapJson(joinMaps(later, right))).toBe('{"f":"text"}');
    expect(fieldCounterValue(joinMaps(later, right), "f")).toBeUndefined();
  });

  it("starts a counter from 0 where a register was", () => {
    const state = setField(EMPTY_MAP, "f", 40, at("1.0.1", 1));
    expect(mapJson(addToField(state, "f", 2, at("1.0.2", 2)))).toBe('{"f":2}');
  });

  it("lets an update win over a concurrent removal, with what the field held", () => {
    const base = addToField(EMPTY_MAP, "n", 5, at("1.0.1", 1));
    const removed = removeField(base, "n", parseDot("1.0.2")!);
    const updated = addToField(base, "n", 1, at("2.0.1", 2));
    expect(mapJson(joinMaps(removed, updated))).toBe('{"n":6}');
  });

  it("keeps a removal although the other side changed another field", () => {
    const base = addToField(EMPTY_MAP, "n", 5, at("1.0.1", 1));
    const again = addToField(removeField(base, "n", parseDot("1.0.2")!), "n", 1, at("1.0.3", 3));
    const other = setField(base, "r", 1, at("2.0.1", 2));
    expect(mapJson(joinMaps(again, other))).toBe('{"n":1,"r":1}');
    expect(mapJson(joinMaps(other, removeField(base, "n", parseDot("1.0.2")!)))).toBe('{"r":1}');
  });

  it("joins commutatively and idempotently, to the byte", () => {
    fc.assert(
      fc.property(anyPair, ([a, b]) => {
        const bytes = encodeMap(joinMaps(a, b));
        expect(encodeMap(joinMaps(b, a))).toEqual(bytes);
        expect(encodeMap(joinMaps(a, a))).toEqual(encodeMap(a));
        expect(encodeMap(joinMaps(joinMaps(a, b), b))).toEqual(bytes);
        expect(encodeMap(decodeMap(bytes))).toEqual(bytes);
      }),
    );
  });
});
