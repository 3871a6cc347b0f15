import { expect, test } from "vitest";

import { createPrng } from "../../../src/base/prng.js";
import { BoundHistory } from "../../../src/core/bound-history.js";

test("one that never was anything but 0 is 0", () => {
  const history = new BoundHistory();
  expect(history.greatestMs(0, 1000, 0)).toBe(0);
  history.note(2000, 0);
  expect(history.greatestMs(500, 60_000, 0)).toBe(0);
});

test("what held before the interval does not count, and what held in it does", () => {
  const history = new BoundHistory();
  history.note(0, 10);
  // It has grown to 310 by now, when it falls to 5.
  history.note(300, 5);
  history.note(400, 8);
  expect(history.greatestMs(299, 420, 28)).toBe(310);
  expect(history.greatestMs(301, 420, 28)).toBe(105);
  expect(history.greatestMs(419, 420, 28)).toBe(28);
});

test("while nothing is known of a member there is no bound, and whoever began then has none", () => {
  const history = new BoundHistory();
  history.note(0, Infinity);
  history.note(100, 40);
  expect(history.greatestMs(90, 150, 90)).toBe(Infinity);
  expect(history.greatestMs(101, 150, 90)).toBe(90);
  expect(history.greatestMs(140, 150, Infinity)).toBe(Infinity);
});

test("over random times it is never below the bound at any read, and is that of the worst read when noted at once", () => {
  const random = createPrng(7);
  for (let run = 0; run < 200; run++) {
    const history = new BoundHistory();
    // Every bound that held, at each ms; what is learnt is noted late or at once.
    const isLate = run % 2 === 1;
    const bounds: number[] = [];
    let asOf = -5;
    history.note(0, 5);
    const sinceMs = Math.floor(random.next() * 300);
    for (let now = 0; now <= 400; now++) {
      bounds.push(now - asOf);
      const hasFallen = random.next() < 0.05;
      if (hasFallen) asOf = Math.max(asOf, now - Math.floor(random.next() * 40) - 1);
      if (hasFallen && !(isLate && random.next() < 0.5)) history.note(now, now - asOf);
    }
    const worst = Math.max(...bounds.slice(sinceMs));
    const said = history.greatestMs(sinceMs, 400, 400 - asOf);
    expect(said).toBeGreaterThanOrEqual(worst);
    if (!isLate) expect(said).toBeLessThanOrEqual(worst + 400);
  }
});

test("it keeps a bounded number of peaks, and is then too great rather than too small", () => {
  const history = new BoundHistory();
  for (let n = 0; n < 10_000; n++) history.note(n * 1000, 1);
  for (let n = 0; n < 1000; n++) history.note(10_000_000 + n * 1000 + (1000 - n), 1);
  expect(history.greatestMs(9_000_000, 11_000_500, 500)).toBeGreaterThanOrEqual(999);
});
