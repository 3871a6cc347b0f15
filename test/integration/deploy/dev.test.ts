import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { until } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";

const CLI = join(import.meta.dirname, "../../../dist/cli/main.js");

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
});
afterAll(() => running?.remove());

const FIRST = `export const call = (name) => { console.log("heard " + name); return "hello " + name; };\n`;

test("`enoki dev PATH` deploys, deploys each save, says what was wrong with one, and shows the log until Ctrl-C", async () => {
  const folder = join(await temporaryFolder(), "greet");
  await writeFiles(folder, { "index.mjs": FIRST });
  const entry = join(folder, "index.mjs");
  const dev = spawn(process.execPath, [CLI, "dev", folder, "--node", running.adminUrl], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(dev, "close");
  const printed = collect(dev);
  try {
    const url = `${running.functionsUrl}/greet`;
    await until("it says where it is", () => printed.stdout.includes(`${url}\n`));
    expect(await answer()).toBe("hello you");
    await until("its log is shown", () => callUntil("heard you"));

    await writeFile(entry, FIRST.replace("hello", "good morning"));
    await until("the new answer", async () => (await answer()) === "good morning you");
    expect(printed.stderr).toContain("index.mjs changed");

    await writeFile(entry, "export const call = (");
    await until("what is wrong", () => /^code: ENOKI_\w+$/m.test(printed.stderr));
    expect(await answer()).toBe("good morning you");

    await writeFile(entry, FIRST.replace("hello", "good night"));
    await until("the mended answer", async () => (await answer()) === "good night you");
  } finally {
    dev.kill("SIGINT");
    await ended;
  }
  expect(dev.exitCode).toBe(0);

  async function answer(): Promise<string> {
    return (await running.client.call("greet", "you")).text();
  }

  /** Calls once more: what is written before the log is followed is not shown. */
  async function callUntil(line: string): Promise<boolean> {
    await answer();
    return printed.stdout.includes(line);
  }
});

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => (printed[name] += text));
  }
  return printed;
}
