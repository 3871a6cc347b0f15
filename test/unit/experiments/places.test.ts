import { expect, test } from "vitest";

import { PAPER_LINKS } from "../../../src/experiments/network/link-shape.js";
import { linkBetween } from "../../../src/experiments/testbed/places.js";

test("places are as far apart as in the paper", () => {
  expect(linkBetween("client", "edge1")).toBe(PAPER_LINKS.clientToEdge);
  expect(linkBetween("edge1", "edge2")).toBe(PAPER_LINKS.edgeToEdge);
  expect(linkBetween("cloud", "edge2")).toBe(PAPER_LINKS.edgeToCloud);
  expect(linkBetween("client", "cloud")).toBe(PAPER_LINKS.edgeToCloud);
});

test("or as a testbed has them", () => {
  const links = { edgeToEdge: { delayMs: 3 } };
  expect(linkBetween("edge1", "edge2", links)).toBe(links.edgeToEdge);
  expect(linkBetween("client", "edge1", links)).toBe(PAPER_LINKS.clientToEdge);
});
