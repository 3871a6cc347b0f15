import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startNode, type RunningNode } from "../../helpers/running-node.js";
import { writeCaseFunction, type Flavour } from "./case-functions.js";
import { CASES, casesOf, DOORS, type Case, type DoorName } from "./cases.js";
import { CliDoor, startHere, startProcess, type Start } from "./cli-door.js";
import { runSteps, type StepResult } from "./drivers/driver.js";
import { mismatch } from "./expectation.js";
import { RestDoor } from "./rest-door.js";

/** Of the cases for the command line, every so many runs as processes too. */
const PROCESS_EVERY = 12;

let running: RunningNode;
let folder: string;

beforeAll(async () => {
  running = await startNode();
  folder = await mkdtemp(join(tmpdir(), "enoki-cases-"));
  for (const flavour of ["python", "aio", "node"] as const) await deploy(flavour);
  for (const name of ["client", "rest"]) await running.client.keygroups.create(name);
});
afterAll(async () => {
  await running?.remove();
  await rm(folder, { recursive: true, force: true });
});

async function deploy(flavour: Flavour): Promise<void> {
  const source = await mkdtemp(join(folder, `${flavour}-`));
  await writeCaseFunction(source, flavour, flavour);
  await running.client.functions.deploy(flavour, source, { memory: "512m", maxInstances: 1 });
}

const RUN: Readonly<Record<DoorName, (it: Case, index: number) => Promise<StepResult[]>>> = {
  python: (it) => callFunction("python", it),
  aio: (it) => callFunction("aio", it),
  node: (it) => callFunction("node", it),
  client: (it) => runSteps(running.client.kv("client"), "client", it.steps),
  rest: (it) => new RestDoor(running.adminUrl, "rest").run(it),
  cli: (it, index) => runCommands(it, `cli-${index}`, startHere),
};

async function runCommands(it: Case, keygroup: string, start: Start): Promise<StepResult[]> {
  await running.client.keygroups.create(keygroup);
  return new CliDoor(running.adminUrl, keygroup, start).run(it);
}

async function callFunction(name: string, { steps }: Case): Promise<StepResult[]> {
  const response = await fetch(`${running.functionsUrl}/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ steps }),
  });
  const text = await response.text();
  if (!response.ok) return steps.map(() => ({ error: text }));
  return (JSON.parse(text) as { results: StepResult[] }).results;
}

function expectResults(door: DoorName, it: Case, results: readonly StepResult[]): void {
  const wrong = it.steps.map((step, n) =>
    mismatch(door, step, results[n] ?? { error: "no result" }),
  );
  expect(wrong.filter((line) => line !== undefined).join("\n")).toBe("");
}

for (const door of DOORS) {
  describe(`through ${door}`, () => {
    test.each(casesOf(door).map((it, index) => [it.name, it, index] as const))(
      "%s",
      async (_name, it, index) => expectResults(door, it, await RUN[door](it, index)),
    );
  });
}

describe("through processes of the command line", () => {
  const cases = casesOf("cli").filter((_, index) => index % PROCESS_EVERY === 0);
  test.concurrent.each(cases.map((it, index) => [it.name, it, index] as const))(
    "%s",
    async (_name, it, index) =>
      expectResults("cli", it, await runCommands(it, `process-${index}`, startProcess)),
  );
});

test("every case has a name of its own and goes through two doors at least, 150 through all", () => {
  expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
  const doorsOf = CASES.map(
    (it) => DOORS.filter((door) => casesOf(door).some(({ name }) => name === it.name)).length,
  );
  const single = CASES.filter((_, i) => doorsOf[i] === 1).map(({ name }) => name);
  expect(single).toEqual(CASES.filter(isSpecific).map(({ name }) => name));
  expect(doorsOf.filter((count) => count === DOORS.length).length).toBeGreaterThanOrEqual(150);
  for (const door of DOORS) {
    expect(casesOf(door).length, door).toBeGreaterThanOrEqual(150);
  }
});

/** True for a case that says itself that it concerns one door. */
function isSpecific({ doors, cli }: Case): boolean {
  return doors !== undefined && doors.length + (cli ? 1 : 0) === 1;
}
