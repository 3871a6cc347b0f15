import { describe, expect, test } from "vitest";

import { parseManifest } from "../../../src/cli/manifest/manifest.js";
import { planText, doneText } from "../../../src/cli/manifest/plan-text.js";
import {
  makePlan,
  type ClusterState,
  type PackedFunction,
} from "../../../src/cli/manifest/plan.js";
import type { FunctionInfo, KnownNode } from "../../../src/client/types.js";

const read = (text: string) => parseManifest(text, { file: "enoki.yaml", folder: "/app" });

const FULL = `
application: city
keygroups:
  readings:
    policy: siblings
    durability: strict
    ttl: 7d
  plain:
functions:
  light:
    path: ./light
    runtime: python
    nodes: [edge1, zone=north]
    data: at:edge1
    env: { LEVEL: 3, NAME: a }
    timeout: 30s
    memory: 128m
    cpu: 0.5
    max-instances: 2
    concurrency: 4
    isolation: process
    network: host
    access: token
    allow-build: true
  report: { path: /elsewhere/report.py, nodes: all }
`;

test("a manifest is read, paths from its folder, settings as the API takes them", async () => {
  expect(await read(FULL)).toEqual({
    application: "city",
    keygroups: [
      { name: "readings", settings: { policy: "siblings", durability: "strict", ttl: "7d" } },
      { name: "plain", settings: {} },
    ],
    functions: [
      {
        name: "light",
        path: "/app/light",
        nodes: ["edge1", "zone=north"],
        data: "at:edge1",
        config: {
          application: "city",
          runtime: "python",
          env: { LEVEL: "3", NAME: "a" },
          timeout: "30s",
          memory: "128m",
          cpu: "0.5",
          maxInstances: 2,
          concurrency: 4,
          isolation: "process",
          network: "host",
          access: "token",
          allowBuild: true,
        },
      },
      {
        name: "report",
        path: "/elsewhere/report.py",
        nodes: ["all"],
        data: undefined,
        config: { application: "city", env: {} },
      },
    ],
  });
});

test.each([
  ["", "enoki.yaml:1: it is empty"],
  ["- a", "enoki.yaml:1: "],
  ["functions: {}", "enoki.yaml:1: application is missing"],
  ["application: a b", "enoki.yaml:1: application: a name has letters"],
  [
    "application: a\nfuntions: {}",
    "enoki.yaml:2: funtions: there is no such key; did you mean functions?",
  ],
  [
    "application: a\nfunctions:\n  f:\n    path: .\n    timout: 5s",
    "enoki.yaml:5: functions.f.timout: there is no such key; did you mean timeout?",
  ],
  [
    "application: a\nkeygroups:\n  k:\n    polcy: lww",
    "enoki.yaml:4: keygroups.k.polcy: there is no such key; did you mean policy?",
  ],
  ["application: a\nfunctions:\n  f: {}", "enoki.yaml:3: functions.f.path is missing"],
  [
    "application: a\nfunctions:\n  f:\n    path: .\n    timeout: 5",
    "enoki.yaml:5: functions.f.timeout: expected a duration with a unit",
  ],
  [
    "application: a\nfunctions:\n  f:\n    path: .\n    memory: much",
    'enoki.yaml:5: functions.f.memory: "much" is no size',
  ],
  ["application: a\nfunctions:\n  f_g: { path: . }", "enoki.yaml:3: functions.f_g: a name has"],
  [
    "application: a\nfunctions:\n  f: { path: ., data: here }",
    "enoki.yaml:3: functions.f.data: expected replicate",
  ],
  [
    "application: a\nfunctions:\n  f: { path: ., nodes: ['=x'] }",
    "enoki.yaml:3: functions.f.nodes: expected names",
  ],
  ["application: a\nkeygroups: { k: { policy: newest } }", "enoki.yaml:2: keygroups.k.policy: "],
  ["application: a\napplication: b", "enoki.yaml:2: Map keys must be unique"],
  ["application: [", "enoki.yaml:1: "],
  [
    `application: a\nx: &x [1]\ny: &y [${"*x,".repeat(60)}]\nfunctions: [${"*y,".repeat(60)}]`,
    "enoki.yaml:1: Excessive alias count",
  ],
])("%j is refused with the line: %s", async (text, message) => {
  await expect(read(text)).rejects.toMatchObject({
    code: "ENOKI_INVALID_MANIFEST",
    message: expect.stringContaining(message) as string,
  });
});

test.each([
  ["functions:\n  f:\n    path: .\n    triggers: []", "enoki.yaml:5: functions.f.triggers: this"],
  ["keygroups:\n  k:\n    grants: []", "enoki.yaml:4: keygroups.k.grants: this version"],
])("what comes later is refused, not left out: %j", async (text, message) => {
  await expect(read(`application: a\n${text}`)).rejects.toThrow(message);
});

const node = (name: string, labels = {}): KnownNode => ({ name, labels }) as KnownNode;

function info(name: string, config: object, more: object = {}): FunctionInfo {
  const defaults = { env: {}, timeout: "1m", memory: "256m", cpu: "0", isolation: "sandbox" };
  return {
    name,
    runtime: "node",
    archive: "aaaaaaaaaaaa",
    config: { ...defaults, application: "city", ...config },
    ...more,
  } as FunctionInfo;
}

function wanted(name: string, config = {}, more: Partial<PackedFunction> = {}): PackedFunction {
  return {
    name,
    path: "/app",
    nodes: [],
    data: undefined,
    archiveHash: "aaaaaaaaaaaa",
    config: { application: "city", env: {}, ...config },
    ...more,
  };
}

const state = (some: Partial<ClusterState> = {}): ClusterState => ({
  functions: [],
  keygroups: [],
  nodes: [],
  placements: new Map(),
  ...some,
});
const CITY = { application: "city", keygroups: [] };
const plan = (functions: PackedFunction[], known: Partial<ClusterState>, prunes = false) =>
  makePlan(CITY, functions, state(known), { prunes });

describe("a plan", () => {
  test("changes nothing where nothing differs, however it is written", () => {
    const functions = [info("f", { timeout: "1m", memory: "1g", cpu: "0.5", maxInstances: 8 })];
    const same = wanted("f", { timeout: "60s", memory: "1024m", cpu: "0.50" });
    expect(plan([same], { functions })).toEqual([
      { kind: "function", name: "f", action: "none", fields: [] },
    ]);
  });

  test("says what changes, from what to what, and nothing of what variables hold", () => {
    const functions = [
      info("f", { env: { OLD: "1", KEPT: "k", SECRET: "s3cret" }, timeout: "1m" }),
    ];
    const changed = wanted(
      "f",
      { env: { KEPT: "k", SECRET: "other", NEW: "n" }, timeout: "5s", access: "token" },
      { archiveHash: "bbbbbbbbbbbb" },
    );
    const [change] = plan([changed], { functions });
    expect(change).toMatchObject({ action: "change" });
    expect(change?.fields).toEqual([
      { field: "code", from: "aaaaaaaa", to: "bbbbbbbb" },
      { field: "timeout", from: "1m", to: "5s" },
      { field: "access", from: "none", to: "token" },
      { field: "env.NEW", from: null, to: "set" },
      { field: "env.OLD", from: "set", to: null },
      { field: "env.SECRET", from: "set", to: "changed" },
    ]);
    expect(JSON.stringify(change)).not.toContain("s3cret");
  });

  test("knows names, labels and all of nodes, and where data are", () => {
    const nodes = [node("cloud"), node("edge1", { zone: "n" }), node("edge2", { zone: "n" })];
    const here = (...names: string[]) => ({ nodes: names.map((name) => ({ node: name })) });
    const fieldsOf = (words: string[], ...on: string[]) =>
      plan([wanted("f", {}, { nodes: words })], {
        nodes,
        functions: [info("f", {}, here(...on))],
      })[0]?.fields;
    expect(fieldsOf(["zone=n"], "edge1", "edge2")).toEqual([]);
    expect(fieldsOf(["all"], "cloud")).toEqual([
      { field: "nodes", from: "cloud", to: "cloud, edge1, edge2" },
    ]);
    expect(fieldsOf(["edge9"], "cloud")?.[0]?.to).toBe("cloud, edge9");
    const [moved] = plan([wanted("f", {}, { data: "at:edge1" })], {
      functions: [info("f", {}, here("edge1"))],
      placements: new Map([["f", "replicate"]]),
    });
    expect(moved?.fields).toEqual([{ field: "data", from: "replicate", to: "at:edge1" }]);
  });

  test("removes only what the application had, and only if told to", () => {
    const functions = [
      info("mine", {}),
      info("theirs", { application: "other" }),
      info("nobodys", { application: undefined }),
    ];
    expect(plan([], { functions }).map(({ name, action }) => [name, action])).toEqual([
      ["mine", "leave"],
    ]);
    expect(plan([], { functions }, true).map(({ name, action }) => [name, action])).toEqual([
      ["mine", "remove"],
    ]);
  });

  test("refuses another application's function, and takes over nobody's", () => {
    expect(() => plan([wanted("f")], { functions: [info("f", { application: "other" })] })).toThrow(
      /f belongs to the application other/,
    );
    const [taken] = plan([wanted("f")], { functions: [info("f", { application: undefined })] });
    expect(taken?.fields).toEqual([{ field: "application", from: "none", to: "city" }]);
  });

  test("is a table for people", () => {
    const changes = plan([wanted("a"), wanted("b", { timeout: "5s" }), wanted("c")], {
      functions: [info("b", {}), info("c", {}), info("d", {})],
    });
    expect(planText("city", changes).split("\n")).toEqual([
      "city        name  what",
      "+ function  a     create",
      "~ function  b     timeout: 1m → 5s",
      "= function  c     as it is",
      "! function  d     no longer named; --prune removes it",
      "",
    ]);
    expect(doneText(changes)).toBe("1 created, 1 changed, 1 unchanged\n");
  });
});
