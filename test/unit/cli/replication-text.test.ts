import { expect, test } from "vitest";

import type { Explanation, KeygroupInfo, KeygroupMember } from "../../../src/client/types.js";
import { explanationText } from "../../../src/cli/explanation-text.js";
import { keygroupText } from "../../../src/cli/keygroup-text.js";

const NOW = "2026-01-01T00:05:00.000Z";
const nowMs = Date.parse(NOW);
const keygroup: KeygroupInfo = {
  name: "hello",
  policy: "lww",
  durability: "relaxed",
  ttl: null,
  storage: "lmdb",
  keys: 3,
  sizeBytes: 30,
  members: ["cloud", "edge1"],
};
const peer = {
  lagUpdates: 0,
  lagMs: 0,
  behindUpdates: 4,
  outboxBytes: 120,
  stalenessMs: 80,
  updatesApplied: 7,
  conflictsResolved: 0,
};
const member: KeygroupMember = {
  node: "edge1",
  here: false,
  present: true,
  state: "serving",
  durability: "relaxed",
  peer,
};

function described(members: readonly KeygroupMember[]): string[] {
  const replication = {
    generation: 1,
    epoch: 3,
    everywhere: false,
    unreplicated: 4,
    stalenessMs: null,
    updatesApplied: 7,
    conflictsResolved: 2,
    members,
  };
  return keygroupText({ ...keygroup, replication }, nowMs).split("\n");
}

test("a keygroup of a node that stands alone has no rows of members", () => {
  expect(keygroupText(keygroup, nowMs)).not.toContain("NODE");
});

test("a keygroup says whether everything is everywhere, and has a row per member", () => {
  const here = { ...member, node: "cloud", here: true, durability: "strict" } as const;
  const { peer: _, ...asked } = here;
  const lines = described([
    asked,
    member,
    { ...member, node: "edge2", state: "away", since: "2026-01-01T00:00:00.000Z" },
    { ...member, node: "edge3", state: "away", present: false, since: NOW },
    {
      ...member,
      node: "edge4",
      state: "joining",
      progress: { from: "cloud", items: 1200, sizeBytes: 2048, share: 0.456 },
    },
    { ...asked, node: "edge5", here: false, state: "pending" },
  ]);
  expect(lines.slice(8, 13)).toEqual([
    "epoch       3 of generation 1",
    "everywhere  no, 4 writes of this node on no other disk for certain",
    "staleness   unknown",
    "applied     7 updates of others",
    "conflicts   2 resolved here",
  ]);
  expect(lines.slice(14).map((line) => line.replaceAll(/ {2,}/g, " | "))).toEqual([
    "NODE | STATE | DURABILITY | NOT THERE | NOT HERE | OUTBOX | STALENESS",
    "cloud | serving (asked) | strict",
    "edge1 | serving | relaxed | 4 | 0 | 120 B | at most 80 ms",
    "edge2 | no link since 2026-01-01T00:00:00.000Z (5m) | relaxed | ? | ? | 120 B | at most 80 ms",
    `edge3 | away since ${NOW} (0s) | relaxed | ? | ? | 120 B | at most 80 ms`,
    "edge4 | joining: 45 %, 1200 keys, 2.0 KiB from cloud | relaxed | 4 | 0 | 120 B | at most 80 ms",
    "edge5 | pending | strict",
    "",
  ]);
});

test("an explanation has a row per version, then one per replica if there are several", () => {
  const version = { version: "1.0.1", at: NOW, type: "str", expiresAt: null };
  const versions = [
    { ...version, node: "edge1", invocation: "ab".repeat(16) },
    { ...version, version: "2.0.7", node: null, invocation: null },
  ];
  const own = { node: "cloud", state: "same", versions: ["1.0.1", "2.0.7"] } as const;
  const alone: Explanation = { key: "k", versions, replicas: [own] };
  const lines = (explanation: Explanation): string[] =>
    explanationText(explanation, nowMs)
      .split("\n")
      .map((line) => line.replaceAll(/ {2,}/g, " | "));
  expect(lines(alone)).toEqual([
    "VERSION | TYPE | WRITTEN | ON | BY INVOCATION | EXPIRES",
    `1.0.1 | str | ${NOW} (0s ago) | edge1 | ${"ab".repeat(16)} | -`,
    `2.0.7 | str | ${NOW} (0s ago) | a former member | from outside | -`,
    "",
  ]);
  const states = ["newer", "older", "missing", "concurrent"] as const;
  const others = states.map((state) => {
    return { node: state, state, versions: state === "missing" ? [] : ["9.0.1"] };
  });
  const unknown = { node: "gone", state: "unknown", versions: [], reason: "no link" } as const;
  const deleted = { node: "deleted", state: "newer", versions: [] } as const;
  const replicas = [own, ...others, deleted, unknown];
  expect(lines({ ...alone, replicas }).slice(4)).toEqual([
    "REPLICA | HAS",
    "cloud | this",
    "newer | a newer version: 9.0.1",
    "older | an older version: 9.0.1",
    "missing | nothing yet",
    "concurrent | another version, and not all of these: 9.0.1",
    "deleted | deleted it since",
    "gone | unknown: no link",
    "",
  ]);
});
