import { expect, test } from "vitest";

import {
  type AnyRecord,
  decodeRecord,
  encodeRecord,
  keyOf,
} from "../../../src/cluster/record-codec.js";
import { functionNodeKey, keygroupKey, parseRecordKey } from "../../../src/cluster/record-keys.js";
import type { ClusterFunctionRecord, KeygroupRecord } from "../../../src/cluster/records.js";
import { parseFunctionName, parseKeygroupName, parseNodeName } from "../../../src/core/ids.js";
import { SELF } from "../../helpers/directories.js";

const edge = parseNodeName("edge-1");
const cloud = parseNodeName("cloud");

const keygroup: KeygroupRecord = {
  name: parseKeygroupName("weather"),
  serial: 7,
  generation: 2,
  epoch: 4,
  isDropped: false,
  members: [
    { node: edge, epoch: 1, isFounder: true, durability: "strict", disk: "d1" },
    { node: cloud, epoch: 4, isFounder: false, durability: "relaxed", disk: undefined },
  ],
  past: [2],
  settings: { policy: "merge", ttlMs: 5000 },
  placement: { kind: "at", node: cloud },
  grants: [
    { kind: "function", id: "alarm", rights: ["read"] },
    { kind: "token", id: "0123456789abcdef", rights: ["read", "write"] },
  ],
};

const deployed: ClusterFunctionRecord = {
  name: parseFunctionName("weather"),
  serial: 1,
  isRemoved: false,
  current: 3,
  last: 3,
  revisions: [
    {
      number: 3,
      deploy: "a1",
      source: "sha256:00ff",
      runtime: "python",
      config: { timeoutMs: 1000, env: { A: "ü|/\u0000" } },
      deployedOn: edge,
      deployedAtMs: 1,
    },
  ],
  targets: { nodes: [edge], labels: ["zone=edge"], isAll: false },
};

const RECORDS: readonly AnyRecord[] = [
  { kind: "node", record: { ...SELF, name: edge, disk: "d1" } },
  { kind: "node", record: { ...SELF, name: edge, disk: "d1", addresses: [], labels: {} } },
  { kind: "function", record: deployed },
  {
    kind: "function-node",
    record: {
      function: deployed.name,
      node: edge,
      state: "failed",
      revision: 3,
      serving: 2,
      reason: "no Python\nhere",
    },
  },
  { kind: "keygroup", record: keygroup },
  { kind: "keygroup", record: { ...keygroup, isDropped: true, members: [], past: [] } },
];

test.each(RECORDS)("a record is read as it was written: $kind", (any) => {
  expect(decodeRecord(keyOf(any), encodeRecord(any))).toEqual(any);
});

test("members that a newer node wrote stay in the record when an older one changes it", () => {
  const text = JSON.stringify({ format: 1, ...keygroup, region: { of: "tomorrow" } });
  const any = decodeRecord("keygroups/weather", text) as AnyRecord;
  expect(JSON.parse(encodeRecord(any))).toMatchObject({ region: { of: "tomorrow" } });
});

function changed(change: Record<string, unknown>): string {
  return JSON.stringify({ format: 1, ...keygroup, ...change });
}

const member = keygroup.members[0];

test.each([
  ["no JSON", "{", /it is no JSON/],
  ["null", "null", /expected object/],
  ["a list", "[]", /expected object/],
  ["no format", JSON.stringify(keygroup), /format: /],
  ["a newer format", changed({ format: 2 }), /it has format 2; this version reads 1/],
  ["another name", changed({ name: "other" }), /the record of another name/],
  ["a name with a separator", changed({ name: "a/b" }), /name: .*not a valid keygroup name/],
  ["no epoch", changed({ epoch: undefined }), /epoch: /],
  ["an epoch of half", changed({ epoch: 1.5 }), /epoch: /],
  ["an absurd epoch", changed({ epoch: 2 ** 60 }), /epoch: /],
  ["an epoch that lies ahead", changed({ epoch: 3 }), /an epoch names two members, or lies ahead/],
  ["an epoch used twice", changed({ past: [1] }), /an epoch names two members/],
  ["a node twice", changed({ members: [member, { ...member, epoch: 3 }] }), /a member twice/],
  ["no members", changed({ members: [] }), /has members unless it was dropped/],
  ["an unknown policy", changed({ settings: { policy: "luck", ttlMs: 0 } }), /settings\.policy: /],
  ["an unknown placement", changed({ placement: { kind: "moon" } }), /placement/],
])("a keygroup's record with %s is refused, saying what is wrong", (_, text, message) => {
  expect(() => decodeRecord("keygroups/weather", text)).toThrow(
    expect.objectContaining({
      code: "ENOKI_NAMING_RECORD",
      message: expect.stringMatching(message) as string,
    }) as Error,
  );
});

test("what could not be read again is not written", () => {
  const tooLarge = { ...keygroup, past: Array.from({ length: 80_000 }, (_, index) => index + 10) };
  for (const record of [{ ...keygroup, epoch: 0 }, tooLarge]) {
    expect(() => encodeRecord({ kind: "keygroup", record })).toThrow(
      expect.objectContaining({ code: "ENOKI_INVALID_INPUT" }) as Error,
    );
  }
});

test("keys of others are left alone, and no name can make one key look like another", () => {
  for (const key of [
    "",
    "keygroups",
    "keygroups/",
    "keygroups/a/b",
    "functions/a|b",
    "nodes/..",
    "x/y",
  ]) {
    expect(parseRecordKey(key)).toBe(undefined);
    expect(decodeRecord(key, "garbage")).toBe(undefined);
  }
  expect(parseRecordKey("function-nodes/a")).toBe(undefined);
  expect(parseRecordKey(functionNodeKey(deployed.name, edge))).toEqual({
    kind: "function-node",
    function: "weather",
    node: "edge-1",
  });
  for (const name of ["a/b", "a|b", "", "-a", "a ", "ä", "a".repeat(64), undefined]) {
    expect(() => parseKeygroupName(name)).toThrow(/not a valid keygroup name/);
  }
  expect(keygroupKey(keygroup.name)).toBe("keygroups/weather");
});
