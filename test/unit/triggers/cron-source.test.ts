import { array, assert, asyncProperty, integer, nat, record } from "fast-check";
import { expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { VirtualTime } from "../../../src/sim/cluster/virtual-time.js";
import { parseCronExpression } from "../../../src/triggers/cron/cron-expression.js";
import { scheduleOf } from "../../../src/triggers/cron/cron-schedule.js";
import { CATCH_UP_MS, CronSource } from "../../../src/triggers/cron/cron-source.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START_MS = Date.parse("2027-01-15T00:00:30Z");

/** A clock, timers and what was fired, for sources that begin and end. */
function world() {
  const time = new VirtualTime();
  const fired: string[] = [];
  const skew = { ms: 0 };
  let refusing = false;
  const nowMs = (): number => START_MS + time.nowMs + skew.ms;
  return {
    time,
    fired,
    skew,
    nowMs,
    refuse: (isRefused: boolean) => (refusing = isRefused),
    begin: (expression: string, sinceMs = nowMs()) =>
      new CronSource({
        name: "f",
        schedule: scheduleOf(parseCronExpression(expression)),
        sinceMs,
        clock: { nowMs, monotonicMs: () => time.nowMs },
        timers: time,
        random: () => 0.5,
        logger: silentLogger,
        fire: async (tickMs) => {
          time.settled();
          if (refusing) throw new EnokiError("ENOKI_OUTBOX_FULL", "full");
          fired.push(new Date(tickMs).toISOString().slice(11, 16));
        },
      }),
  };
}

test("fires each tick once, at its time", async () => {
  const { time, fired, begin } = world();
  begin("*/5 * * * *");
  await time.run(4 * MINUTE);
  expect(fired).toEqual([]);
  await time.run(16 * MINUTE);
  expect(fired).toEqual(["00:05", "00:10", "00:15"]);
});

test("fires nothing when it is closed, and can say when it would have", async () => {
  const { time, fired, begin } = world();
  const source = begin("0 1 * * *");
  expect(source.nextMs).toBe(Date.parse("2027-01-15T01:00:00Z"));
  await source.close();
  await time.run(3 * HOUR);
  expect(fired).toEqual([]);
});

test("a deploy fires no tick from before it", async () => {
  const { time, fired, begin } = world();
  begin("* * * * *");
  await time.run(1000);
  expect(fired).toEqual([]);
});

test("a node that takes over makes up the tick of the last minute, and no older one", async () => {
  const { time, fired, begin } = world();
  const deployedMs = START_MS - HOUR;
  begin("* * * * *", deployedMs);
  await time.run(1);
  expect(fired).toEqual(["00:00"]);
  const rare = world();
  rare.begin("59 23 * * *", deployedMs);
  await rare.time.run(1);
  expect(rare.fired).toEqual([]);
});

test("a clock that is set back fires no tick twice", async () => {
  const { time, fired, skew, begin } = world();
  begin("*/10 * * * *");
  await time.run(25 * MINUTE);
  skew.ms = -15 * MINUTE;
  await time.run(50 * MINUTE);
  expect(fired).toEqual(["00:10", "00:20", "00:30"]);
});

test("a clock that was far ahead and is set right goes on from there", async () => {
  const { time, fired, skew, begin } = world();
  skew.ms = 48 * HOUR;
  begin("*/10 * * * *");
  await time.run(15 * MINUTE);
  skew.ms = 0;
  await time.run(35 * MINUTE);
  expect(fired).toEqual(["00:10", "00:20", "00:30"]);
});

test("a clock that leaps ahead, or a machine that slept, makes up the last minute alone", async () => {
  const { time, fired, skew, begin } = world();
  begin("*/10 * * * *");
  await time.run(5 * MINUTE);
  skew.ms = 34 * MINUTE + 45_000;
  await time.run(5 * MINUTE + 40_000);
  expect(fired).toEqual(["00:40"]);
  skew.ms += 35 * MINUTE;
  await time.run(7 * MINUTE);
  expect(fired).toEqual(["00:40"]);
});

test("a tick that cannot be stored is tried again, until it is too old", async () => {
  const { time, fired, refuse, begin } = world();
  begin("*/10 * * * *");
  refuse(true);
  await time.run(10 * MINUTE);
  refuse(false);
  await time.run(11 * MINUTE);
  expect(fired).toEqual(["00:10"]);
  refuse(true);
  await time.run(20 * MINUTE + CATCH_UP_MS);
  refuse(false);
  await time.run(31 * MINUTE);
  expect(fired).toEqual(["00:10", "00:30"]);
});

test("nodes that take turns skip no tick, however their views differ for up to half a minute", async () => {
  await assert(
    asyncProperty(
      array(record({ afterS: integer({ min: 1, max: 200 }), lagS: nat(29) }), {
        minLength: 1,
        maxLength: 12,
      }),
      async (turns) => {
        const { time, fired, nowMs, begin } = world();
        const deployedMs = nowMs();
        let chosen = begin("* * * * *", deployedMs);
        for (const { afterS, lagS } of turns) {
          await time.run(time.nowMs + afterS * 1000);
          // One node goes; the next one hears of it later.
          await chosen.close();
          await time.run(time.nowMs + lagS * 1000);
          chosen = begin("* * * * *", deployedMs);
        }
        await time.run(time.nowMs + MINUTE);
        const minutes = Math.floor((nowMs() - START_MS + 30_000) / MINUTE);
        expect(new Set(fired).size).toBe(minutes);
      },
    ),
    { numRuns: 100 },
  );
});
