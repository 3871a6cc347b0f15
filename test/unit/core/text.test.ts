import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8Bytes, utf8Text } from "../../../src/core/text.js";

describe("UTF-8", () => {
  it("is the same as everyone else's, in both directions", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(utf8Bytes(text)).toEqual(new Uint8Array(Buffer.from(text, "utf8")));
        expect(utf8Text(utf8Bytes(text))).toBe(text);
      }),
    );
  });

  it("replaces a lone surrogate", () => {
    expect(utf8Text(utf8Bytes("a\ud800b"))).toBe("a\ufffdb");
  });
});
