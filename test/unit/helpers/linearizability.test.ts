import { describe, expect, test } from "vitest";

import { createPrng } from "../../../src/base/prng.js";
import { findViolations, type Effect, type Operation } from "../../helpers/linearizability.js";
import { withLostUpdate, withStaleRead } from "../../helpers/planted-faults.js";

/** An operation on `k` between two moments. */
function at(invokedMs: number, returnedMs: number, effect: Effect, key = "k"): Operation {
  return { ...effect, key, invokedMs, returnedMs };
}

const get = (value: string | null): Effect => ({ op: "get", value });
const set = (wrote: string, ttlMs?: number): Effect =>
  ttlMs === undefined ? { op: "set", wrote } : { op: "set", wrote, ttlMs };
const swap = (expected: string | null, wrote: string, ok: boolean): Effect => ({
  op: "compareAndSet",
  expected,
  wrote,
  ok,
});
const update = (saw: string | null, wrote: string): Effect => ({ op: "update", saw, wrote });
const remove = (existed: boolean): Effect => ({ op: "delete", existed });

const LINEARIZABLE: Readonly<Record<string, readonly Operation[]>> = {
  "a read sees the write before it": [at(0, 1, set("a")), at(2, 3, get("a"))],
  "a missing key reads as nothing": [at(0, 1, get(null))],
  "a read beside a write may see either": [
    at(0, 1, set("a")),
    at(2, 9, set("b")),
    at(3, 4, get("a")),
    at(5, 6, get("b")),
  ],
  "writes beside each other take any order": [
    at(0, 9, set("a")),
    at(0, 9, set("b")),
    at(0, 9, set("c")),
    at(10, 11, get("b")),
  ],
  "of two swaps of one version one wins": [
    at(0, 1, set("a")),
    at(2, 5, swap("a", "b", true)),
    at(2, 5, swap("a", "c", false)),
    at(6, 7, get("b")),
  ],
  "updates beside each other see each other": [
    at(0, 9, update("1", "2")),
    at(0, 9, update(null, "1")),
    at(10, 11, get("2")),
  ],
  "a delete says whether there was something": [
    at(0, 1, remove(false)),
    at(2, 3, set("a")),
    at(4, 5, remove(true)),
    at(6, 7, { op: "exists", exists: false }),
  ],
  "a value may be there or gone around its end": [
    at(0, 1, set("a", 100)),
    at(95, 96, get("a")),
    at(100, 101, get(null)),
    at(200, 201, swap(null, "b", true)),
  ],
  "a set without ttl ends an older ttl": [
    at(0, 1, set("a", 100)),
    at(2, 3, set("b")),
    at(900, 901, get("b")),
  ],
  "keys do not disturb each other": [at(0, 1, set("a")), at(2, 3, get(null), "other")],
};

const NOT_LINEARIZABLE: Readonly<Record<string, readonly Operation[]>> = {
  "a stale read": [at(0, 1, set("a")), at(2, 3, set("b")), at(4, 5, get("a"))],
  "a value that nobody wrote": [at(0, 1, set("a")), at(2, 3, get("z"))],
  "a read from the future": [at(0, 1, get("a")), at(2, 3, set("a"))],
  "a read that goes back behind an earlier one": [
    at(0, 1, set("a")),
    at(2, 9, set("b")),
    at(3, 4, get("b")),
    at(5, 6, get("a")),
  ],
  "a lost update": [
    at(0, 1, set("0")),
    at(2, 5, update("0", "1")),
    at(3, 6, update("0", "2")),
    at(7, 8, get("2")),
  ],
  "two winners of one version": [
    at(0, 1, set("a")),
    at(2, 5, swap("a", "b", true)),
    at(2, 5, swap("a", "c", true)),
  ],
  "a conflict that nothing explains": [at(0, 1, set("a")), at(2, 3, swap("a", "b", false))],
  "a value before its end is gone": [at(0, 1, set("a", 100)), at(2, 3, get(null))],
  "a value long after its end is there": [at(0, 1, set("a", 100)), at(200, 201, get("a"))],
  "a value that comes back after its end": [
    at(0, 1, set("a", 100)),
    at(95, 96, get(null)),
    at(97, 98, get("a")),
  ],
  "two deletes of one value": [at(0, 1, set("a")), at(2, 5, remove(true)), at(2, 5, remove(true))],
  "a deleted value that is read": [at(0, 1, set("a")), at(2, 3, remove(true)), at(4, 5, get("a"))],
};

describe("the checker accepts", () => {
  test.each(Object.entries(LINEARIZABLE))("%s", (_name, history) => {
    expect(findViolations(history)).toEqual([]);
  });
});

describe("the checker finds", () => {
  test.each(Object.entries(NOT_LINEARIZABLE))("%s", (_name, history) => {
    expect(findViolations(history).map(({ key }) => key)).toEqual(["k"]);
  });
});

/** A history of a real register that many use at once: each effect happens inside its interval. */
function simulate(seed: number, operations: number, workers: number): Operation[] {
  const random = createPrng(seed);
  const history: Operation[] = [];
  const freeAtMs = Array.from({ length: workers }, () => random.next());
  let value: string | null = null;
  let atMs = 1;
  for (let n = 0; n < operations; n++) {
    const worker = random.below(workers);
    atMs = Math.max(atMs, freeAtMs[worker] as number) + random.next();
    const wrote = `${n}`;
    const effects: Effect[] = [
      get(value),
      set(wrote),
      update(value, wrote),
      swap(value, wrote, true),
      swap("never", wrote, false),
      remove(value !== null),
    ];
    const effect = random.pick(effects);
    // The interval lies around the moment and never overlaps the worker's previous one.
    const invokedMs = Math.max(freeAtMs[worker] as number, atMs - 5 * random.next());
    const returnedMs = atMs + 5 * random.next();
    history.push(at(invokedMs, returnedMs, effect));
    freeAtMs[worker] = returnedMs;
    if (effect.op === "delete") value = null;
    else if (effect.op === "set" || effect.op === "update") value = wrote;
    else if (effect.op === "compareAndSet" && effect.ok) value = wrote;
  }
  return history;
}

test.each([1, 2, 3])("5,000 operations of 16 workers are checked, seed %i", (seed) => {
  const history = simulate(seed, 5000, 16);
  expect(findViolations(history)).toEqual([]);
  expect(findViolations(withStaleRead(history) as Operation[])).toHaveLength(1);
  expect(findViolations(withLostUpdate(history) as Operation[])).toHaveLength(1);
});
