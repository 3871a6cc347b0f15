import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareBytes } from "../../../src/base/bytes.js";
import {
  ByteReader,
  ByteWriter,
  orderedSize,
  varintSize,
  writeOrdered,
  writeVarint,
} from "../../../src/core/codec.js";

const number = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
);

function ordered(value: number): Uint8Array {
  const bytes = new Uint8Array(orderedSize(value));
  expect(writeOrdered(bytes, 0, value)).toBe(bytes.length);
  return bytes;
}

describe("codec", () => {
  it("reads every varint back from exactly the bytes that its size says", () => {
    fc.assert(
      fc.property(number, (value) => {
        const bytes = new Uint8Array(varintSize(value));
        expect(writeVarint(bytes, 0, value)).toBe(bytes.length);
        const reader = new ByteReader(bytes);
        expect(reader.varint()).toBe(value);
        expect(reader.isAtEnd).toBe(true);
      }),
    );
  });

  it("sorts ordered numbers as the numbers sort", () => {
    fc.assert(
      fc.property(number, number, (left, right) => {
        expect(Math.sign(compareBytes(ordered(left), ordered(right)))).toBe(
          Math.sign(left - right),
        );
        expect(new ByteReader(ordered(left)).ordered()).toBe(left);
      }),
    );
  });

  it("reads sized bytes back, however large they grow", () => {
    const large = new Uint8Array(1000).fill(7);
    const reader = new ByteReader(new ByteWriter().byte(9).sized(large).varint(5).finish());
    expect(reader.byte()).toBe(9);
    expect(reader.take(reader.varint())).toEqual(large);
    expect(reader.varint()).toBe(5);
  });

  it("refuses bytes that end too early or a number without an end", () => {
    expect(() => new ByteReader(Uint8Array.of(0x80)).varint()).toThrow(/too early/);
    expect(() => new ByteReader(new Uint8Array(12).fill(0xff)).varint()).toThrow(/too long/);
    expect(() => new ByteReader(Uint8Array.of(1, 2)).take(3)).toThrow(/too early/);
  });
});
