import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareDots, formatDot, includesDot, parseDot } from "../../../src/core/dot.js";
import { hlcFromMs, hlcToMs, tick } from "../../../src/core/hlc.js";

describe("dots", () => {
  it("are written as 1.3.27 and read back", () => {
    const dot = { epoch: 1, restart: 3, counter: 27 };
    expect(formatDot(dot)).toBe("1.3.27");
    expect(parseDot("1.3.27")).toEqual(dot);
  });

  it.each(["", "1.3", "1.3.0", "01.3.4", "1.3.27 ", "1.3.-1", "1.3.99999999999999999", "a.b.c"])(
    "are not read from %j",
    (text) => expect(parseDot(text)).toBeUndefined(),
  );

  it("are ordered by member, then restart, then counter", () => {
    const dots = ["2.0.1", "1.1.1", "1.0.9", "1.0.10"].map((text) => parseDot(text)!);
    expect(dots.sort(compareDots).map(formatDot)).toEqual(["1.0.9", "1.0.10", "1.1.1", "2.0.1"]);
    expect(includesDot(dots, { epoch: 1, restart: 1, counter: 1 })).toBe(true);
    expect(includesDot(dots, { epoch: 1, restart: 1, counter: 2 })).toBe(false);
  });
});

describe("hybrid time", () => {
  it("rises with every tick and is never behind the wall clock", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(10_000)), (walls) => {
        let hlc = 0;
        for (const wallMs of walls) {
          const next = tick(hlc, wallMs);
          expect(next).toBeGreaterThan(hlc);
          expect(hlcToMs(next)).toBeGreaterThanOrEqual(wallMs);
          hlc = next;
        }
      }),
    );
  });

  it("runs a millisecond ahead after 1,024 ticks within one", () => {
    let hlc = hlcFromMs(5);
    for (let i = 0; i < 1024; i++) hlc = tick(hlc, 5);
    expect(hlcToMs(hlc)).toBe(6);
  });

  it("is exact until the year 2248", () => {
    const wallMs = Date.UTC(2248, 0, 1);
    expect(Number.isSafeInteger(hlcFromMs(wallMs) + 1023)).toBe(true);
    expect(hlcToMs(hlcFromMs(wallMs) + 1023)).toBe(wallMs);
  });
});
