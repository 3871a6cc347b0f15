import { describe, expect, it } from "vitest";
import { formatDot, parseDot } from "../../../src/core/dot.js";
import type { Version } from "../../../src/core/item.js";
import { applyVersion, isShadowed, pins } from "../../../src/core/live-set.js";
import { TAG } from "../../../src/core/value.js";
import { version } from "./versions.js";

function apply(policy: "lww" | "siblings", writes: readonly [Version, ...string[]][]): string[] {
  let live: Version[] = [];
  for (const [each, ...replaces] of writes) {
    const isPinned = policy === "siblings" || each.isPinned;
    live = applyVersion(
      live,
      { ...each, isPinned },
      replaces.map((text) => parseDot(text)!),
    );
  }
  return live.map(({ dot }) => formatDot(dot));
}

const early = version("1.0.1", 10);
const late = version("2.0.1", 20);
const counter = version("3.0.1", 5, { tag: TAG.counter, isPinned: true });

describe("the live versions", () => {
  it("under lww are the greatest, in whatever order they come", () => {
    expect(apply("lww", [[early], [late]])).toEqual(["2.0.1"]);
    expect(apply("lww", [[late], [early]])).toEqual(["2.0.1"]);
  });

  it("under lww at one hybrid time are those of the greater origin", () => {
    expect(apply("lww", [[version("2.0.1", 10)], [early]])).toEqual(["2.0.1"]);
  });

  it("under siblings are all that no write has replaced, in the order of dots", () => {
    expect(apply("siblings", [[late], [early]])).toEqual(["1.0.1", "2.0.1"]);
    const heir = version("1.0.2", 30);
    expect(apply("siblings", [[late], [early], [heir, "1.0.1"]])).toEqual(["1.0.2", "2.0.1"]);
  });

  it("under lww keep a CRDT version beside a greater plain one until it is replaced", () => {
    expect(apply("lww", [[counter], [late]])).toEqual(["2.0.1", "3.0.1"]);
    expect(apply("lww", [[late], [counter]])).toEqual(["2.0.1", "3.0.1"]);
    const heir = version("1.0.2", 30);
    expect(apply("lww", [[late], [counter], [heir, "2.0.1", "3.0.1"]])).toEqual(["1.0.2"]);
  });

  it("under lww keep a plain version that replaced a CRDT one, though a greater one hides it", () => {
    const fence = version("1.0.2", 15, { isPinned: true });
    expect(apply("lww", [[counter], [late], [fence, "3.0.1"]])).toEqual(["1.0.2", "2.0.1"]);
    expect(apply("lww", [[counter], [fence, "3.0.1"], [late]])).toEqual(["1.0.2", "2.0.1"]);
    expect(isShadowed([fence, late], fence)).toBe(true);
    expect(isShadowed([fence, late], late)).toBe(false);
    const sibling = { ...fence, isSibling: true };
    expect(isShadowed([sibling, late], sibling)).toBe(false);
  });

  it("pin all under siblings; under lww CRDT versions and what replaces a pinned one", () => {
    const plain = { tag: TAG.str, bytes: new Uint8Array(0) };
    expect(pins("lww", counter.value, [], [])).toBe(true);
    expect(pins("lww", plain, [counter], [counter.dot])).toBe(true);
    expect(pins("lww", plain, [counter], [])).toBe(false);
    expect(pins("siblings", plain, [], [])).toBe(true);
  });
});
