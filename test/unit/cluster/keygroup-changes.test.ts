import { array, assert, constant, constantFrom, oneof, property, record } from "fast-check";
import { expect, test } from "vitest";

import {
  configured,
  dropped,
  founded,
  granted,
  joined,
  moved,
  refounded,
  isToLeave,
  replicated,
  rejoined,
  withMember,
  withoutMember,
} from "../../../src/cluster/keygroup-changes.js";
import { encodeRecord } from "../../../src/cluster/record-codec.js";
import { type KeygroupRecord, memberOn, rightsIn } from "../../../src/cluster/records.js";
import { isNewer } from "../../../src/cluster/view.js";
import type { EnokiError } from "../../../src/core/errors.js";
import { parseKeygroupName, parseNodeName } from "../../../src/core/ids.js";
import { DEFAULTS } from "../../helpers/directories.js";

const name = parseKeygroupName("weather");
const [a, b, c] = ["a", "b", "c"].map((text) => ({
  node: parseNodeName(text),
  disk: `${text}1`,
})) as [Parameters<typeof joined>[1], Parameters<typeof joined>[1], Parameters<typeof joined>[1]];

function members(record: KeygroupRecord): string[] {
  return record.members.map(
    ({ node, epoch, isFounder }) => `${node}@${epoch}${isFounder ? "!" : ""}`,
  );
}

function joining({ node }: { readonly node: (typeof a)["node"] }) {
  return { node, durability: "relaxed" } as const;
}

const one = founded(undefined, name, a, DEFAULTS);
const two = joined(one, b, "strict");

test("the first is the founder, and everyone after it is named by the next epoch", () => {
  expect(members(one)).toEqual(["a@1!"]);
  expect(members(two)).toEqual(["a@1!", "b@2"]);
  expect(two).toMatchObject({ epoch: 2, past: [] });
  expect(joined(two, b, "relaxed")).toBe(two);
});

test("a member that comes back with another disk is another member", () => {
  const again = joined(two, { ...b, disk: "b2" }, "relaxed");
  expect(members(again)).toEqual(["a@1!", "b@3"]);
  expect(again).toMatchObject({ epoch: 3, past: [2] });
  const founder = joined(again, { ...a, disk: "a2" }, "relaxed");
  expect(members(founder)).toEqual(["a@4", "b@3"]);
  expect(memberOn(again, b.node)?.durability).toBe("strict");
});

test("a lost replica is replaced once, however often that is said", () => {
  const again = rejoined(two, 2, b);
  expect(members(again)).toEqual(["a@1!", "b@3"]);
  expect(rejoined(again, 2, b)).toBe(again);
});

test("a member that another node added is taken up without a new epoch", () => {
  const added = withMember(two, { node: c.node }, "relaxed");
  expect(memberOn(added, c.node)?.disk).toBe(undefined);
  const taken = joined(added, c, "strict");
  expect(taken).toMatchObject({ epoch: 3 });
  expect(memberOn(taken, c.node)).toMatchObject({ disk: "c1", durability: "relaxed" });
  expect(joined(taken, { ...c, disk: "c2" }, "relaxed").epoch).toBe(4);
});

test("who leaves is a past member, the last replica stays", () => {
  const left = withoutMember(two, a.node);
  expect(left).toMatchObject({ epoch: 3, past: [1] });
  expect(withoutMember(left, a.node)).toBe(left);
  expect(() => withoutMember(left, b.node)).toThrow(
    expect.objectContaining({ code: "ENOKI_LAST_REPLICA" }) as Error,
  );
});

test("placed on one node, the data go there, and functions elsewhere make no member", () => {
  const atC = moved(two, { kind: "at", node: c.node }, [joining(c)]);
  expect(members(atC)).toEqual(["a@1!", "b@2", "c@3"]);
  expect(() => withoutMember(atC, c.node)).toThrow(/is placed at "c": move it elsewhere first/);
  const alone = withoutMember(withoutMember(atC, a.node), b.node);
  expect(joined(alone, a, "relaxed")).toBe(alone);
  expect(() => replicated(alone, joining(a))).toThrow(
    expect.objectContaining({ code: "ENOKI_PLACEMENT_CONFLICT" }) as Error,
  );
  expect(members(replicated(alone, joining(c)))).toEqual(["c@3"]);
  expect(isToLeave(atC, a.node)).toBe(true);
  expect(isToLeave(atC, c.node)).toBe(false);
  const back = moved(alone, { kind: "replicate" }, [joining(c), joining(a)]);
  expect(members(back)).toEqual(["c@3", "a@6"]);
  expect(members(joined(back, b, "relaxed"))).toEqual(["c@3", "a@6", "b@7"]);
  const elsewhere = founded(undefined, name, a, {
    ...DEFAULTS,
    placement: { kind: "at", node: c.node },
  });
  expect(members(elsewhere)).toEqual(["c@1!"]);
  expect(memberOn(elsewhere, c.node)?.disk).toBe(undefined);
});

test("configuration changes what it names; a durability can be of one member", () => {
  const next = configured(two, { policy: "siblings", memberDurability: { a: "strict" } });
  expect(next).toMatchObject({ epoch: 2, settings: { policy: "siblings", ttlMs: 0 } });
  expect(next.members.map(({ durability }) => durability)).toEqual(["strict", "strict"]);
  expect(() => configured(two, { memberDurability: { c: "strict" } })).toThrow(/"c" is no member/);
});

test("rights end with the keygroup, and a new one of the name is another generation", () => {
  const alarm = { kind: "function", id: "alarm" } as const;
  const shared = granted(granted(two, alarm, ["read", "admin"]), alarm, ["write"]);
  expect(shared.grants).toEqual([{ ...alarm, rights: ["write"] }]);
  expect(granted(shared, alarm, []).grants).toEqual([]);
  // A token of that id is somebody else, and so is a function whose name goes on.
  expect(granted(shared, { kind: "token", id: "alarm" }, ["read"]).grants).toHaveLength(2);
  expect(rightsIn(shared, alarm)).toEqual(["write"]);
  expect(rightsIn(shared, { kind: "function", id: "alarm-2" })).toEqual([]);
  const gone = dropped(shared);
  expect(gone).toMatchObject({ isDropped: true, members: [], grants: [], generation: 1 });
  const again = founded(gone, name, b, DEFAULTS);
  expect(again).toMatchObject({ generation: 2, epoch: 1, grants: [], past: [] });
  const anew = refounded(again, 2, c, [joining(a), joining(c)]);
  expect(anew).toMatchObject({ generation: 3, epoch: 2 });
  expect(members(anew)).toEqual(["c@1!", "a@2"]);
  expect(refounded(anew, 2, c, [])).toBe(anew);
});

test("over any changes a record stays readable, and one change of members is one epoch", () => {
  const place = record({
    node: constantFrom("a", "b", "c", "d").map((text) => parseNodeName(text)),
    disk: constantFrom("1", "2"),
  });
  const change = oneof(
    place.map((at) => (before: KeygroupRecord) => joined(before, at, "relaxed")),
    place.map((at) => (before: KeygroupRecord) => withMember(before, { node: at.node }, "strict")),
    place.map((at) => (before: KeygroupRecord) => withoutMember(before, at.node)),
    place.map(
      (at) => (before: KeygroupRecord) =>
        rejoined(before, memberOn(before, at.node)?.epoch ?? 0, at),
    ),
    place.map(
      ({ node }) =>
        (before: KeygroupRecord) =>
          moved(before, { kind: "at", node }, [{ node, durability: "relaxed" }]),
    ),
    place.map((at) => (before: KeygroupRecord) => refounded(before, before.generation, at, [])),
    constant((before: KeygroupRecord) => moved(before, { kind: "replicate" }, [])),
    constant((before: KeygroupRecord) => dropped(before)),
  );
  assert(
    property(array(change, { maxLength: 40 }), (changes) => {
      let record: KeygroupRecord = { ...one, serial: 1 };
      for (const make of changes) {
        const before = record;
        try {
          record = before.isDropped ? founded(before, name, a, DEFAULTS) : make(before);
        } catch (error) {
          expect(["ENOKI_LAST_REPLICA", "ENOKI_PLACEMENT_CONFLICT"]).toContain(
            (error as EnokiError).code,
          );
          continue;
        }
        if (record === before) continue;
        record = { ...record, serial: before.serial + 1 };
        const after = { kind: "keygroup", record } as const;
        encodeRecord(after);
        expect(isNewer(after, { kind: "keygroup", record: before })).toBe(true);
        if (record.generation !== before.generation) continue;
        const isOther = members(record).join() !== members(before).join();
        expect(record.epoch - before.epoch).toBe(isOther ? 1 : 0);
      }
    }),
  );
});
