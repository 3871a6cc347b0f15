import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { startNode, type RunningNode } from "../../helpers/running-node.js";
import { CASES, STEPS_OF, type Case } from "../kv/cases.js";
import type { StepResult } from "../kv/drivers/driver.js";
import { mismatch } from "../kv/expectation.js";

const FOLDERS = ["../../../clients/python", "../kv/drivers"].map((path) =>
  join(import.meta.dirname, path),
);

/** They move so much that each takes seconds, and differ from others in amounts only. */
const HEAVY = new Set([
  "getMany of 1,000 keys gives them all",
  "getMany of more than 1,000 keys gives them all",
  "pages that are full by bytes go on",
  "a value of 16 MiB is stored",
]);

/** Cases for all, for clients, and for Python alone; what only a function meets is left out. */
const MEANT = CASES.filter(({ name, doors, steps }) => {
  if (HEAVY.has(name)) return false;
  const isMeant =
    doors?.includes("python") && (doors.includes("client") || !doors.includes("node"));
  return (isMeant ?? true) && steps.every(({ op }) => STEPS_OF.client.has(op));
});

let running: RunningNode;
let results: readonly (readonly StepResult[])[];

beforeAll(async () => {
  running = await startNode();
  await running.client.keygroups.create("cases");
  const cases = MEANT.map(({ steps }) => ({ steps }));
  const asked = { url: running.adminUrl, keygroup: "cases", cases };
  results = JSON.parse(await python(JSON.stringify(asked))) as StepResult[][];
}, 300_000);
afterAll(() => running?.remove());

/** What the program prints for that input. */
function python(stdin: string): Promise<string> {
  const env = {
    ...process.env,
    PYTHONPATH: FOLDERS.join(":"),
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const program = join(import.meta.dirname, "run_cases.py");
  return new Promise((resolve, reject) => {
    const options = { env, maxBuffer: 256 * 1024 * 1024 };
    const child = execFile("python3", [program], options, (error, stdout) => {
      if (error) reject(error);
      else resolve(stdout);
    });
    child.stdin?.end(stdin);
  });
}

test.each(MEANT.map((it, index) => [it.name, it, index] as const))(
  "%s, through the Python client",
  (_name, { steps }: Case, index) => {
    const wrong = steps.map((step, n) =>
      mismatch("python", step, results[index]?.[n] ?? { error: "no result" }),
    );
    expect(wrong.filter((line) => line !== undefined).join("\n")).toBe("");
  },
);

test("these are most of all cases", () => {
  expect(MEANT.length).toBeGreaterThan(150);
});
