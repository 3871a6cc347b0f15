import { afterEach, beforeEach, expect, test } from "vitest";

import type { KeygroupPlaces } from "../../../src/client/index.js";
import { json, problem, startFakeNode, type FakeNode } from "../client/fake-node.js";
import { runCli } from "./run-cli.js";

type Replica = KeygroupPlaces["replicas"][number];

const edge1: Replica = { node: "edge1", durability: "relaxed", state: "serving" };
const joining: Replica = { node: "cloud", durability: "relaxed", state: "joining" };
const cloud: Replica = { ...joining, state: "serving" };

let node: FakeNode;
/** What the node says, one answer after another; the last one stays. */
let answers: { readonly data: string; readonly replicas: readonly Replica[] }[];

beforeEach(async () => {
  node = await startFakeNode();
  const next = () => ({ name: "kg", ...(answers.length > 1 ? answers.shift() : answers[0]) });
  for (const rule of [
    "GET /v1/keygroups/kg/replicas",
    "PUT /v1/keygroups/kg/replicas/cloud",
    "POST /v1/keygroups/kg/move",
    "POST /v1/keygroups/kg/refound",
  ]) {
    node.on(rule, (_, response) => json(response, 200, next()));
  }
});
afterEach(() => node.close());

const keygroups = (...args: string[]) => runCli(["keygroups", ...args], { node: node.url });
const sent = () => JSON.parse(node.requests[0]?.body.toString() ?? "null") as unknown;

test("replicas has a row for each", async () => {
  answers = [{ data: "replicate", replicas: [edge1, joining] }];
  expect((await keygroups("replicas", "kg")).stdout).toBe(
    [
      "data  replicate",
      "NODE   STATE    DURABILITY",
      "edge1  serving  relaxed",
      "cloud  joining  relaxed",
      "",
    ].join("\n"),
  );
});

test("add-replica waits until the replica serves, with a line for each step", async () => {
  answers = [
    { data: "replicate", replicas: [edge1, joining] },
    { data: "replicate", replicas: [edge1, cloud] },
  ];
  const { code, stderr } = await keygroups("add-replica", "kg", "cloud", "--durability", "strict");
  expect([code, stderr]).toEqual([
    0,
    "edge1 serving, cloud joining\nedge1 serving, cloud serving\n",
  ]);
  expect(sent()).toEqual({ durability: "strict" });
});

test("a wait that ends before says so, and what is missing", async () => {
  answers = [{ data: "replicate", replicas: [edge1, joining] }];
  const { code, stderr } = await keygroups("add-replica", "kg", "cloud", "--wait", "50ms");
  expect(code).toBe(7);
  expect(stderr).toContain("error: not there yet: edge1 serving, cloud joining\n");
  expect(stderr).toContain("code: ENOKI_PLACEMENT_INCOMPLETE");
});

test("move waits until only the node named has the data", async () => {
  answers = [
    { data: "at:cloud", replicas: [{ ...edge1, state: "leaving" }, joining] },
    { data: "at:cloud", replicas: [{ ...edge1, state: "leaving" }, cloud] },
    { data: "at:cloud", replicas: [cloud] },
  ];
  const { code, stdout } = await keygroups("move", "kg", "cloud", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ data: "at:cloud", replicas: [cloud] });
  expect(sent()).toEqual({ data: "at:cloud" });
});

test("moved back, all that run the function have the data", async () => {
  answers = [
    { data: "replicate", replicas: [edge1, joining] },
    { data: "replicate", replicas: [edge1, cloud] },
  ];
  expect((await keygroups("move", "kg", "replicate")).code).toBe(0);
  expect(sent()).toEqual({ data: "replicate" });
});

test("remove-replica says what it may have cost, and a refusal how much it would", async () => {
  let lost: number | null = 0;
  node.on("DELETE /v1/keygroups/kg/replicas/cloud", (_, response) =>
    json(response, 200, { name: "kg", data: "replicate", replicas: [edge1], lost }),
  );
  const remove = (...flags: string[]) => keygroups("remove-replica", "kg", "cloud", ...flags);
  expect((await remove()).stderr).toBe("removed the replica on cloud\n");
  lost = 1;
  expect((await remove("--force")).stderr).toContain("no other replica had 1 write:");
  node.on("DELETE /v1/keygroups/kg/replicas/cloud", (_, response) =>
    problem(response, 409, "ENOKI_UNREPLICATED", "3 writes", { unreplicated: 3 }),
  );
  expect(await remove("--wait", "1s")).toMatchObject({ code: 1 });
});

test("refound names the node that begins anew", async () => {
  answers = [{ data: "replicate", replicas: [cloud] }];
  expect((await keygroups("refound", "kg", "cloud", "--force")).code).toBe(0);
  expect(sent()).toEqual({ node: "cloud", force: true });
});
