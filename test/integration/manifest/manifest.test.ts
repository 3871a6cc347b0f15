// Why so long: one application is changed step by step, and each step begins where the last one ended.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runEnoki } from "../../helpers/cli-program.js";
import { deployFiles } from "../../helpers/node-calls.js";
import {
  startNodes,
  type ClusterNode,
  type RunningCluster,
} from "../../helpers/running-cluster.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { runCli, type CliResult } from "../../unit/cli/run-cli.js";

interface Outcome {
  readonly application: string;
  readonly applied: boolean;
  readonly changes: readonly { name: string; action: string; fields: { field: string }[] }[];
}

let folder: string;

beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "enoki-manifest-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Writes files of a project: path → text. */
async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

const answer = (text: string): string => `export const call = () => ${JSON.stringify(text)};\n`;

/** `enoki deploy` of a manifest. */
function deploy(adminUrl: string, ...flags: readonly string[]): Promise<CliResult> {
  return runCli(["deploy", join(folder, "enoki.yaml"), "--node", adminUrl, ...flags]);
}

async function outcome(adminUrl: string, ...flags: readonly string[]): Promise<Outcome> {
  const { stdout, stderr, code } = await deploy(adminUrl, "--json", ...flags);
  expect(stderr).not.toContain("ENOKI_");
  expect(code).toBe(0);
  return JSON.parse(stdout) as Outcome;
}

/** What is done with each name: `create`, or the fields that change. */
function told({ changes }: Outcome): Record<string, string> {
  return Object.fromEntries(
    changes.map(({ name, action, fields }) => [
      name,
      action === "change" ? fields.map(({ field }) => field).join() : action,
    ]),
  );
}

const CITY = `application: city
keygroups:
  readings: { policy: siblings, ttl: 7d }
functions:
  light: { path: light, env: { LEVEL: 1 }, isolation: process }
  report: { path: report/index.mjs, timeout: 60s, memory: 1024m, isolation: process }
`;

describe("on a node alone", () => {
  let running: RunningNode;
  const revisionOf = async (name: string) => (await running.client.functions.get(name)).revision;

  beforeAll(async () => {
    running = await startNode(PROCESS_ISOLATION);
    await write({
      "enoki.yaml": CITY,
      "light/index.mjs": answer("light"),
      "report/index.mjs": answer("report"),
    });
  });
  afterAll(() => running?.remove());

  test("a dry run says what would be done, and does nothing", async () => {
    const { stdout, code } = await deploy(running.adminUrl, "--dry-run");
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.replace(/ +/g, " "))).toEqual([
      "city name what",
      "+ keygroup readings create policy siblings ttl 7d",
      "+ function light create",
      "+ function report create",
      "",
    ]);
    expect(await running.client.functions.list()).toEqual([]);
    expect(await running.client.keygroups.list()).toEqual([]);
  });

  test("all is made, and the second time nothing is touched", async () => {
    expect(told(await outcome(running.adminUrl))).toEqual({
      readings: "create",
      light: "create",
      report: "create",
    });
    expect((await running.client.call("light")).text()).toBe("light");
    expect(await running.client.keygroups.get("readings")).toMatchObject({
      policy: "siblings",
      ttl: "7d",
    });
    const again = await deploy(running.adminUrl);
    expect(again.stdout).toContain("3 unchanged");
    expect(again.stderr).toBe("");
    expect([await revisionOf("light"), await revisionOf("report")]).toEqual([1, 1]);
  });

  test("only what differs is deployed: code, settings, variables", async () => {
    await write({
      "light/index.mjs": answer("brighter"),
      "enoki.yaml": CITY.replace("ttl: 7d", "ttl: 8d"),
    });
    expect(told(await outcome(running.adminUrl))).toEqual({
      readings: "ttl",
      light: "code",
      report: "none",
    });
    expect((await running.client.call("light")).text()).toBe("brighter");
    expect([await revisionOf("light"), await revisionOf("report")]).toEqual([2, 1]);
    await write({
      "enoki.yaml": CITY.replace("ttl: 7d", "ttl: 8d")
        .replace("LEVEL", "STEP")
        .replace("60s", "5s"),
    });
    expect(told(await outcome(running.adminUrl))).toEqual({
      readings: "none",
      light: "env.LEVEL,env.STEP",
      report: "timeout",
    });
    expect((await running.client.functions.get("light")).config.env).toEqual({ STEP: "1" });
    expect(new Set(Object.values(told(await outcome(running.adminUrl))))).toEqual(
      new Set(["none"]),
    );
  });

  test("what was changed by hand or rolled back is brought back", async () => {
    await running.client.functions.rollback("light", 1);
    const byHand = { timeout: "9s" } as const;
    await deployFiles(running, "report", { "index.mjs": answer("by hand") }, byHand);
    expect(told(await outcome(running.adminUrl))).toMatchObject({
      light: "code,env.LEVEL,env.STEP",
      report: "code,timeout",
    });
    expect((await running.client.call("report")).text()).toBe("report");
  });

  test("a node that starts again still knows", async () => {
    running = await running.restart();
    expect(new Set(Object.values(told(await outcome(running.adminUrl))))).toEqual(
      new Set(["none"]),
    );
  });

  test("--prune removes what the application had, and never anything else", async () => {
    await deployFiles(running, "byhand", { "index.mjs": answer("mine") });
    await deployFiles(running, "other", { "index.mjs": answer("theirs") }, { application: "town" });
    await write({ "enoki.yaml": CITY.replace(/ {2}report:.*\n/, "") });
    expect(told(await outcome(running.adminUrl))).toMatchObject({ report: "leave" });
    expect((await running.client.call("report")).text()).toBe("report");
    const pruned = told(await outcome(running.adminUrl, "--prune"));
    expect(pruned).toMatchObject({ report: "remove" });
    expect(Object.keys(pruned)).not.toContain("other");
    const left = (await running.client.functions.list()).map(({ name }) => name);
    expect(left).toEqual(["byhand", "light", "other"]);
    // Data stay, as they do when a function is removed by hand.
    expect((await running.client.keygroups.list()).map(({ name }) => name)).toContain("report");
  });

  test("another application's function is refused before anything is done", async () => {
    const theirs = "  light: { path: light }\n  other: { path: light }\n";
    await write({ "enoki.yaml": `application: city\nfunctions:\n${theirs}` });
    const { code, stderr, stdout } = await deploy(running.adminUrl);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain("ENOKI_APPLICATION_CONFLICT");
    expect(stderr).toContain("other belongs to the application town");
  });

  test.each([
    ["an unknown key", "application: a\nfuntions: {}", "ENOKI_INVALID_MANIFEST", "enoki.yaml:2"],
    [
      "code that is not there",
      "application: a\nfunctions: { f: { path: nowhere } }",
      "ENOKI_INVALID_INPUT",
      "nowhere",
    ],
  ])("%s is refused with exit code 2, and nothing is done", async (_, text, code, detail) => {
    await write({ "enoki.yaml": text });
    const before = await running.client.functions.list();
    const refused = await deploy(running.adminUrl);
    expect([refused.code, refused.stdout]).toEqual([2, ""]);
    expect(refused.stderr).toContain(code);
    expect(refused.stderr).toContain(detail);
    expect(await running.client.functions.list()).toHaveLength(before.length);
  });

  test("flags of one function do not go with a manifest, nor its flags without one", async () => {
    const both = await deploy(running.adminUrl, "--timeout", "5s", "--max-instances", "3");
    expect(both.code).toBe(2);
    expect(both.stderr).toContain("--timeout, --max-instances: do not go with enoki.yaml");
    const none = await runCli(["deploy", folder, "--node", running.adminUrl, "--prune"]);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("--prune: need enoki.yaml");
  });

  test("a failing function ends it: what came before stays, and the next run goes on", async () => {
    await write({
      "bad/index.mjs": "export const call = ;",
      "enoki.yaml": `application: city
functions:
  first: { path: light, isolation: process }
  bad: { path: bad, isolation: process }
  last: { path: report, isolation: process }
`,
    });
    const failed = await deploy(running.adminUrl);
    expect(failed.code).not.toBe(0);
    expect(failed.stderr).toMatch(/ENOKI_(?:BUILD|LOAD)_FAILED/);
    await write({ "bad/index.mjs": answer("good") });
    expect(told(await outcome(running.adminUrl))).toMatchObject({
      first: "none",
      bad: "create",
      last: "create",
    });
  });

  test("without a path the manifest of the folder is meant", async () => {
    const { stdout, code } = await runEnoki(["deploy", "--dry-run", "--node", running.adminUrl], {
      cwd: folder,
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^city /);
  });
});

describe("on several nodes", () => {
  let cluster: RunningCluster;
  let cloud: ClusterNode;
  let edge: ClusterNode;

  beforeAll(async () => {
    cluster = await startNodes(["cloud", "edge1"]);
    [cloud, edge] = cluster.nodes as [ClusterNode, ClusterNode];
  });
  afterAll(() => cluster?.remove());

  test("functions come to their nodes, and any node knows that nothing differs", async () => {
    await write({
      "light/index.mjs": answer("light"),
      "report/index.mjs": answer("report"),
      "enoki.yaml": `application: city
keygroups:
  light: { policy: siblings }
functions:
  light: { path: light, nodes: all, isolation: process }
  report: { path: report, nodes: [cloud], isolation: process }
`,
    });
    expect(told(await outcome(cloud.adminUrl))).toMatchObject({ report: "create" });
    expect((await edge.client.call("light")).text()).toBe("light");
    expect((await edge.client.keygroups.get("light")).policy).toBe("siblings");
    for (const { adminUrl } of [cloud, edge]) {
      const functions = (await outcome(adminUrl)).changes.filter(({ name }) => name !== "light");
      expect(functions.map(({ action }) => action)).toEqual(["none"]);
      const { light } = told(await outcome(adminUrl, "--dry-run"));
      expect(light).toBe("none");
    }
  });

  test("a node and a place for the data are added, and the function stays as it is", async () => {
    await write({
      "enoki.yaml": `application: city
functions:
  light: { path: light, nodes: all, isolation: process }
  report: { path: report, nodes: [cloud, edge1], data: "at:cloud", isolation: process }
`,
    });
    expect(told(await outcome(cloud.adminUrl))).toEqual({ light: "none", report: "nodes,data" });
    expect((await edge.client.call("report")).text()).toBe("report");
    expect(told(await outcome(cloud.adminUrl))).toEqual({ light: "none", report: "none" });
  });

  test("a keygroup that the asked node has no part in is known, and not made again", async () => {
    await edge.client.keygroups.create("far", { policy: "siblings", ttl: "7d", data: "at:edge1" });
    await write({
      "enoki.yaml":
        "application: far\nkeygroups:\n  far: { policy: siblings, ttl: 7d, durability: relaxed }\n",
    });
    expect((await cloud.client.keygroups.list()).map(({ name }) => name)).not.toContain("far");
    for (const { adminUrl } of [edge, cloud]) {
      expect(told(await outcome(adminUrl))).toEqual({ far: "none" });
    }
  });

  test("grants, secrets and triggers: made once, then only what differs, and pruned when told to", async () => {
    const trap = "export const call = () => process.env.KEY ?? 'none';\n";
    const manifest = `application: traps
keygroups:
  bait:
    grants: { "function:trap": [read, triggers], "function:other": read }
functions:
  trap:
    path: trap
    nodes: all
    isolation: process
    secrets: { KEY: env, CERT: "file:cert.txt" }
    triggers: ["keygroup:bait/set", { on: "cron:0 0 1 1 *", at: every }]
`;
    await write({ "trap/index.mjs": trap, "cert.txt": "certificate\n", "enoki.yaml": manifest });
    const deployWith = async (env: Record<string, string>, ...flags: string[]) => {
      const args = ["deploy", join(folder, "enoki.yaml"), "--node", cloud.adminUrl, "--json"];
      const { stdout, stderr, code } = await runCli([...args, ...flags], { env });
      expect([code, stderr]).toEqual([0, expect.not.stringContaining("ENOKI_")]);
      expect(stdout + stderr).not.toContain("s3cr3t");
      const { changes } = JSON.parse(stdout) as {
        changes: { kind: string; to?: string; action: string; fields: { field: string }[] }[];
      };
      return changes.map(({ kind, to, action, fields }) =>
        [kind, to, action, ...fields.map(({ field }) => field)].filter(Boolean).join(" "),
      );
    };
    const missing = await deploy(cloud.adminUrl);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringContaining("functions.trap.secrets.KEY: the variable KEY is not set here"),
    ]);
    const env = { KEY: "s3cr3t-1" };
    expect(await deployWith(env)).toEqual([
      "keygroup create",
      "grant function:trap create rights",
      "grant function:other create rights",
      "function create",
    ]);
    expect((await edge.client.call("trap")).text()).toBe("s3cr3t-1");
    const { config } = await cloud.client.functions.get("trap");
    expect([config.secrets, config.triggers]).toEqual([
      ["CERT", "KEY"],
      [
        { on: "keygroup:bait/set", at: "origin" },
        { on: "cron:0 0 1 1 *", at: "every" },
      ],
    ]);
    const nothing = ["keygroup none", "grant function:trap none", "grant function:other none"];
    expect(await deployWith(env)).toEqual([...nothing, "function none"]);
    expect(await deployWith({})).toEqual([...nothing, "function none"]);
    expect(await deployWith({ KEY: "s3cr3t-2" })).toEqual([
      ...nothing,
      "function change secrets.KEY",
    ]);
    expect((await cloud.client.call("trap")).text()).toBe("s3cr3t-2");

    await write({
      "enoki.yaml": manifest
        .replace(', "function:other": read', "")
        .replace(', CERT: "file:cert.txt"', "")
        .replace(', { on: "cron:0 0 1 1 *", at: every }', ""),
    });
    const kept = ["keygroup none", "grant function:trap none"];
    expect(await deployWith({})).toEqual([
      ...kept,
      "grant function:other leave",
      "function change triggers",
    ]);
    expect(await deployWith({}, "--prune")).toEqual([
      ...kept,
      "grant function:other remove",
      "function change secrets.CERT",
    ]);
    expect(await deployWith({}, "--prune")).toEqual([...kept, "function none"]);
    expect(await cloud.client.secrets.list("trap")).toHaveLength(1);
    expect(await cloud.client.keygroups.grants("bait")).toEqual([
      { to: "function:trap", rights: ["read", "triggers"] },
    ]);
  });
});
