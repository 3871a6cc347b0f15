import { describe, expect, test } from "vitest";

import type { Absence } from "../../../src/alternatives/results.js";
import { inRounds, isLacking, type RoundSteps } from "../../../src/alternatives/rounds.js";
import { Resources } from "../../../src/bench/resources.js";

/** Runs three rounds of some entrants, with steps that note what happens. */
async function run(names: readonly string[], fails: (name: string, step: string) => boolean) {
  const log: string[] = [];
  const absences: Absence[] = [];
  const note = (step: string) => (name: string) => {
    log.push(`${step} ${name}`);
    return fails(name, step) ? Promise.reject(new Error("it died")) : Promise.resolve();
  };
  const steps: RoundSteps<string> = {
    nameOf: (name) => `the system ${name}`,
    warmUp: note("warm"),
    measure: note("measure"),
    stop: note("stop"),
  };
  const context = {
    resources: new Resources(),
    rounds: 3,
    progress: () => {},
    absent: (absence: Absence) => void absences.push(absence),
  };
  const lasting = await inRounds(names, context, "work", steps);
  return { log, absences, lasting };
}

const count = (log: readonly string[], line: string): number =>
  log.filter((one) => one === line).length;

describe("rounds", () => {
  test("warm all, measure all in each round, and stop all", async () => {
    const { log, absences, lasting } = await run(["a", "b"], () => false);
    expect(lasting).toEqual(["a", "b"]);
    expect(absences).toEqual([]);
    for (const name of ["a", "b"]) {
      expect(count(log, `warm ${name}`)).toBe(1);
      expect(count(log, `measure ${name}`)).toBe(3);
      expect(count(log, `stop ${name}`)).toBe(1);
    }
  });

  test.each(["warm", "measure"])("go on without one that fails to %s", async (step) => {
    const fails = (name: string, at: string) => name === "b" && at === step;
    const { log, absences, lasting } = await run(["a", "b", "c"], fails);
    expect(lasting).toEqual(["a", "c"]);
    expect(absences).toEqual([{ title: "the system b", reason: "it died", isFailure: true }]);
    expect(count(log, "stop b")).toBe(1);
    expect(count(log, "measure b")).toBe(step === "warm" ? 0 : 1);
    for (const name of ["a", "c"]) expect(count(log, `measure ${name}`)).toBe(3);
  });
});

test("what needs a program that is not there is left out, which is no failure", () => {
  const absences: Absence[] = [];
  const context = { absent: (absence: Absence) => void absences.push(absence) };
  expect(isLacking(undefined, "a", context)).toBe(false);
  expect(isLacking("node", "b", context)).toBe(false);
  expect(isLacking("no-such-program", "c", context)).toBe(true);
  expect(absences).toEqual([
    {
      title: "c",
      reason: "no-such-program is missing; npm run setup installs it",
      isFailure: false,
    },
  ]);
});
