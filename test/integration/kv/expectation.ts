import { isDeepStrictEqual } from "node:util";

import type { DoorName } from "./cases.js";
import type { Step, StepResult } from "./drivers/driver.js";
import { isSpecial, type Special } from "./drivers/values.js";

/** Longest time between a write and the look at its expiry. */
const EXPIRY_TOLERANCE_MS = 30_000;

/** Says how a result differs from what the step expects; `undefined` if it does not. */
export function mismatch(door: DoorName, step: Step, result: StepResult): string | undefined {
  const error = forDoor(door, step["error"]);
  const wanted = error ?? (("expect" in step && step["expect"]) || null);
  const shown = `${JSON.stringify(step)}\n  gave ${JSON.stringify(result)?.slice(0, 400)}`;
  if (typeof error === "string") {
    return "error" in result && result.error === error ? undefined : shown;
  }
  if ("error" in result) return shown;
  if (!("expect" in step)) return undefined;
  if (matches(door, step["expect"], result.ok)) return undefined;
  return `${shown}\n  wanted ${JSON.stringify(wanted)?.slice(0, 400)}`;
}

function forDoor(door: DoorName, said: unknown): unknown {
  if (typeof said !== "object" || said === null || !isSpecial(said) || said.$ !== "by") return said;
  if (door in said) return said[door];
  const language = door === "aio" ? "python" : "node";
  return said[language] ?? said["*"];
}

function matches(door: DoorName, expected: unknown, actual: unknown): boolean {
  if (typeof expected !== "object" || expected === null) return Object.is(expected, actual);
  if (isSpecial(expected)) return matchesSpecial(door, expected, actual);
  if (typeof actual !== "object" || actual === null) return false;
  if (Array.isArray(expected)) {
    const isList = Array.isArray(actual) && actual.length === expected.length;
    return isList && expected.every((item, i) => matches(door, item, actual[i]));
  }
  const names = Object.keys(expected).sort();
  const wanted = expected as Readonly<Record<string, unknown>>;
  const given = actual as Readonly<Record<string, unknown>>;
  return (
    isDeepStrictEqual(names, Object.keys(given).sort()) &&
    names.every((name) => matches(door, wanted[name], given[name]))
  );
}

function matchesSpecial(door: DoorName, expected: Special, actual: unknown): boolean {
  const isPython = door === "python" || door === "aio";
  switch (expected.$) {
    case "by":
      return matches(door, forDoor(door, expected), actual);
    case "any":
      return true;
    // Python's `get` of a missing key gives "", as the paper's Listing 1 relies on.
    case "missing":
      return isPython ? actual === "" : isDeepStrictEqual(actual, expected);
    case "none":
      return isPython ? actual === null : isDeepStrictEqual(actual, { $: "missing" });
    case "version":
      return typeof actual === "string" && actual !== "";
    case "about":
      return (
        typeof actual === "number" &&
        actual <= Number(expected["ms"]) + 1 &&
        actual > Number(expected["ms"]) - EXPIRY_TOLERANCE_MS
      );
    case "unordered":
      return matchesInAnyOrder(door, expected["of"] as unknown[], actual);
    default:
      return isDeepStrictEqual(actual, expected);
  }
}

function matchesInAnyOrder(door: DoorName, expected: readonly unknown[], actual: unknown): boolean {
  if (!Array.isArray(actual) || actual.length !== expected.length) return false;
  return expected.every((item) => actual.some((given) => matches(door, item, given)));
}
