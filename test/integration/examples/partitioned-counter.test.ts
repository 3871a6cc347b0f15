import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";

const PROJECT_DIR = join(import.meta.dirname, "../../..");
const SCRIPT = join(PROJECT_DIR, "examples/partitioned-counter/run.mjs");

/** Runs the example as a reader does, and returns all it prints with its exit code. */
async function run(): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env, ENOKI: join(PROJECT_DIR, "dist/cli/main.js") };
  const child = spawn(process.execPath, [SCRIPT], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

test.skipIf(ETCD_MISSING !== "")(
  `a counter that three parted nodes add to ends exact, in both languages${ETCD_MISSING}`,
  async () => {
    const { code, output } = await run();
    const lines = output.split("\n");
    for (const language of ["python", "javascript"]) {
      const at = lines.indexOf(`hits-${language}`);
      expect(at, output).toBeGreaterThanOrEqual(0);
      expect(lines[at + 1]).toBe("  together: cloud 30, edge1 30, edge2 30");
      expect(lines[at + 2]).toBe("  parted: cloud 130, edge1 230, edge2 430");
      expect(lines[at + 3]).toMatch(/^ {2}healed in \d+ ms: cloud 730, edge1 730, edge2 730$/);
    }
    expect(code, output).toBe(0);
  },
  120_000,
);
