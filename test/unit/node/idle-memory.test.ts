import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { createCollector, releaseIdleMemory } from "../../../src/node/idle-memory.js";
import { systemTimers } from "../../../src/ports/timers.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A process whose work is told, and which counts its collections. */
function startProcess() {
  const counted = { busyMs: 0, collections: 0 };
  const stop = releaseIdleMemory({
    timers: systemTimers,
    busyMs: () => counted.busyMs,
    collect: () => {
      counted.collections += 1;
      counted.busyMs += 50;
    },
  });
  return { counted, stop };
}

it("collects once after work, within 40 s of its end, and not again while idle", () => {
  const { counted } = startProcess();
  for (let at = 0; at < 5; at++) {
    counted.busyMs += 2000;
    vi.advanceTimersByTime(20_000);
  }
  expect(counted.collections).toBe(0);
  vi.advanceTimersByTime(40_000);
  expect(counted.collections).toBe(1);
  vi.advanceTimersByTime(3_600_000);
  expect(counted.collections).toBe(1);
});

it("takes little work for idleness, and collects after much of it", () => {
  const { counted } = startProcess();
  for (let at = 0; at < 10; at++) {
    counted.busyMs += 100;
    vi.advanceTimersByTime(20_000);
  }
  expect(counted.collections).toBe(1);
});

it("stops", () => {
  const { counted, stop } = startProcess();
  counted.busyMs += 5000;
  stop();
  vi.advanceTimersByTime(3_600_000);
  expect(counted.collections).toBe(0);
});

it("collects this process's garbage without making gc() known to it", () => {
  const collect = createCollector();
  let large: ArrayBuffer | undefined = new ArrayBuffer(64 * 2 ** 20);
  expect(large.byteLength).toBe(64 * 2 ** 20);
  const before = process.memoryUsage().arrayBuffers;
  large = undefined;
  collect();
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(before - 32 * 2 ** 20);
  expect("gc" in globalThis).toBe(false);
});
