import { expect, test, vi } from "vitest";

import type { KeygroupName } from "../../../src/core/ids.js";
import { LIMITS } from "../../../src/core/limits.js";
import { Freshness } from "../../../src/keygroups/freshness.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { ManualClock, openTestKeygroup } from "../../helpers/memory-keygroup.js";

/** How stale a replica is, as the test says. */
function freshnessOf(bound: { ms: number }): { freshness: Freshness; clock: ManualClock } {
  const clock = new ManualClock();
  const options = { keygroup: "kg" as KeygroupName, clock, timers: systemTimers };
  return { clock, freshness: new Freshness({ ...options, boundMs: () => bound.ms }) };
}

test("a read waits until the bound is good enough, and no longer", async () => {
  const bound = { ms: 500 };
  const { freshness } = freshnessOf(bound);
  expect(freshness.enter(500, 1000)).toBeUndefined();
  const done = vi.fn<() => void>();
  const entered = freshness.enter(100, 60_000)?.then(done);
  bound.ms = 101;
  freshness.changed();
  await Promise.resolve();
  expect(done).not.toHaveBeenCalled();
  bound.ms = 100;
  freshness.changed();
  await entered;
});

test("a read that waits in vain is told how stale the data may be", async () => {
  const { freshness } = freshnessOf({ ms: 500.2 });
  await expect(freshness.enter(100, 1)).rejects.toMatchObject({
    code: "ENOKI_STALE",
    message: expect.stringContaining("501 ms old"),
  });
  const unheard = freshnessOf({ ms: Infinity }).freshness;
  await expect(unheard.enter(100, 1)).rejects.toThrow("not been heard of");
});

test("reads are turned away when too many wait already", async () => {
  const { freshness } = freshnessOf({ ms: 500 });
  const waiting = Array.from({ length: LIMITS.queueLengthMax }, () => freshness.enter(1, 50));
  await expect(freshness.enter(1, 50)).rejects.toMatchObject({ code: "ENOKI_QUEUE_FULL" });
  const ends = await Promise.allSettled(waiting);
  expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(["rejected"]));
});

test("the bound of a span is the greatest in it", () => {
  const bound = { ms: 50 };
  const { freshness, clock } = freshnessOf(bound);
  freshness.changed();
  clock.wallMs += 1;
  const sinceMs = clock.monotonicMs();
  clock.wallMs += 399;
  bound.ms = 20;
  freshness.changed();
  clock.wallMs += 10;
  bound.ms = 30;
  expect(freshness.greatestSinceMs(sinceMs)).toBe(450);
  expect(freshness.greatestSinceMs(clock.monotonicMs())).toBe(30);
});

test("a keygroup that nobody replicates is never stale", async () => {
  const { keygroup, clock } = await openTestKeygroup();
  clock.wallMs += 60_000;
  expect([keygroup.freshness.boundMs, keygroup.freshness.greatestSinceMs(0)]).toEqual([0, 0]);
  await keygroup.close();
});
