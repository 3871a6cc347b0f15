import { expect, test } from "vitest";

import { keyOf, type AnyRecord } from "../../../src/cluster/record-codec.js";
import { View } from "../../../src/cluster/view.js";
import { parseFunctionName, parseKeygroupName, parseNodeName } from "../../../src/core/ids.js";
import { firingNodes } from "../../../src/triggers/chosen-node.js";
import { SELF } from "../../helpers/directories.js";

const NAME = parseFunctionName("report");
const NODES = ["cloud", "edge1", "edge2"].map((node) => parseNodeName(node));
const [cloud, edge1, edge2] = NODES as [
  (typeof NODES)[number],
  (typeof NODES)[number],
  (typeof NODES)[number],
];

/** A view of three nodes, of which `edge1` and `edge2` run the function and those of `members` have its data. */
function open(members: typeof NODES = [edge1, edge2]): View {
  const view = new View();
  const set = (any: AnyRecord): void => view.set(keyOf(any), any);
  for (const node of NODES) {
    set({ kind: "node", record: { ...SELF, name: node, disk: `disk-${node}` } });
  }
  const targets = { nodes: [edge1, edge2], labels: [], isAll: false };
  const counts = { serial: 1, current: 1, last: 1 };
  const record = { name: NAME, isRemoved: false, revisions: [], targets, ...counts };
  set({ kind: "function", record });
  for (const node of [edge1, edge2]) {
    const state = { state: "ready", revision: 1, serving: 1 } as const;
    set({ kind: "function-node", record: { function: NAME, node, ...state } });
  }
  const settings = { policy: "lww", ttlMs: 0 } as const;
  set({
    kind: "keygroup",
    record: {
      name: parseKeygroupName("report"),
      serial: 1,
      generation: 1,
      epoch: members.length,
      isDropped: false,
      members: members.map((node, index) => ({
        node,
        epoch: index + 1,
        isFounder: index === 0,
        durability: "relaxed",
      })),
      past: [],
      settings,
      placement: { kind: "replicate" },
      grants: [],
    },
  });
  return view;
}

test("are those that are there and run the function", () => {
  const view = open();
  for (const node of NODES) view.setPresent(node, true);
  expect(firingNodes(view, NAME)).toEqual([edge1, edge2]);
  view.setPresent(edge1, false);
  expect(firingNodes(view, NAME)).toEqual([edge2]);
  view.setPresent(edge2, false);
  expect(firingNodes(view, NAME)).toEqual([]);
});

test("are not those where no revision serves yet", () => {
  const view = open();
  for (const node of NODES) view.setPresent(node, true);
  const record = { function: NAME, node: edge1, state: "failed", revision: 1, serving: 0 } as const;
  view.set(keyOf({ kind: "function-node", record }), { kind: "function-node", record });
  expect(firingNodes(view, NAME)).toEqual([edge2]);
});

test("are those with its data, if any of them runs it", () => {
  for (const [members, expected] of [
    [[edge2], [edge2]],
    [[cloud], [edge1, edge2]],
  ] as const) {
    const view = open([...members]);
    for (const node of NODES) view.setPresent(node, true);
    expect(firingNodes(view, NAME)).toEqual(expected);
  }
});

test("are all of the last view as long as a node has heard of none", () => {
  const view = open();
  expect(firingNodes(view, NAME)).toEqual([edge1, edge2]);
  view.setPresent(cloud, true);
  expect(firingNodes(view, NAME)).toEqual([]);
});
