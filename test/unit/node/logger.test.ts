import { expect, test } from "vitest";

import { createLogger } from "../../../src/node/logger.js";

async function linesOf(
  format: "text" | "json",
  log: (write: Awaited<ReturnType<typeof createLogger>>) => void,
) {
  const lines: string[] = [];
  log(await createLogger(format, { write: (line) => lines.push(line) }));
  return lines;
}

test("text is one short line with time, level, message and fields, also where a value has line breaks", async () => {
  const [line, ...more] = await linesOf("text", (log) =>
    log.warn({ path: "/a/b", error: "two\nlines", count: 3 }, "it went wrong"),
  );
  expect(more).toEqual([]);
  expect(line).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z warn it went wrong path=\/a\/b error="two\\nlines" count=3\n$/,
  );
});

test("json is one object a line with level, time, message and fields", async () => {
  const [line] = await linesOf("json", (log) => log.error({ id: "x" }, "it went wrong"));
  expect(line?.endsWith("\n")).toBe(true);
  expect(JSON.parse(line ?? "")).toEqual({
    level: 50,
    time: expect.any(Number),
    id: "x",
    msg: "it went wrong",
  });
});

test.each(["text", "json"] as const)("what is for debugging is left out (%s)", async (format) => {
  const lines = await linesOf(format, (log) => {
    log.debug({}, "hidden");
    log.info({}, "shown");
  });
  expect(lines.map((line) => line.includes("shown"))).toEqual([true]);
});
