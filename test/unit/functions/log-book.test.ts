import { expect, test } from "vitest";

import type { InvocationId } from "../../../src/core/ids.js";
import { LIMITS } from "../../../src/core/limits.js";
import { LogBook } from "../../../src/functions/log-book.js";

const ID = "0".repeat(32) as InvocationId;
const ORIGIN = { invocation: ID, trace: undefined };

test("text is cut into lines, each with its time, stream and invocation", () => {
  let nowMs = 5;
  const log = new LogBook(() => nowMs++);
  log.write("stdout", ORIGIN, "one\n\ntwo\n");
  log.write("platform", undefined, "three");
  expect(log.tail(10)).toEqual([
    { atMs: 5, stream: "stdout", invocation: ID, text: "one" },
    { atMs: 6, stream: "stdout", invocation: ID, text: "" },
    { atMs: 7, stream: "stdout", invocation: ID, text: "two" },
    { atMs: 8, stream: "platform", invocation: undefined, text: "three" },
  ]);
  expect(log.tail(1).map(({ text }) => text)).toEqual(["three"]);
  expect(log.tail(0)).toEqual([]);
});

test("an overlong line is cut", () => {
  const log = new LogBook(() => 0);
  log.write("stderr", undefined, "x".repeat(LIMITS.logLineBytesMax * 2));
  expect(log.tail(1)[0]?.text).toBe(`${"x".repeat(LIMITS.logLineBytesMax)}…`);
});

test("a flood drops the oldest lines and keeps the latest, in bounds", () => {
  const log = new LogBook(() => 0);
  const count = 100_000;
  for (let number = 0; number < count; number++)
    log.write("stdout", undefined, `line ${number} ${"x".repeat(50)}`);
  const lines = log.tail(count);
  const sizeBytes = lines.reduce((sum, { text }) => sum + text.length, 0);
  expect(sizeBytes).toBeLessThanOrEqual(LIMITS.functionLogBytesMax);
  expect(sizeBytes).toBeGreaterThan(LIMITS.functionLogBytesMax / 4);
  const numbers = lines.map(({ text }) => Number(text.split(" ")[1]));
  expect(numbers.at(-1)).toBe(count - 1);
  expect(numbers).toEqual(Array.from({ length: lines.length }, (_, i) => count - lines.length + i));
});

test("who follows sees new lines only, until it stops", () => {
  const log = new LogBook(() => 0);
  const seen: string[] = [];
  log.write("stdout", undefined, "before");
  const stop = log.follow(({ text }) => seen.push(text));
  log.write("stdout", undefined, "during\nstill");
  stop();
  log.write("stdout", undefined, "after");
  expect(seen).toEqual(["during", "still"]);
});

test("of a flood that is sent at once the last lines are kept, and how much was not", () => {
  let linesMade = 0;
  const log = new LogBook(() => (linesMade += 1));
  log.writeBytes("stdout", ORIGIN, Buffer.alloc(19 * 1024 * 1024, "\n"));
  // Those that are dropped cost nothing.
  expect(linesMade).toBeLessThanOrEqual(4097);
  const lines = log.tail(100_000);
  expect(lines).toHaveLength(4097);
  expect(lines[0]).toMatchObject({ text: `… ${19 * 1024 * 1024 - 4096} bytes dropped` });
  expect(new Set(lines.slice(1).map(({ text }) => text))).toEqual(new Set([""]));
});

test("text that is sent at once is kept up to 256 KiB and never from within a character", () => {
  const log = new LogBook(() => 0);
  log.writeBytes("stderr", undefined, Buffer.from(`${"é".repeat(200_000)}\nlast`));
  const [dropped, cut, last] = log.tail(10).map(({ text }) => text);
  const droppedBytes = Number(dropped?.match(/^… (\d+) bytes dropped$/)?.[1]);
  expect(droppedBytes).toBeGreaterThanOrEqual(400_005 - 256 * 1024);
  expect(droppedBytes % 2).toBe(0);
  expect(cut).toMatch(/^é+…$/);
  expect(last).toBe("last");
});

test("text that is no flood is kept as it is", () => {
  const log = new LogBook(() => 0);
  for (const text of ["", "\n", "one", "one\ntwo\n", "\n\nthree"]) {
    const other = new LogBook(() => 0);
    log.writeBytes("stdout", ORIGIN, Buffer.from(text));
    other.write("stdout", ORIGIN, text);
    expect(log.tail(other.tail(100).length)).toEqual(other.tail(100));
  }
  log.writeBytes("stdout", ORIGIN, Buffer.from("line\n".repeat(4096)));
  expect(log.tail(10_000).filter(({ text }) => text === "line")).toHaveLength(4096);
  expect(log.tail(10_000).some(({ text }) => text.includes("dropped"))).toBe(false);
});
