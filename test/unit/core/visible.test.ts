import { describe, expect, it } from "vitest";
import { addToCounter, encodeCounter } from "../../../src/core/crdt/counter.js";
import { formatDot, parseDot } from "../../../src/core/dot.js";
import type { Version } from "../../../src/core/item.js";
import type { Policy } from "../../../src/core/live-set.js";
import { utf8Text } from "../../../src/core/text.js";
import { TAG } from "../../../src/core/value.js";
import { versionToken, visibleValue, visibleVersions } from "../../../src/core/visible.js";
import { version } from "./versions.js";

const NOW_MS = 1000;

function counter(dot: string, hlc: number, n: number, expiresAtMs = 0): Version {
  const bytes = encodeCounter(addToCounter([], n, parseDot(dot)!));
  return version(dot, hlc, { tag: TAG.counter, bytes, expiresAtMs });
}

function shown(policy: Policy, versions: readonly Version[]): string | undefined {
  const value = visibleValue(policy, versions, NOW_MS);
  return value && `${value.tag}:${utf8Text(value.bytes)}`;
}

function dots(policy: Policy, versions: readonly Version[]): string[] {
  return visibleVersions(policy, versions, NOW_MS).map(({ dot }) => formatDot(dot));
}

const plain = version("1.0.1", 10, { text: "plain" });
const tombstone = version("2.0.1", 20, { tag: TAG.tombstone });

describe("what a reader sees", () => {
  it("is nothing of a missing or deleted key", () => {
    expect(shown("lww", [])).toBeUndefined();
    expect(shown("lww", [tombstone])).toBeUndefined();
  });

  it("ends with the expiry, to the millisecond", () => {
    expect(shown("lww", [version("1.0.1", 10, { expiresAtMs: NOW_MS })])).toBeUndefined();
    expect(dots("lww", [version("1.0.1", 10, { expiresAtMs: NOW_MS + 1 })])).toEqual(["1.0.1"]);
  });

  it("under siblings and merge is every version that is neither deleted nor expired", () => {
    const other = version("3.0.1", 5, { text: "other" });
    expect(dots("siblings", [plain, tombstone, other])).toEqual(["1.0.1", "3.0.1"]);
    expect(shown("siblings", [plain, tombstone, other])).toBe("1:plain");
    expect(dots("merge", [plain, tombstone])).toEqual(["1.0.1"]);
  });

  it("under lww is the greatest version alone if it is plain", () => {
    expect(dots("lww", [plain, counter("3.0.1", 5, 2)])).toEqual(["1.0.1"]);
  });

  it("of concurrent counters is their sum, shown as JSON", () => {
    expect(shown("lww", [counter("1.0.1", 10, 2), counter("2.0.1", 11, 3)])).toBe("3:5");
    expect(shown("merge", [counter("1.0.1", 10, 2), counter("2.0.1", 11, 3)])).toBe("3:5");
  });

  it("of an increment beside a later delete or an expired value is the increment", () => {
    expect(shown("lww", [counter("1.0.1", 10, 2), tombstone])).toBe("3:2");
    const expired = version("2.0.1", 20, { expiresAtMs: NOW_MS });
    expect(shown("lww", [counter("1.0.1", 10, 2), expired])).toBe("3:2");
  });

  it("never is a plain version that lost, not even when its victor was deleted or has expired", () => {
    const pinned = { ...plain, isPinned: true };
    expect(shown("lww", [pinned, tombstone])).toBeUndefined();
    expect(shown("lww", [pinned, version("2.0.1", 20, { expiresAtMs: NOW_MS })])).toBeUndefined();
    expect(shown("lww", [pinned, counter("2.0.1", 20, 7)])).toBe("3:7");
  });

  it("leaves expired counters out of the sum", () => {
    const versions = [counter("1.0.1", 10, 2), counter("2.0.1", 11, 3, NOW_MS)];
    expect(shown("lww", versions)).toBe("3:2");
  });
});

describe("a version token", () => {
  it("names the dots that were read, in their order", () => {
    expect(versionToken([version("1.3.27", 1)])).toBe("1.3.27");
    expect(versionToken([version("2.1.4", 1), version("1.3.27", 1)])).toBe("1.3.27+2.1.4");
    expect(versionToken([])).toBe("");
  });
});
