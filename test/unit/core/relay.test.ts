import { beforeEach, describe, expect, it } from "vitest";
import { Relay } from "../../../src/core/relay.js";
import { Stamps } from "../../../src/core/stamps.js";
import type { Standing } from "../../../src/core/standing.js";
import { Vector } from "../../../src/core/vector.js";

const RECORD = { epoch: 4, members: [1, 2, 3, 4], past: [] };

function stand(counter: number, more: Partial<Standing> = {}): Standing {
  const applied = new Vector([{ epoch: 3, restart: 0, counter }], 4);
  return { epoch: 4, member: 3, restart: 0, isServing: true, applied, durable: applied, ...more };
}

describe("what is known of a member", () => {
  let relay: Relay;
  const known = () => {
    const { standing, asOf, from } = relay.known(3) ?? {};
    return [standing?.applied.get({ epoch: 3, restart: 0 }), asOf, from];
  };

  beforeEach(() => {
    relay = new Relay(RECORD);
  });

  it("is the furthest that it said, as of the latest stamp, whoever told which", () => {
    relay.note(stand(5), 100, 3);
    relay.note(stand(4), 120, 2);
    expect(known()).toEqual([5, 120, 2]);
    relay.note(stand(6), 110, 3);
    expect(known()).toEqual([6, 120, 2]);
    relay.note(stand(7), undefined, 3);
    expect(known()).toEqual([7, 120, 2]);
  });

  it("begins anew with a later run of it, and hears nothing more of an earlier one", () => {
    relay.note(stand(5), 100, 3);
    relay.note(stand(2, { restart: 1 }), undefined, 3);
    expect(known()).toEqual([2, -Infinity, 3]);
    relay.note(stand(9), 200, 2);
    expect(known()).toEqual([2, -Infinity, 3]);
  });

  it("is forgotten once it is no member", () => {
    relay.note(stand(5), 100, 3);
    relay.adopt({ epoch: 5, members: [1, 2, 4], past: [3] });
    expect(known()).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    ["wants it", { member: 4, wants: [3] }, {}, 1],
    ["does not want it", { member: 4, wants: [2] }, {}, 0],
    ["has said it", { member: 2, wants: [3] }, {}, 0],
    ["is that member", { member: 3, wants: [3] }, {}, 0],
    ["is of a later record than what was said", { member: 4, wants: [3] }, { epoch: 3 }, 0],
    ["may be out of the record of what was said", { member: 4, wants: [3] }, { epoch: 5 }, 0],
  ])("is told to who %s: as often as is right", (_, receiver, more, times) => {
    relay.note(stand(5, more), 100, 2);
    expect(relay.tell({ ...receiver, echoAt: () => 7 }).length).toBe(times);
    expect(relay.tell({ ...receiver, echoAt: () => undefined })).toEqual([]);
  });

  it("is told with the receiver's own stamp from before that moment, over any number of links", () => {
    // 2 and 4 have links to 1 and 3 in this row: 2 - 1 - 4, and 3 behind 4. No two clocks agree.
    const clocks = { one: 1000, two: 5, four: 77_000 };
    const [twoToOne, oneToTwo] = [new Stamps(), new Stamps()];
    const [oneToFour, fourToOne] = [new Stamps(), new Stamps()];
    const pass = (ms: number): void => {
      for (const name of ["one", "two", "four"] as const) clocks[name] += ms;
    };
    oneToTwo.received(twoToOne.next(clocks.two) as number, clocks.one + 1, true);
    pass(10);
    fourToOne.received(oneToFour.next(clocks.one) as number, clocks.four + 1, true);
    pass(10);
    oneToTwo.received(twoToOne.next(clocks.two) as number, clocks.one + 1, true);
    const heardOfThree = (clocks.four + 5) * 1000;
    const asOfOne = fourToOne.echoAt(heardOfThree) as number;
    expect(oneToFour.isOwn(asOfOne)).toBe(true);
    const asOfTwo = oneToTwo.echoAt(asOfOne) as number;
    expect(asOfTwo).toBe(5000);
    expect(twoToOne.isOwn(asOfTwo)).toBe(true);
  });
});

describe("the stamps of a link", () => {
  it("are own only if they were made on it, one at most in a microsecond", () => {
    const stamps = new Stamps();
    expect([stamps.next(10), stamps.next(10), stamps.next(10.001)]).toEqual([
      10_000,
      undefined,
      10_001,
    ]);
    expect([9_999, 10_000, 10_001, 10_002].map((stamp) => stamps.isOwn(stamp))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it("of the other end are echoed as the latest, and remembered more sparsely the older they are", () => {
    const stamps = new Stamps();
    for (let ms = 1; ms <= 5000; ms++) stamps.received(ms, ms, true);
    stamps.received(17, 5001, true);
    expect(stamps.echo).toBe(5000);
    for (const ageMs of [0, 5, 20, 60]) {
      const echo = stamps.echoAt((5000 - ageMs) * 1000) as number;
      expect(5000 - ageMs - echo).toBeGreaterThanOrEqual(0);
      expect(5000 - ageMs - echo).toBeLessThanOrEqual(1 + ageMs / 4);
    }
    expect(stamps.echoAt(0)).toBeUndefined();
  });

  it("of who needs no relay are not remembered", () => {
    const stamps = new Stamps();
    stamps.received(1, 1, true);
    stamps.received(2, 2, false);
    expect([stamps.echo, stamps.echoAt(9000)]).toEqual([2, undefined]);
  });
});
