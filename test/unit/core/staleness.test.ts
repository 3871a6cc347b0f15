import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StalenessTracker } from "../../../src/core/staleness.js";
import { Stamps } from "../../../src/core/stamps.js";
import type { Standing } from "../../../src/core/standing.js";
import { Vector } from "../../../src/core/vector.js";

const RECORD = { epoch: 2, members: [1, 2], past: [] };

function vectorOf(counter: number, epoch = 2): Vector {
  return new Vector([{ epoch: 2, restart: 0, counter }], epoch);
}

function stand(more: Partial<Standing> = {}): Standing {
  const who = { epoch: 2, member: 2, restart: 0, isServing: true };
  return { ...who, applied: vectorOf(0), durable: new Vector(), ...more };
}

const us = (ms: number): number => ms * 1000;

describe("the bound of staleness", () => {
  it("is 0 for a single replica, and infinite until every member has echoed", () => {
    const single = new StalenessTracker(1, { epoch: 1, members: [1], past: [] });
    expect(single.boundMs(50, new Vector())).toBe(0);
    expect(new StalenessTracker(1, RECORD).boundMs(50, vectorOf(0))).toBe(Infinity);
  });

  it("counts from the own stamp that was made before the member said what it has", () => {
    const tracker = new StalenessTracker(1, RECORD);
    tracker.heard(stand({ applied: vectorOf(3) }), us(100));
    expect(tracker.boundMs(130, vectorOf(2))).toBe(Infinity);
    expect(tracker.boundMs(140, vectorOf(3))).toBe(40);
    expect(tracker.boundMs(1000, vectorOf(3))).toBe(900);
  });

  it("is not held up by claims that come faster than they are covered", () => {
    const tracker = new StalenessTracker(1, RECORD);
    for (let i = 1; i <= 50; i++) {
      tracker.heard(stand({ applied: vectorOf(i) }), us(i * 10));
      const bound = tracker.boundMs(i * 10, vectorOf(i - 1));
      if (i > 2) expect(bound).toBeLessThanOrEqual(20);
    }
  });

  it("counts no claim of a later record, whose new members are not known here", () => {
    const tracker = new StalenessTracker(1, RECORD);
    tracker.heard(stand({ applied: vectorOf(1) }), us(100));
    tracker.heard(stand({ applied: vectorOf(1), epoch: 3 }), us(200));
    expect(tracker.boundMs(210, vectorOf(1))).toBe(110);
    tracker.adopt({ epoch: 3, members: [1, 2, 3], past: [] });
    tracker.heard(stand({ member: 3, epoch: 3 }), us(205));
    expect(tracker.boundMs(210, vectorOf(1))).toBe(10);
  });

  it("does not wait for what an earlier run of the member has lost", () => {
    const tracker = new StalenessTracker(1, RECORD);
    tracker.heard(stand({ applied: vectorOf(9) }), us(100));
    tracker.heard(stand({ restart: 1 }), us(200));
    tracker.heard(stand({ applied: vectorOf(9) }), us(205));
    expect(tracker.boundMs(210, vectorOf(5))).toBe(10);
  });

  it("counts a member that joins as one that has written nothing", () => {
    const tracker = new StalenessTracker(1, RECORD);
    tracker.heard(stand({ isServing: false, applied: vectorOf(9) }), us(100));
    expect(tracker.boundMs(110, vectorOf(0))).toBe(10);
  });

  it("goes on with who was removed until the others show all they have without it", () => {
    const tracker = new StalenessTracker(1, { epoch: 3, members: [1, 2, 3], past: [] });
    const hear = (member: number, atMs: number, epoch: number): void => {
      tracker.heard(stand({ member, epoch }), us(atMs));
      tracker.boundMs(atMs, vectorOf(0));
    };
    hear(2, 100, 3);
    hear(3, 100, 3);
    tracker.adopt({ epoch: 4, members: [1, 2], past: [3] });
    hear(2, 500, 3);
    expect(tracker.boundMs(500, vectorOf(0))).toBe(400);
    hear(2, 600, 4);
    expect(tracker.boundMs(600, vectorOf(0))).toBe(0);
  });

  it("is infinite after a member of skipped records, until the others show all they have", () => {
    const tracker = new StalenessTracker(1, RECORD);
    tracker.heard(stand(), us(100));
    expect(tracker.boundMs(100, vectorOf(0))).toBe(0);
    tracker.adopt({ epoch: 4, members: [1, 2], past: [3] });
    tracker.heard(stand(), us(200));
    expect(tracker.boundMs(200, vectorOf(0))).toBe(Infinity);
    tracker.heard(stand({ epoch: 4 }), us(300));
    expect(tracker.boundMs(300, vectorOf(0))).toBe(0);
  });

  it("of who has just started is infinite until all have shown that they know the record", () => {
    const tracker = new StalenessTracker(1, { epoch: 4, members: [1, 2], past: [3] });
    for (const [epoch, bound] of [
      [3, Infinity],
      [4, 0],
    ] as const) {
      tracker.heard(stand({ epoch }), us(100));
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
        const [stamps, theirs] = [new Stamps(), new Stamps()];
        const toHere: { vector: Vector; echo: number | undefined }[] = [];
        const toThere: number[] = [];
        const writtenMs: number[] = [];
        let applied = 0;
        let nowMs = 0;
        for (const { kind, pick, afterMs } of steps) {
          nowMs += afterMs;
          const vector = vectorOf(writtenMs.length);
          if (kind === 0) writtenMs.push(nowMs);
          else if (kind === 1) applied = Math.min(writtenMs.length, applied + 1 + (pick % 3));
          else if (kind === 2) toThere.push(stamps.next(nowMs) as number);
          else if (kind === 3) toHere.push({ vector, echo: theirs.echo });
          else if (kind === 4) {
            for (const stamp of toThere.splice(pick % (toThere.length || 1), 1)) {
              theirs.received(stamp, nowMs + 5e6, false);
            }
          } else {
            for (const { vector, echo } of toHere.splice(pick % (toHere.length || 1), 1)) {
              if (echo !== undefined) here.heard(stand({ applied: vector }), echo);
            }
          }
          const trueMs = applied < writtenMs.length ? nowMs - (writtenMs[applied] as number) : 0;
          expect(here.boundMs(nowMs, vectorOf(applied))).toBeGreaterThanOrEqual(trueMs);
        }
      }),
      { numRuns: 300 },
    );
  });
});
