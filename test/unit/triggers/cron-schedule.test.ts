import { describe, expect, test } from "vitest";

import { parseCronExpression } from "../../../src/triggers/cron/cron-expression.js";
import { scheduleOf } from "../../../src/triggers/cron/cron-schedule.js";

/** The first ticks after a moment. */
function ticks(expression: string, after: string, count = 3): string[] {
  const schedule = scheduleOf(parseCronExpression(expression));
  const found: string[] = [];
  let atMs = Date.parse(after);
  while (found.length < count) {
    const nextMs = schedule.nextAfterMs(atMs);
    if (nextMs === undefined) break;
    found.push(new Date(nextMs).toISOString().replace(":00.000Z", ""));
    atMs = nextMs;
  }
  return found;
}

describe("ticks", () => {
  const FRIDAY = "2027-01-15T10:02:30Z";

  test.each([
    ["*/5 * * * *", ["2027-01-15T10:05", "2027-01-15T10:10", "2027-01-15T10:15"]],
    ["0 9-11 * * *", ["2027-01-15T11:00", "2027-01-16T09:00", "2027-01-16T10:00"]],
    ["1-59/29 10 * * *", ["2027-01-15T10:30", "2027-01-15T10:59", "2027-01-16T10:01"]],
    ["5,3 10 15 1 *", ["2027-01-15T10:03", "2027-01-15T10:05", "2028-01-15T10:03"]],
    ["0 0 * * mon-wed", ["2027-01-18T00:00", "2027-01-19T00:00", "2027-01-20T00:00"]],
    ["0 0 * * 7", ["2027-01-17T00:00", "2027-01-24T00:00", "2027-01-31T00:00"]],
    ["0 0 1 JAN,mar *", ["2027-03-01T00:00", "2028-01-01T00:00", "2028-03-01T00:00"]],
    ["0 0 29 2 *", ["2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"]],
    ["0 0 31 * *", ["2027-01-31T00:00", "2027-03-31T00:00", "2027-05-31T00:00"]],
    // A day of the month or of the week, as cron has it where both are said.
    ["0 0 20 * fri", ["2027-01-20T00:00", "2027-01-22T00:00", "2027-01-29T00:00"]],
    ["@hourly", ["2027-01-15T11:00", "2027-01-15T12:00", "2027-01-15T13:00"]],
    ["@Daily", ["2027-01-16T00:00", "2027-01-17T00:00", "2027-01-18T00:00"]],
    ["@yearly", ["2028-01-01T00:00", "2029-01-01T00:00", "2030-01-01T00:00"]],
    ["TZ=Asia/Kolkata 0 6 * * *", ["2027-01-16T00:30", "2027-01-17T00:30", "2027-01-18T00:30"]],
  ])("%s", (expression, expected) => {
    expect(ticks(expression, FRIDAY)).toEqual(expected);
  });

  test("a tick is never its own next one", () => {
    const { nextAfterMs } = scheduleOf(parseCronExpression("* * * * *"));
    const tickMs = Date.parse("2027-01-15T10:00:00Z");
    expect(nextAfterMs(tickMs - 1)).toBe(tickMs);
    expect(nextAfterMs(tickMs)).toBe(tickMs + 60_000);
  });
});

describe("where clocks are changed", () => {
  // Berlin: 2027-03-28, 02:00 is 03:00; 2027-10-31, 03:00 is 02:00 again.
  test("what falls into the missing hour comes after it", () => {
    const [first, second] = ticks("TZ=Europe/Berlin 30 2 * * *", "2027-03-27T12:00:00Z", 2);
    expect(first).toBe("2027-03-28T01:00");
    expect(second).toBe("2027-03-29T00:30");
  });

  test("what falls into the hour that comes twice comes once", () => {
    const found = ticks("TZ=Europe/Berlin 30 2 * * *", "2027-10-30T12:00:00Z", 2);
    expect(found).toEqual(["2027-10-31T00:30", "2027-11-01T01:30"]);
  });

  test("every quarter of an hour goes on through both", () => {
    const quarter = 15 * 60_000;
    for (const night of ["2027-03-28T00:00:00Z", "2027-10-30T23:00:00Z"]) {
      const { nextAfterMs } = scheduleOf(parseCronExpression("TZ=Europe/Berlin */15 * * * *"));
      let atMs = Date.parse(night);
      for (let count = 0; count < 16; count++) {
        const nextMs = nextAfterMs(atMs) as number;
        expect(new Date(nextMs).toISOString()).toBe(new Date(atMs + quarter).toISOString());
        atMs = nextMs;
      }
    }
  });
});

describe("how it is written", () => {
  test.each([
    ["  */5   * * *\t* ", "*/5 * * * *"],
    ["@weekly", "0 0 * * 0"],
    ["TZ=UTC 0 0 * * *", "0 0 * * *"],
    ["0 0 30 2 mon", "0 0 30 2 mon"],
    ["CRON_TZ=Europe/Berlin  0 6 * * *", "TZ=Europe/Berlin 0 6 * * *"],
  ])("%j is %j", (expression, text) => {
    expect(parseCronExpression(expression).text).toBe(text);
    expect(parseCronExpression(text).text).toBe(text);
  });

  test.each([
    ["", "has 5 fields"],
    ["* * * *", "has 5 fields"],
    ["0 * * * * *", "has 5 fields"],
    ["@never", "there is no @never"],
    ["60 * * * *", 'the minute cannot be "60"'],
    ["* 24 * * *", 'the hour cannot be "24"'],
    ["* * 0 * *", 'the day cannot be "0"'],
    ["* * * 13 *", 'the month cannot be "13"'],
    ["* * * feb-jan *", 'the month cannot be "feb-jan"'],
    ["* * * * 8", 'the weekday cannot be "8"'],
    ["*/0 * * * *", 'the minute cannot be "*/0"'],
    ["5/10 * * * *", 'the minute cannot be "5/10"'],
    ["5-1 * * * *", 'the minute cannot be "5-1"'],
    ["1,,2 * * * *", 'the minute cannot be ""'],
    ["x * * * *", 'the minute cannot be "x"'],
    ["-1 * * * *", 'the minute cannot be "-1"'],
    ["* * L * *", 'the day cannot be "L"'],
    ["* * 15W * *", 'the day cannot be "15W"'],
    ["* * * * 5#2", 'the weekday cannot be "5#2"'],
    ["? * * * *", 'the minute cannot be "?"'],
    ["0 0 30 2 *", "no date ever fits"],
    ["0 0 31 4,jun,9-11/2 *", "no date ever fits"],
    ["TZ=Nowhere/Land 0 0 * * *", "there is no time zone"],
  ])("%j is refused", (expression, message) => {
    expect(() => parseCronExpression(expression)).toThrow(message);
    expect(() => parseCronExpression(expression)).toThrow(
      expect.objectContaining({ code: "ENOKI_INVALID_TRIGGER" }),
    );
  });
});
