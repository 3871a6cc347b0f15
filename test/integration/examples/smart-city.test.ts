import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";

const PROJECT_DIR = join(import.meta.dirname, "../../..");
const SCRIPT = join(PROJECT_DIR, "examples/smart-city/run.mjs");

/** Runs the example as a reader does, and returns all it prints with its exit code. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env, ENOKI: join(PROJECT_DIR, "dist/cli/main.js") };
  const child = spawn(process.execPath, [SCRIPT, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

test.skipIf(ETCD_MISSING !== "").each([["TypeScript"], ["Python", "--python"]])(
  `the smart city loses no message while its edges are cut off, in %s${ETCD_MISSING}`,
  async (_language, ...args) => {
    const { code, output } = await run(...args);
    expect(code, output).toBe(0);
    const waiting = /(\d+) messages wait at the edges/.exec(output)?.[1];
    expect(Number(waiting), output).toBeGreaterThan(100);
    expect(output).toMatch(/^164 pictures were sent, 164 counted; dead letters: 0, 0, 0$/m);
  },
  180_000,
);
