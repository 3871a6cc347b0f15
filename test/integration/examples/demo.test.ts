import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

import { essenceOf } from "../../helpers/page-steps.js";
import {
  familyOf,
  isAlive,
  processStartTicks,
  readProcesses,
} from "../../../src/runtimes/process-table.js";

const DEMO = join(import.meta.dirname, "../../../dist/demo/main.js");
const README = join(import.meta.dirname, "../../../README.md");
const LOOK_EVERY_MS = 100;
/** It takes some 20 s where nobody else uses the machine. */
const DEMO_MS_MAX = 240_000;

/** What the front page shows of the demo. */
async function shownInReadme(): Promise<string> {
  const [, shown = ""] =
    /^```text\n(Enoki [\s\S]*?)^```$/m.exec(await readFile(README, "utf8")) ?? [];
  return shown;
}

/** Without times, addresses and what depends on the machine. */
function alike(output: string): string {
  return essenceOf(output.replaceAll(/127\.0\.0\.1:\d+/g, "ADDRESS"));
}

test(
  "the demo ends by itself, shows both tables and leaves no process",
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "enoki-demo-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const startMs = performance.now();
    const demo = spawn(process.execPath, [DEMO], { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [demo.stdout, demo.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    /** Everything that it was seen to start: process id → start, so that a reused id does not count. */
    const seen = new Map<number, number>();
    const timer = setInterval(() => {
      const family = familyOf(new Set([demo.pid as number]), readProcesses());
      for (const { pid, startTicks } of family) seen.set(pid, startTicks);
    }, LOOK_EVERY_MS);
    const code = await new Promise<number | null>((resolve) => demo.once("close", resolve));
    clearInterval(timer);

    expect(alike(output)).toContain(alike(await shownInReadme()));
    expect(output).toMatch(/Python +1461 +5\.56 °C +[\d.]+ ms +[\d.]+ ms/);
    expect(output).toMatch(/TypeScript +1461 +5\.56 °C/);
    expect(output).toMatch(/linked +120 +120 +120 +120 /);
    expect(output).toMatch(/all cut +120 +120 +180 +180 /);
    expect(output).toMatch(/healed +120 +360 +360 +360 /);
    expect(output).toContain("What to type next:");
    expect(code).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(DEMO_MS_MAX);
    expect(seen.size).toBeGreaterThan(2);
    const left = [...seen].filter(
      ([pid, startTicks]) => isAlive(pid) && processStartTicks(pid) === startTicks,
    );
    expect(left).toEqual([]);
  },
  DEMO_MS_MAX,
);
