import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Heartbeat } from "../../../src/core/heartbeat.js";
import { StalenessTracker } from "../../../src/core/staleness.js";
import { Vector } from "../../../src/core/vector.js";

const RECORD = { epoch: 2, members: [1, 2], past: [] };

function vectorOf(counter: number, epoch = 2): Vector {
  return new Vector([{ epoch: 2, restart: 0, counter }], epoch);
}

function beat(more: Partial<Heartbeat>): Heartbeat {
  const [applied, durable] = [vectorOf(0), new Vector()];
  const who = { epoch: 2, member: 2, restart: 0, isServing: true };
  return { ...who, applied, durable, hlc: 0, stamp: 0, echo: undefined, ...more };
}

describe("the bound of staleness", () => {
  it("is 0 for a single replica, and infinite until every member has echoed", () => {
    const single = new StalenessTracker(1, { epoch: 1, members: [1], past: [] });
    expect(single.boundMs(50, new Vector())).toBe(0);
    const tracker = new StalenessTracker(1, RECORD);
    tracker.heard(2, beat({}));
    expect(tracker.boundMs(50, vectorOf(0))).toBe(Infinity);
  });

  it("counts from the own stamp that the member had got before it said what it has", () => {
    const tracker = new StalenessTracker(1, RECORD);
    const { stamp } = tracker.exchange(2, 100);
    tracker.heard(2, beat({ echo: stamp, applied: vectorOf(3) }));
    expect(tracker.boundMs(130, vectorOf(2))).toBe(Infinity);
    expect(tracker.boundMs(140, vectorOf(3))).toBe(40);
    expect(tracker.boundMs(1000, vectorOf(3))).toBe(900);
  });

  it("echoes the latest stamp of the member", () => {
    const tracker = new StalenessTracker(1, RECORD);
    expect(tracker.exchange(2, 1).echo).toBeUndefined();
    tracker.heard(2, beat({ stamp: 77 }));
    expect(tracker.exchange(2, 2).echo).toBe(77);
    tracker.forget(2);
    expect(tracker.exchange(2, 3).echo).toBeUndefined();
  });

  it("is not held up by claims that come faster than they are covered", () => {
    const tracker = new StalenessTracker(1, RECORD);
    for (let i = 1; i <= 50; i++) {
      const { stamp } = tracker.exchange(2, i * 10);
      tracker.heard(2, beat({ echo: stamp, applied: vectorOf(i) }));
      const bound = tracker.boundMs(i * 10, vectorOf(i - 1));
      if (i > 2) expect(bound).toBeLessThanOrEqual(20);
    }
  });

  it("counts no claim of a later record, whose new members are not known here", () => {
    const tracker = new StalenessTracker(1, RECORD);
    const early = tracker.exchange(2, 100).stamp;
    tracker.heard(2, beat({ echo: early, applied: vectorOf(1) }));
    const { stamp } = tracker.exchange(2, 200);
    tracker.heard(2, beat({ echo: stamp, applied: vectorOf(1), epoch: 3 }));
    expect(tracker.boundMs(210, vectorOf(1))).toBe(110);
    tracker.adopt({ epoch: 3, members: [1, 2, 3], past: [] });
    tracker.heard(3, beat({ echo: tracker.exchange(3, 205).stamp, member: 3, epoch: 3 }));
    expect(tracker.boundMs(210, vectorOf(1))).toBe(10);
  });

  it("believes no stamp that it has not sent, or sent before the link broke", () => {
    const tracker = new StalenessTracker(1, RECORD);
    const { stamp } = tracker.exchange(2, 100);
    tracker.heard(2, beat({ echo: stamp + 1 }));
    expect(tracker.boundMs(200, vectorOf(0))).toBe(Infinity);
    tracker.forget(2);
    tracker.heard(2, beat({ echo: stamp }));
    expect(tracker.boundMs(200, vectorOf(0))).toBe(Infinity);
  });

  it("does not wait for what an earlier run of the member has lost", () => {
    const tracker = new StalenessTracker(1, RECORD);
    const first = tracker.exchange(2, 100);
    tracker.heard(2, beat({ echo: first.stamp, applied: vectorOf(9) }));
    const second = tracker.exchange(2, 200);
    tracker.heard(2, beat({ echo: second.stamp, restart: 1 }));
    expect(tracker.boundMs(210, vectorOf(5))).toBe(10);
  });

  it("counts a member that joins as one that has written nothing", () => {
    const tracker = new StalenessTracker(1, RECORD);
    const { stamp } = tracker.exchange(2, 100);
    tracker.heard(2, beat({ echo: stamp, isServing: false, applied: vectorOf(9) }));
    expect(tracker.boundMs(110, vectorOf(0))).toBe(10);
  });

  it("goes on with who was removed until the others show all they have without it", () => {
    const tracker = new StalenessTracker(1, { epoch: 3, members: [1, 2, 3], past: [] });
    const echo = (member: number, atMs: number, epoch: number): void => {
      const { stamp } = tracker.exchange(member, atMs);
      tracker.heard(member, beat({ member, echo: stamp, epoch }));
      tracker.boundMs(atMs, vectorOf(0));
    };
    echo(2, 100, 3);
    echo(3, 100, 3);
    tracker.adopt({ epoch: 4, members: [1, 2], past: [3] });
    echo(2, 500, 3);
    expect(tracker.boundMs(500, vectorOf(0))).toBe(400);
    echo(2, 600, 4);
    expect(tracker.boundMs(600, vectorOf(0))).toBe(0);
  });

  it("of who has just started is infinite until all have shown that they know the record", () => {
    const tracker = new StalenessTracker(1, { epoch: 4, members: [1, 2], past: [3] });
    for (const [epoch, bound] of [
      [3, Infinity],
      [4, 0],
    ] as const) {
      const { stamp } = tracker.exchange(2, 100);
      tracker.heard(2, beat({ echo: stamp, epoch }));
      expect(tracker.boundMs(100, vectorOf(0))).toBe(bound);
    }
  });

  it("is never below the truth, whatever is lost, late or out of order", () => {
    const step = fc.record({
      kind: fc.integer({ min: 0, max: 5 }),
      pick: fc.nat(9),
      afterMs: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const here = new StalenessTracker(1, RECORD);
        const there = new StalenessTracker(2, RECORD);
        const toHere: Heartbeat[] = [];
        const toThere: Heartbeat[] = [];
        const writtenMs: number[] = [];
        let applied = 0;
        let nowMs = 0;
        for (const { kind, pick, afterMs } of steps) {
          nowMs += afterMs;
          const vector = vectorOf(writtenMs.length);
          if (kind === 0) writtenMs.push(nowMs);
          else if (kind === 1) applied = Math.min(writtenMs.length, applied + 1 + (pick % 3));
          else if (kind === 2) toThere.push(beat({ member: 1, ...here.exchange(2, nowMs) }));
          else if (kind === 3) {
            toHere.push(beat({ applied: vector, ...there.exchange(1, nowMs + 5e6) }));
          } else if (kind === 4) {
            for (const one of toThere.splice(pick % (toThere.length || 1), 1)) there.heard(1, one);
          } else {
            for (const one of toHere.splice(pick % (toHere.length || 1), 1)) here.heard(2, one);
          }
          const trueMs = applied < writtenMs.length ? nowMs - (writtenMs[applied] as number) : 0;
          expect(here.boundMs(nowMs, vectorOf(applied))).toBeGreaterThanOrEqual(trueMs);
        }
      }),
      { numRuns: 300 },
    );
  });
});
