import { expect, test } from "vitest";

import type { Load } from "../../../src/bench/wrk.js";
import type { Durability } from "../../../src/alternatives/contender.js";
import type { LagResult, Lane, WorkResult } from "../../../src/alternatives/results.js";
import type { SystemName } from "../../../src/alternatives/systems.js";
import { comparisonsOf, lagSpreads } from "../../../src/alternatives/targets.js";

function load(requestsPerS: number, broken = 0): Load {
  return { requests: 9, requestsPerS, p50Ms: 1, p99Ms: 2, refused: 0, broken };
}

function lane(
  system: SystemName,
  durability: Durability,
  rates: readonly number[],
  broken = 0,
): Lane {
  const title = `${system} ${durability}`;
  return {
    system,
    title,
    durability,
    isolation: "",
    loads: rates.map((rate) => load(rate, broken)),
  };
}

function average(...lanes: Lane[]): WorkResult {
  return { work: "average", lanes };
}

test("ours is compared with the best platform of each round", () => {
  const [found] = comparisonsOf(
    [
      average(
        lane("enoki", "relaxed", [600, 600, 600]),
        lane("deno", "strict", [100, 50, 100]),
        lane("restate", "strict", [60, 60, 60]),
        lane("ceiling", "relaxed", [9000, 9000, 9000]),
      ),
    ],
    [],
  );
  expect(found).toMatchObject({
    against: "deno strict",
    value: { median: 6, min: 6, max: 10 },
    target: { atLeast: 5 },
  });
});

test("each is compared with what syncs, relaxed also with what does not, and with the Redis of its kind", () => {
  const found = comparisonsOf(
    [
      average(
        lane("enoki", "relaxed", [600]),
        lane("enoki", "strict", [300]),
        lane("deno", "relaxed", [500]),
        lane("restate", "strict", [100]),
        lane("fastify-redis", "memory", [400]),
        lane("fastify-redis", "strict", [200]),
      ),
    ],
    [],
  );
  expect(found.map(({ title, against, value: { median } }) => [title, against, median])).toEqual([
    ["moving average, relaxed: enoki relaxed", "restate strict", 6],
    ["moving average, relaxed: enoki relaxed", "deno relaxed", 1.2],
    ["moving average, relaxed: enoki relaxed", "fastify-redis memory", 1.5],
    ["moving average, strict: enoki strict", "restate strict", 3],
    ["moving average, strict: enoki strict", "fastify-redis strict", 1.5],
  ]);
});

test("whoever failed requests is nobody's measure, and ours count for nothing", () => {
  const found = comparisonsOf(
    [
      average(
        lane("enoki", "relaxed", [600], 3),
        lane("deno", "strict", [500], 1),
        lane("workerd", "strict", [100]),
      ),
    ],
    [],
  );
  expect(found).toMatchObject([{ against: "workerd strict", invalid: "3 requests failed" }]);
});

test("what lacks a side is left out", () => {
  expect(comparisonsOf([average(lane("enoki", "relaxed", [600]))], [])).toEqual([]);
  expect(comparisonsOf([{ work: "no-op", lanes: [lane("workerd", "relaxed", [1])] }], [])).toEqual(
    [],
  );
  expect(comparisonsOf([], [lag("enoki", [1])])).toEqual([]);
});

function lag(system: SystemName, ...rounds: readonly (readonly number[])[]): LagResult {
  const found = rounds.map((startedMs) => ({
    startedMs,
    acknowledgedMs: startedMs.map((ms) => ms - 1),
  }));
  return { system, title: system, rounds: found };
}

test("lags are compared by the medians of the rounds, from the start of a write", () => {
  const found = comparisonsOf(
    [],
    [lag("enoki", [1, 2, 9], [2, 4, 4]), lag("nats", [2, 4, 4], [4, 4, 4])],
  );
  expect(found).toMatchObject([
    { against: "nats", value: { median: 0.75, min: 0.5, max: 1 }, target: { atMost: 1 } },
  ]);
  expect(lagSpreads(lag("enoki", [1, 2, 9]), "acknowledgedMs").p50.median).toBe(1);
});
