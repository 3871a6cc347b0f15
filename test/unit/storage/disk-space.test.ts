import { tmpdir } from "node:os";
import { expect, test } from "vitest";

import { availableBytes, DiskSpace } from "../../../src/storage/disk-space.js";

const MIB = 1024 * 1024;
const full = expect.objectContaining({ code: "ENOKI_DISK_FULL" });

test("a commit is refused when the disk has no room for it and a reserve", () => {
  let left = MIB;
  const space = new DiskSpace(() => left);
  space.require(MIB / 2);
  expect(() => space.require(MIB)).toThrow(full);
  left = 64 * 1024;
  expect(() => space.require(1)).toThrow(full);
  left = MIB;
  space.require(1);
});

test("a disk with plenty of room is asked ten times a second, a scarce one before each commit", () => {
  let [asked, nowMs, left] = [0, 0, 1024 * MIB];
  const space = new DiskSpace(
    () => {
      asked += 1;
      return left;
    },
    () => nowMs,
  );
  for (let i = 0; i < 100; i++) space.require(4096);
  expect(asked).toBe(1);
  nowMs += 100;
  space.require(4096);
  expect(asked).toBe(2);
  // What was written since counts as gone.
  for (let i = 0; i < 10; i++) space.require(100 * MIB);
  expect(asked).toBe(3);
  left = 32 * MIB;
  nowMs += 100;
  for (let i = 0; i < 5; i++) space.require(4096);
  expect(asked).toBe(8);
});

test("the system says how much is left", () => {
  expect(availableBytes(tmpdir())).toBeGreaterThan(0);
});
