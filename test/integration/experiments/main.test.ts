import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";

const MAIN = fileURLToPath(new URL("../../../dist/experiments/main.js", import.meta.url));

const FIGURE_TITLES = [
  "Figure 3",
  "Figure 4",
  "Figure 6",
  "Figure 8",
  "Beyond the paper: cut off",
  "Beyond the paper: lost updates",
  "Beyond the paper: the number of edges",
];

let folder: string;
/** Where the command and all that it starts put their own files. */
let scratch: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "enoki-experiments-"));
  scratch = await mkdtemp(join(tmpdir(), "enoki-scratch-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await rm(scratch, { recursive: true });
});

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, TMPDIR: scratch });

function run(...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: environment(),
  });
  return { status, text: stdout + stderr };
}

/** Waits for a line of the command that matches. */
async function lineOf(child: ChildProcess, pattern: RegExp): Promise<string> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr as NodeJS.ReadableStream })) {
    if (pattern.test(line)) return line;
    lines.push(line);
  }
  throw new Error(`the command said only:\n${lines.join("\n")}`);
}

/** Processes that were started with the scratch folder, as it stands in what they were started with. */
async function leftOver(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      return command.includes(scratch) ? `${pid} ${command.replaceAll("\0", " ")}` : "";
    }),
  );
  return found.filter((text) => text !== "");
}

test.skipIf(ETCD_MISSING)(
  `an interrupted run ends all its processes, keeps its points and is reported${ETCD_MISSING}`,
  async () => {
    const args = [MAIN, "--tiny", "--only", "3", "--results", folder];
    const child = spawn(process.execPath, args, {
      env: environment(),
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = once(child, "exit");
    await lineOf(child, /^\[2\/\d+\] .*: load of/);
    child.kill("SIGINT");
    child.stderr?.resume();
    expect(await ended).toEqual([130, null]);
    expect(await leftOver()).toEqual([]);
    expect(await readdir(scratch)).toEqual([]);

    const points = (await readdir(folder)).filter((file) => file.endsWith("-r1.csv"));
    expect(points).toHaveLength(1);
    const reported = run("--tiny", "--only", "3", "--results", folder, "--report-only");
    expect(reported.status).toBe(0);
    expect(reported.text).toMatch(/^the report: .*index\.html/);
    expect(reported.text).toMatch(/not measured: \d+ of \d+ points/);
    expect(await readFile(join(folder, "report", "report.md"), "utf8")).toContain("1 of ");

    // The whole report has every figure, and names what is not there of each.
    const whole = run("--tiny", "--results", folder, "--report-only");
    expect(whole.status).toBe(0);
    const text = await readFile(join(folder, "report", "report.md"), "utf8");
    for (const title of FIGURE_TITLES) expect(text).toMatch(new RegExp(`^## ${title}`, "m"));
    expect(text).toMatch(/^- Not measured: .*\bmore\.$/m);
    expect(text.match(/^Measured: 1 point/gm)).toHaveLength(1);
    expect(text.match(/^Measured: 0 points/gm)).toHaveLength(FIGURE_TITLES.length - 1);

    await writeFile(join(folder, points[0] as string), "cut");
    const broken = run("--tiny", "--only", "3", "--results", folder, "--report-only");
    expect(broken.status).toBe(1);
    expect(broken.text).toContain(`left out: ${join(folder, points[0] as string)}`);
  },
);

test("says what it can do, and what is wrong about how it was called", () => {
  const help = run("--help");
  expect(help).toMatchObject({ status: 0, text: expect.stringContaining("--full") as string });
  const wrong = run("--only", "5");
  expect(wrong.status).toBe(2);
  expect(wrong.text).toContain("there is no such figure");
});
