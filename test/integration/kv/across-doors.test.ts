import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startNode, type RunningNode } from "../../helpers/running-node.js";
import { writeCaseFunction, type Flavour } from "./case-functions.js";
import type { DoorName } from "./cases.js";
import { CliDoor, startHere } from "./cli-door.js";
import { runSteps, type Step, type StepResult } from "./drivers/driver.js";
import { mismatch } from "./expectation.js";
import { RestDoor } from "./rest-door.js";

/** The one function, and so the one keygroup, that all doors lead to; it changes its language. */
const NAME = "shared";

const VALUES: readonly unknown[] = [
  "",
  "Grüße 🌍",
  "12",
  "null",
  { $: "bytes", v: "" },
  { $: "bytes", v: "AP/+aGk=" },
  null,
  true,
  0,
  -1.5,
  9007199254740991,
  [],
  {},
  { list: [1, "x", null, { é: 0.1 }] },
];

const WRITERS = ["python", "node", "rest", "cli"] as const;

let running: RunningNode;
let folder: string;

beforeAll(async () => {
  running = await startNode();
  folder = await mkdtemp(join(tmpdir(), "enoki-across-"));
});
afterAll(async () => {
  await running?.remove();
  await rm(folder, { recursive: true, force: true });
});

async function deploy(flavour: Flavour): Promise<void> {
  const source = await mkdtemp(join(folder, `${flavour}-`));
  await writeCaseFunction(source, flavour, NAME);
  await running.client.functions.deploy(NAME, source);
}

async function run(door: DoorName, steps: readonly Step[]): Promise<readonly StepResult[]> {
  const it = { name: door, steps };
  if (door === "rest") return new RestDoor(running.adminUrl, NAME).run(it, true);
  if (door === "cli") return new CliDoor(running.adminUrl, NAME, startHere).run(it);
  if (door === "client") return runSteps(running.client.kv(NAME), NAME, steps, true);
  const response = await fetch(`${running.functionsUrl}/${NAME}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ steps, keep: true }),
  });
  return ((await response.json()) as { results: StepResult[] }).results;
}

async function expectAll(door: DoorName, steps: readonly Step[]): Promise<void> {
  const results = await run(door, steps);
  const wrong = steps.map((step, n) => mismatch(door, step, results[n] ?? { error: "nothing" }));
  expect(wrong.filter((line) => line !== undefined).join("\n")).toBe("");
}

function writes(door: DoorName): Step[] {
  return [
    ...VALUES.map((value, n) => ({ op: "set", key: `${door}/${n}`, value })),
    { op: "increment", key: `${door}/counter`, n: 2, expect: 2 },
    { op: "increment", key: "all" },
  ];
}

function reads(writer: DoorName): Step[] {
  return [
    ...VALUES.map((value, n) => ({ op: "get", key: `${writer}/${n}`, expect: value })),
    { op: "get", key: `${writer}/counter`, expect: 2 },
  ];
}

test("what one door writes, every other reads as the type that it was", async () => {
  await deploy("python");
  for (const door of ["python", "rest", "cli"] as const) await expectAll(door, writes(door));
  await deploy("node");
  await expectAll("node", writes("node"));
  for (const writer of WRITERS) await expectAll("node", reads(writer));
  await deploy("python");
  for (const door of ["python", "rest", "cli", "client"] as const) {
    for (const writer of WRITERS) await expectAll(door, reads(writer));
    await expectAll(door, [{ op: "get", key: "all", expect: WRITERS.length }]);
  }
});
