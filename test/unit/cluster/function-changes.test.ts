import { expect, test } from "vitest";

import {
  currentOf,
  type Deploy,
  deployed,
  removed,
  targetNodes,
  withCurrent,
  withoutTarget,
  withTargets,
} from "../../../src/cluster/function-changes.js";
import { encodeRecord } from "../../../src/cluster/record-codec.js";
import type { ClusterFunctionRecord, NodeRecord } from "../../../src/cluster/records.js";
import { parseFunctionName, parseNodeName } from "../../../src/core/ids.js";
import { SELF } from "../../helpers/directories.js";

const name = parseFunctionName("weather");
const [a, b, c] = ["a", "b", "c"].map(parseNodeName) as [
  NodeRecord["name"],
  NodeRecord["name"],
  NodeRecord["name"],
];
let deploys = 0;

function deploy(source: string, config: Record<string, unknown> = {}): Deploy {
  const id = `d${deploys++}`;
  return { deploy: id, source, runtime: "python", config, deployedOn: a, deployedAtMs: 1 };
}

function deployAll(
  ...steps: readonly (readonly [Deploy, NodeRecord["name"]])[]
): ClusterFunctionRecord {
  let record: ClusterFunctionRecord | undefined;
  for (const [what, node] of steps) record = deployed(record, name, what, { nodes: [node] });
  return record as ClusterFunctionRecord;
}

test("new code, new configuration, and the same once more on the same node are revisions", () => {
  const record = deployAll(
    [deploy("x"), a],
    [deploy("y"), a],
    [deploy("y", { b: 1 }), b],
    [deploy("y", { b: 1 }), b],
  );
  expect(record).toMatchObject({ current: 4, last: 4, targets: { nodes: [a, b] } });
  expect(record.revisions.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
});

test("the current code on a further node makes no new revision, whatever the order of its members", () => {
  const config = { a: 1, b: { c: [1], d: undefined } };
  const record = deployAll([deploy("x", config), a], [deploy("x", { b: { c: [1] }, a: 1 }), b]);
  expect(record).toMatchObject({ current: 1, last: 1, targets: { nodes: [a, b] } });
});

test("the lineage is the same over revisions, and another one after a removal", () => {
  const first = deploy("x");
  const second = deployAll([first, a], [deploy("y"), b]);
  expect(second.lineage).toBe(first.deploy);
  const { lineage: _, ...older } = second;
  expect(deployed(older, name, deploy("z"), {}).lineage).toBe(first.deploy);
  const anew = deploy("x");
  expect(removed(second).lineage).toBeUndefined();
  expect(deployed(removed(second), name, anew, {}).lineage).toBe(anew.deploy);
});

test("the same deploy makes one revision, however often it is repeated", () => {
  const mine = deploy("x");
  const record = deployAll([mine, a], [deploy("y"), b], [mine, a]);
  expect(record).toMatchObject({ current: 2, last: 2 });
});

test("numbers of revisions never come twice, also over a removal", () => {
  const gone = removed(deployAll([deploy("x"), a], [deploy("y"), a]));
  expect(gone).toMatchObject({ isRemoved: true, current: 0, last: 2, revisions: [] });
  const again = deployed(gone, name, deploy("x"), { nodes: [b] });
  expect(again).toMatchObject({ isRemoved: false, current: 3, last: 3, targets: { nodes: [b] } });
});

test("a kept revision can be made the current one, and no other", () => {
  const record = deployAll([deploy("x"), a], [deploy("y"), a]);
  expect(currentOf(withCurrent(record, 1))?.source).toBe("x");
  expect(() => withCurrent(record, 3)).toThrow(/has no revision 3/);
});

test("ten revisions are kept, and fewer if they are so large that a record cannot hold them", () => {
  const small = deployAll(...Array.from({ length: 15 }, () => [deploy(`x${deploys}`), a] as const));
  expect(small.revisions.map(({ number }) => number)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  const env = { text: "ü".repeat(20_000) };
  const large = deployAll(
    ...Array.from({ length: 15 }, () => [deploy(`x${deploys}`, env), a] as const),
  );
  expect(large.revisions.length).toBeLessThan(10);
  expect(large.revisions.at(-1)?.number).toBe(15);
  encodeRecord({ kind: "function", record: { ...large, serial: 1 } });
});

test("targets are named nodes, nodes with a label, or all; labels are each good for themselves", () => {
  const nodes: NodeRecord[] = [
    { ...SELF, name: a, disk: "1", labels: { zone: "edge", size: "s" } },
    { ...SELF, name: b, disk: "2", labels: { zone: "cloud", size: "l" } },
  ];
  const record = deployed(undefined, name, deploy("x"), { nodes: [c] });
  expect(targetNodes(record, nodes)).toEqual([c]);
  const labelled = withTargets(record, { labels: ["size=s", "zone=moon", "none=x"] });
  expect(targetNodes(labelled, nodes)).toEqual([a, c]);
  expect(targetNodes(withTargets(labelled, { isAll: true }), nodes)).toEqual([a, b, c]);
  expect(targetNodes(withoutTarget(labelled, c, undefined), nodes)).toEqual([a]);
  expect(() => withoutTarget(labelled, a, nodes[0])).toThrow(/runs on "a" by a label/);
});
