import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";

const PROJECT_DIR = join(import.meta.dirname, "../../..");
const SCRIPT = join(PROJECT_DIR, "examples/smart-city/run.mjs");

/** Runs the example as a reader does, and returns all it prints with its exit code. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  // A node takes every ENOKI_… for a setting.
  const { ENOKI_DOCS_UPDATE: _update, ...rest } = process.env;
  const env = { ...rest, ENOKI: join(PROJECT_DIR, "dist/cli/main.js") };
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

/** With `ENOKI_DOCS_UPDATE=1` the example's page shows what was printed. */
const isUpdate = process.env["ENOKI_DOCS_UPDATE"] === "1";
const PAGE = join(PROJECT_DIR, "examples/smart-city/README.md");
const ON_PAGE = /(^```text\n\$ npm run example:smart-city\n)[\s\S]*?(^```$)/m;

async function showOnPage(output: string): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  await writeFile(
    PAGE,
    page.replace(ON_PAGE, (_, begin: string, end: string) => begin + output + end),
  );
}

/** What one picture with an ambulance sets in motion, but for writes that come to other nodes. */
const TREE = [
  "edge1: POST /object-recognition",
  "  edge1: queue object-recognition",
  "  edge1: invoke object-recognition",
  "    edge1: send traffic-statistics",
  "      edge1: deliver traffic-statistics",
  "        edge1: link cloud",
  "          cloud: queue traffic-statistics",
  "          cloud: invoke traffic-statistics",
  "    edge1: call emergency-detection",
  "      edge1: queue emergency-detection",
  "      edge1: invoke emergency-detection",
  "        edge1: send light-phase-calculation",
  "          edge1: deliver light-phase-calculation",
  "            edge1: link cloud",
  "              cloud: queue light-phase-calculation",
  "              cloud: invoke light-phase-calculation",
  "    edge1: call movement-plan",
  "      edge1: queue movement-plan",
  "      edge1: invoke movement-plan",
];

/** The tree that was printed, without its times, the operations on keygroups and what depends on them. */
function treeIn(output: string): string[] {
  const lines = [...output.matchAll(/^ +[\d.]+ +[\d.]+ {2}( *(?:edge\d|cloud): .*)$/gm)].map(
    ([, line]) => line as string,
  );
  const end = lines.findIndex((line) => line.endsWith("invoke movement-plan"));
  return lines.slice(0, end + 1).filter((line) => !/: kv\.|: replicate /.test(line));
}

/** Functions that are sent messages, with how many were sent and how many ended well. */
function deliveredIn(output: string): string[][] {
  const lines = output.matchAll(/^ +(\S+) +(\d+) messages sent, (\d+) delivered$/gm);
  return [...lines].map((line) => line.slice(1));
}

test.skipIf(ETCD_MISSING !== "").each([["TypeScript"], ["Python", "--python"]])(
  `the smart city loses no message while its edges are cut off, in %s${ETCD_MISSING}`,
  async (_language, ...args) => {
    const { code, output } = await run(...args);
    expect(code, output).toBe(0);
    const waiting = /(\d+) messages wait at the edges/.exec(output)?.[1];
    expect(Number(waiting), output).toBeGreaterThan(100);
    // By the seeds of the city: two of each picture, and one of each car that no filter stops.
    expect(deliveredIn(output), output).toEqual([
      ["traffic-statistics", "165", "165"],
      ["light-phase-calculation", "399", "399"],
      ["road-condition", "22", "22"],
    ]);
    expect(output).toMatch(/^165 pictures were sent, 165 counted; dead letters: 0, 0, 0$/m);
    expect(treeIn(output), output).toEqual(TREE);
    if (isUpdate && args.length === 0) await showOnPage(output);
  },
  180_000,
);
