import { expect, test } from "vitest";

import { orderOf } from "../../../src/alternatives/rounds.js";
import { checkFirstAnswer, type Work } from "../../../src/alternatives/work.js";

test.each<[Work, string]>([
  ["no-op", "ok"],
  ["no-op", '"ok"'],
  ["average", '{"count":11,"average":24.65}'],
  ["average", '{"count":11,"average":24.650000000000002}'],
  ["read-1kb", "1000"],
  ["read-1mb", '"1000000"'],
])("%s may answer %s", (work, body) => {
  expect(() => checkFirstAnswer(work, body)).not.toThrow();
});

test.each<[Work, string]>([
  ["no-op", ""],
  ["average", '{"count":1,"average":21.5}'],
  ["average", "24.65"],
  ["read-1mb", "1000"],
])("%s must not answer %j", (work, body) => {
  expect(() => checkFirstAnswer(work, body)).toThrow(`${work} answered`);
});

test("everybody comes once a round, each time at another place", () => {
  const rounds = [0, 1, 2, 3].map((round) => orderOf(4, round));
  expect(rounds).toEqual([
    [0, 1, 2, 3],
    [0, 3, 2, 1],
    [2, 3, 0, 1],
    [2, 1, 0, 3],
  ]);
});
