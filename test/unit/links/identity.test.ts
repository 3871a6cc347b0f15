import { expect, test } from "vitest";

import { certifiedNode } from "../../../src/links/identity.js";

test.each([
  ["URI:urn:enoki:node:edge1", "edge1"],
  ["DNS:a.example, URI:urn:enoki:node:edge1, IP Address:10.0.0.1", "edge1"],
  [undefined, undefined],
  ["", undefined],
  ["DNS:edge1", undefined],
  ["URI:urn:enoki:node:", undefined],
  ["URI:urn:enoki:node:a/b", undefined],
  ["URI:urn:enoki:nodes:edge1", undefined],
  ["DNS:urn:enoki:node:edge1", undefined],
  ["URI:urn:enoki:node:edge1, URI:urn:enoki:node:edge2", undefined],
  ['DNS:"x, URI:urn:enoki:node:edge1"', undefined],
  ['DNS:"x", URI:urn:enoki:node:edge1', undefined],
])("the alternative names %j name %j", (names, node) => {
  expect(certifiedNode(names)).toBe(node);
});
