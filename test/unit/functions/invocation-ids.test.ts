import { expect, test } from "vitest";

import { parseInvocationId } from "../../../src/core/ids.js";
import { createInvocationIds } from "../../../src/functions/invocation-ids.js";

test("ids have 128 bits, differ, and keep their bytes when more are drawn", () => {
  const next = createInvocationIds();
  const drawn = Array.from({ length: 2000 }, () => next());
  expect(new Set(drawn.map(({ id }) => id)).size).toBe(drawn.length);
  for (const { id, bytes } of drawn) {
    expect(parseInvocationId(id)).toBe(id);
    expect(bytes).toHaveLength(16);
    expect(Buffer.from(bytes).toString("hex")).toBe(id);
  }
});

test("every bit of an id is random", () => {
  const next = createInvocationIds();
  const ones = Array.from({ length: 128 }, () => 0);
  const count = 2000;
  for (let i = 0; i < count; i++) {
    const { bytes } = next();
    for (let bit = 0; bit < 128; bit++) ones[bit]! += ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1;
  }
  // Ten standard deviations around one half.
  for (const share of ones) expect(Math.abs(share / count - 0.5)).toBeLessThan(0.112);
});
