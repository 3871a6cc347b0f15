import { describe, expect, it } from "vitest";
import {
  applyDelta,
  counterNumber,
  crdtJson,
  deltaTag,
  joinStates,
  type Delta,
} from "../../../../src/core/crdt/index.js";
import { parseDot } from "../../../../src/core/dot.js";
import { utf8Text } from "../../../../src/core/text.js";
import { TAG, type TypedValue } from "../../../../src/core/value.js";
import { version } from "../versions.js";

function apply(state: TypedValue, delta: Delta, dot: string): TypedValue {
  return applyDelta(state, delta, { dot: parseDot(dot)!, hlc: parseDot(dot)!.counter });
}

function json(state: TypedValue): unknown {
  return JSON.parse(utf8Text(crdtJson(state)));
}

describe("CRDT values", () => {
  it("begin empty: 0, [] and {}", () => {
    expect([TAG.counter, TAG.set, TAG.map].map((tag) => json(joinStates(tag, [])))).toEqual([
      0,
      [],
      {},
    ]);
  });

  it.each<[Delta[], unknown]>([
    [
      [
        { type: "counter.add", n: 5 },
        { type: "counter.add", n: -7 },
      ],
      -2,
    ],
    [
      [
        { type: "set.add", member: 1 },
        { type: "set.add", member: "é" },
        { type: "set.remove", member: 1 },
      ],
      ["é"],
    ],
    [
      [
        { type: "map.set", field: "a", value: [1] },
        { type: "map.add", field: "n", n: 2 },
        { type: "map.remove", field: "a" },
      ],
      { n: 2 },
    ],
  ])("apply deltas %j", (deltas, shown) => {
    let state = joinStates(deltaTag(deltas[0] as Delta), []);
    deltas.forEach((delta, i) => {
      state = apply(state, delta, `1.0.${i + 1}`);
    });
    expect(json(state)).toEqual(shown);
  });

  it("join the versions of their own type only, in whatever order they are given", () => {
    const one = apply(joinStates(TAG.counter, []), { type: "counter.add", n: 1 }, "1.0.1");
    const two = apply(joinStates(TAG.counter, []), { type: "counter.add", n: 2 }, "2.0.1");
    const set = apply(joinStates(TAG.set, []), { type: "set.add", member: 1 }, "3.0.1");
    const versions = [version("3.0.1", 3, set), version("2.0.1", 2, two), version("1.0.1", 1, one)];
    const joined = joinStates(TAG.counter, versions);
    expect(counterNumber(joined)).toBe(3);
    expect(joinStates(TAG.counter, versions.reverse())).toEqual(joined);
  });

  it("refuse a delta of another type, which is a bug of the caller", () => {
    expect(() => apply(joinStates(TAG.set, []), { type: "counter.add", n: 1 }, "1.0.1")).toThrow(
      /state of its type/,
    );
  });
});
