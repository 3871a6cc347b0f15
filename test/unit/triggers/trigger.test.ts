import { describe, expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { LIMITS } from "../../../src/core/limits.js";
import { formatTrigger, parseTrigger, parseTriggers } from "../../../src/triggers/trigger.js";

function errorOf(work: () => unknown): EnokiError {
  try {
    work();
  } catch (error) {
    if (error instanceof EnokiError) return error;
  }
  throw new Error("nothing was refused");
}

describe("a trigger is read", () => {
  test.each([
    ["keygroup:readings", { kind: "keygroup", keygroup: "readings", prefix: "" }, "origin"],
    ["keygroup:readings/", { kind: "keygroup", keygroup: "readings", prefix: "" }, "origin"],
    [
      "keygroup:readings/temp/é ",
      { kind: "keygroup", keygroup: "readings", prefix: "temp/é " },
      "origin",
    ],
    ["cron:*/5 * * * *", { kind: "cron", schedule: "*/5 * * * *" }, "one"],
    ["cron: 0  8 * *\t1", { kind: "cron", schedule: "0 8 * * 1" }, "one"],
    ["mqtt://broker:1884/a/+/c", { kind: "mqtt", address: "mqtt://broker:1884/a/+/c" }, "one"],
    ["mqtt://[::1]/a/#", { kind: "mqtt", address: "mqtt://[::1]/a/#" }, "one"],
    ["mqtt://10.0.0.1//a", { kind: "mqtt", address: "mqtt://10.0.0.1//a" }, "one"],
  ])("%s", (on, cause, at) => {
    expect(parseTrigger(on)).toEqual({ cause, at });
  });

  test.each(["keygroup:readings/temp", "keygroup:readings", "cron:1 2 3 4 5", "mqtt://b/#"])(
    "%s and is written as it was",
    (on) => {
      expect(formatTrigger(parseTrigger(on, "every"))).toEqual({ on, at: "every" });
    },
  );
});

describe("what is none is refused, with what is wrong", () => {
  test.each([
    ["", undefined, "a trigger is keygroup:NAME/PREFIX, cron:SCHEDULE or mqtt://BROKER/TOPIC"],
    ["readings", undefined, "a trigger is"],
    ["keygroup:", undefined, "not a valid keygroup name"],
    ["keygroup:a b/c", undefined, "not a valid keygroup name"],
    [`keygroup:a/${"p".repeat(1025)}`, undefined, "at most 1024 bytes"],
    ["keygroup:a/\ud800", undefined, "UTF-8"],
    ["keygroup:a", "everywhere", "there is no --at everywhere: use origin, every or one"],
    ["cron:* * * *", undefined, "five fields".replace("five", "5")],
    ["cron:* * * * *", "origin", "--at origin goes with keygroups only"],
    ["mqtt://b/t", "origin", "--at origin goes with keygroups only"],
    ["cron:* 25 * * *", undefined, 'the hour cannot be "25"'],
    ["mqtt://b", undefined, "expected mqtt://"],
    ["mqtt://b/", undefined, "the topic is missing"],
  ])("%j at %s", (on, at, detail) => {
    const error = errorOf(() => parseTrigger(on, at));
    expect(error.code).toBe("ENOKI_INVALID_TRIGGER");
    expect(error.message).toContain(detail);
  });

  test("a password in it is not shown", () => {
    for (const on of ["mqtt://me:secret@b/a#", "mqtt://me:sec@ret@b:x/t", "mqtt:/me:secret@b"]) {
      const error = errorOf(() => parseTrigger(on));
      expect(JSON.stringify([error.message, error.extra])).not.toContain("ret");
    }
  });

  test("the same one twice, also in two ways of writing it", () => {
    const twice = [{ on: "keygroup:a/" }, { on: "keygroup:a", at: "one" }];
    expect(errorOf(() => parseTriggers(twice)).message).toContain("twice");
  });

  test("more than a function may have", () => {
    const many = Array.from({ length: LIMITS.triggersPerFunctionMax + 1 }, (_, index) => ({
      on: `keygroup:k${index}`,
    }));
    expect(errorOf(() => parseTriggers(many)).code).toBe("ENOKI_INVALID_TRIGGER");
  });
});
