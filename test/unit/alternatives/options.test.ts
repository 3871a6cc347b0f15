import { expect, test } from "vitest";

import { MEASURED, parseOptions } from "../../../src/alternatives/options.js";
import { SYSTEMS } from "../../../src/alternatives/systems.js";

test("everything is measured unless something is chosen", () => {
  expect(parseOptions([])).toMatchObject({
    isQuick: false,
    measured: MEASURED,
    systems: Object.keys(SYSTEMS),
  });
});

test("--only takes work and systems, several times or joined by commas", () => {
  const { measured, systems } = parseOptions(["--only", "average,deno", "--only", "enoki"]);
  expect(measured).toEqual(["average"]);
  expect(systems).toEqual(["enoki", "deno"]);
  expect(parseOptions(["--only", "lag"]).systems).toEqual(Object.keys(SYSTEMS));
});

test.each([
  [["--only", "nothing"], "--only nothing: there is no such thing; there are no-op, average"],
  [["--write-docs", "--only", "lag"], "--write-docs replaces all tables: leave out --only"],
  [["--nothing"], "--nothing"],
])("%j is refused", (args, message) => {
  expect(() => parseOptions(args)).toThrow(message);
});
