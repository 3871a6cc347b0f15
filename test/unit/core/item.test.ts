import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeItem, encodeItem, versionSize, type Version } from "../../../src/core/item.js";
import type { Tag } from "../../../src/core/value.js";

const anyVersion: fc.Arbitrary<Version> = fc.record({
  dot: fc.record({ epoch: fc.nat(), restart: fc.nat(2 ** 20 - 1), counter: fc.maxSafeNat() }),
  hlc: fc.maxSafeNat(),
  value: fc.record({
    tag: fc.integer({ min: 0, max: 6 }) as fc.Arbitrary<Tag>,
    bytes: fc.uint8Array({ maxLength: 300 }),
  }),
  expiresAtMs: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  invocation: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { nil: undefined }),
  isPinned: fc.boolean(),
});

describe("an item row", () => {
  it("gives back the versions that were encoded, in exactly their size", () => {
    fc.assert(
      fc.property(fc.array(anyVersion, { maxLength: 4 }), (versions) => {
        const bytes = encodeItem(versions);
        expect(bytes.length).toBe(versions.reduce((sum, each) => sum + versionSize(each), 0));
        expect(decodeItem(bytes)).toEqual(versions);
      }),
    );
  });

  it("is read without copying a value of more than a few bytes", () => {
    const bytes = encodeItem([{ ...sample, value: { tag: 2, bytes: new Uint8Array(65) } }]);
    expect(decodeItem(bytes)[0]?.value.bytes.buffer).toBe(bytes.buffer);
  });

  it("costs 16 bytes or less beside the value, for a first member and no expiry", () => {
    const hlc = 1_800_000_000_000 * 1024;
    const dot = { epoch: 1, restart: 0, counter: 100_000 };
    expect(versionSize({ ...sample, dot, hlc }) - sample.value.bytes.length).toBeLessThanOrEqual(
      16,
    );
  });

  it("is refused when it is cut short or of an unknown type", () => {
    const bytes = encodeItem([sample]);
    expect(() => decodeItem(bytes.subarray(0, bytes.length - 1))).toThrow(/too early/);
    expect(() => decodeItem(Uint8Array.of(0x0f))).toThrow(/unknown type/);
    expect(() => decodeItem(Uint8Array.of(0x81))).toThrow(/not pinned/);
  });
});

const sample: Version = {
  dot: { epoch: 1, restart: 0, counter: 1 },
  hlc: 1024,
  value: { tag: 1, bytes: Uint8Array.of(65) },
  expiresAtMs: 0,
  invocation: undefined,
  isPinned: false,
};
