// Why so long: every key of the manifest and every kind of difference, in the same small words.

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
    grants: { "function:light": read, "token:station": [read, write] }
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
    secrets: { KEY: env, TOKEN: "env:LIGHT_TOKEN", CERT: "file:cert.pem" }
    triggers: ["keygroup:light/on", { on: "cron:*/5  * * * *", at: every }]
  report: { path: /elsewhere/report.py, nodes: all }
`;

test("a manifest is read, paths from its folder, settings as the API takes them", async () => {
  expect(await read(FULL)).toEqual({
    application: "city",
    keygroups: [
      {
        name: "readings",
        settings: { policy: "siblings", durability: "strict", ttl: "7d" },
        grants: [
          { to: "function:light", rights: ["read"] },
          { to: "token:station", rights: ["read", "write"] },
        ],
      },
      { name: "plain", settings: {}, grants: [] },
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
          triggers: [
            { on: "keygroup:light/on", at: "origin" },
            { on: "cron:*/5 * * * *", at: "every" },
          ],
        },
        secretSources: new Map([
          ["KEY", { kind: "env", variable: "KEY" }],
          ["TOKEN", { kind: "env", variable: "LIGHT_TOKEN" }],
          ["CERT", { kind: "file", path: "/app/cert.pem" }],
        ]),
      },
      {
        name: "report",
        path: "/elsewhere/report.py",
        nodes: ["all"],
        data: undefined,
        config: { application: "city", env: {} },
        secretSources: new Map(),
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
  [
    "functions:\n  f:\n    path: .\n    triggers: 5",
    "enoki.yaml:5: functions.f.triggers: expected a",
  ],
  [
    "functions:\n  f:\n    path: .\n    triggers: [tea]",
    'enoki.yaml:5: functions.f.triggers: "tea"',
  ],
  [
    "functions:\n  f:\n    path: .\n    triggers: [{ at: one }]",
    "enoki.yaml:5: functions.f.triggers.0",
  ],
  ["keygroups:\n  k:\n    grants: []", "enoki.yaml:4: keygroups.k.grants: "],
  ["keygroups:\n  k:\n    grants: { f: read }", "keygroups.k.grants.f: expected function:NAME"],
  ['keygroups:\n  k:\n    grants: { "token:f": look }', "expected rights: read, write"],
  [
    "functions:\n  f: { path: ., secrets: [A-B] }",
    "enoki.yaml:3: functions.f.secrets.0: a secret has",
  ],
  [
    "functions:\n  f: { path: ., secrets: { A: hunter2 } }",
    "functions.f.secrets.A: expected env, env:VARIABLE or",
  ],
])("what cannot be is refused: %j", async (text, message) => {
  const reading = read(`application: a\n${text}`);
  await expect(reading).rejects.toMatchObject({ code: "ENOKI_INVALID_MANIFEST" });
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.not.toThrow("hunter2");
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
    secrets: new Map(),
    secretSources: new Map(),
    config: { application: "city", env: {}, ...config },
    ...more,
  };
}

const state = (some: Partial<ClusterState> = {}): ClusterState => ({
  functions: [],
  keygroups: [],
  grants: new Map(),
  secrets: new Map(),
  nodes: [],
  placements: new Map(),
  ...some,
});
const CITY = { application: "city", keygroups: [] };
const plan = (functions: PackedFunction[], known: Partial<ClusterState>, prunes = false) =>
  makePlan(CITY, functions, state(known), { prunes });

describe("a plan of secrets, triggers and grants", () => {
  const secrets = new Map([
    ["SAME", { value: "1" }],
    ["CHANGED", { value: "2" }],
    ["NEW", { value: "3" }],
    ["KEPT", { missing: "the variable KEPT is not set here" }],
  ]);
  const functions = [info("f", { secrets: ["CHANGED", "KEPT", "OLD", "SAME"] })];
  const compared = { SAME: "same", CHANGED: "different", NEW: "missing" } as const;
  const known = { functions, secrets: new Map([["f", compared]]) };
  const fieldsOf = (prunes: boolean) =>
    plan([wanted("f", {}, { secrets })], known, prunes)[0]?.fields.map(
      ({ field, from, to }) => `${field}: ${from} → ${to}`,
    );

  test("sets what differs, keeps what has no value here, and prunes only when told to", () => {
    const changes = ["secrets.CHANGED: set → changed", "secrets.NEW: null → set"];
    expect(fieldsOf(false)).toEqual(changes);
    expect(fieldsOf(true)).toEqual([...changes, "secrets.OLD: set → null"]);
  });

  test("is refused where a value is needed and nowhere", () => {
    const missing = new Map([["KEY", { missing: "the variable KEY is not set here" }]]);
    expect(() => plan([wanted("f", {}, { secrets: missing })], known)).toThrow(
      "functions.f.secrets.KEY: the variable KEY is not set here, and the function has no such",
    );
  });

  test("compares triggers in whatever order; those that are not said stay", () => {
    const [a, b] = [
      { on: "cron:* * * * *", at: "one" },
      { on: "keygroup:k/", at: "origin" },
    ];
    const there = { functions: [info("f", { triggers: [a, b] })] };
    expect(plan([wanted("f", { triggers: [b, a] })], there)[0]?.action).toBe("none");
    expect(plan([wanted("f")], there)[0]?.action).toBe("none");
    expect(plan([wanted("f", { triggers: [] })], there)[0]?.fields).toEqual([
      { field: "triggers", from: "cron:* * * * * at one, keygroup:k/ at origin", to: "none" },
    ]);
  });

  test("gives rights that differ before functions are deployed, and takes back when told to", () => {
    const manifest = {
      application: "city",
      keygroups: [
        {
          name: "k",
          settings: {},
          grants: [
            { to: "function:a", rights: ["write", "read"] },
            { to: "function:b", rights: ["read"] },
          ],
        },
      ],
    } as const;
    const grants = new Map([
      [
        "k",
        [
          { to: "function:a", rights: ["read", "write"] },
          { to: "function:c", rights: ["read"] },
        ] as const,
      ],
    ]);
    const keygroups = [{ name: "k", policy: "lww", durability: "relaxed", ttl: null }] as const;
    const make = (prunes: boolean) =>
      makePlan(manifest, [wanted("f")], state({ keygroups, grants }), { prunes });
    expect(make(false).map(({ kind, to, action }) => [kind, to, action])).toEqual([
      ["keygroup", undefined, "none"],
      ["grant", "function:a", "none"],
      ["grant", "function:b", "create"],
      ["grant", "function:c", "leave"],
      ["function", undefined, "create"],
    ]);
    expect(make(true)[3]?.action).toBe("remove");
    expect(planText("city", make(true))).toMatch(/- grant +k for function:c +remove\n/);
  });
});

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
