import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { writeFiles } from "../../helpers/temporary-folder.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";
import { examplesOf, PYTHON_RUNNER, typescriptRunner } from "./examples.js";

/** A line of an example, what the page says that it gives, and what it gave. */
type Told = readonly [source: string, said: unknown, gave: unknown];

const python = await examplesOf("python");
const typescript = await examplesOf("typescript");

let running: RunningNode;
let folder: string;

beforeAll(async () => {
  running = await startNode();
  folder = await mkdtemp(join(tmpdir(), "enoki-examples-"));
  await writeFiles(folder, {
    "python/fn.py": PYTHON_RUNNER,
    "typescript/index.ts": typescriptRunner(typescript),
  });
  for (const name of ["python", "typescript"]) {
    await running.client.functions.deploy(name, join(folder, name));
  }
});
afterAll(async () => {
  await running?.remove();
  await rm(folder, { recursive: true, force: true });
});

function expectTruth(told: readonly Told[], block: string): void {
  expect(told.map(([source, , gave]) => [source, gave])).toEqual(
    told.map(([source, said]) => [source, said]),
  );
  expect(told).toHaveLength(block.split(" → ").length - 1);
}

describe("the reference of kv says what its examples give", () => {
  test.each(python)("in Python %#", async (block) => {
    expectTruth((await running.client.call("python", block)).json<Told[]>(), block);
  });

  test.each(typescript.map((block, index) => [index, block] as const))(
    "in TypeScript %i",
    async (index, block) => {
      expectTruth((await running.client.call("typescript", index)).json<Told[]>(), block);
    },
  );

  test("in both languages alike", () => {
    expect(python.length).toBe(typescript.length);
    expect(python.length).toBeGreaterThanOrEqual(7);
  });
});
