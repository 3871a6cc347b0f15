import { assert, constantFrom, property, shuffledSubarray, string } from "fast-check";
import { expect, test } from "vitest";

import type { NodeName } from "../../../src/core/ids.js";
import { chosenNode } from "../../../src/triggers/chosen-node.js";

const NODES = ["cloud", "edge1", "edge2", "edge3", "edge4"] as NodeName[];

test("nobody among none, and the only one among one", () => {
  expect(chosenNode("t", [])).toBeUndefined();
  expect(chosenNode("t", ["cloud" as NodeName])).toBe("cloud");
});

test("does not depend on the order in which nodes are known", () => {
  assert(
    property(string(), shuffledSubarray(NODES), (trigger, nodes) => {
      expect(chosenNode(trigger, nodes)).toBe(chosenNode(trigger, [...nodes].sort()));
    }),
  );
});

test("a node that goes moves its own triggers and no others", () => {
  assert(
    property(string(), constantFrom(...NODES), (trigger, gone) => {
      const before = chosenNode(trigger, NODES);
      const after = chosenNode(
        trigger,
        NODES.filter((node) => node !== gone),
      );
      if (before === gone) expect(after).not.toBe(gone);
      else expect(after).toBe(before);
    }),
  );
});

test("gives every node a share of many triggers", () => {
  const shares = new Map<string, number>();
  for (let index = 0; index < 1000; index++) {
    const chosen = chosenNode(`function ${index}`, NODES) as string;
    shares.set(chosen, (shares.get(chosen) ?? 0) + 1);
  }
  for (const node of NODES) expect(shares.get(node)).toBeGreaterThan(140);
});
