import { expect, test } from "vitest";

import { isSameConfig } from "../../../src/functions/config-equality.js";
import { withSecrets } from "../../../src/functions/secret-changes.js";
import { maskOf } from "../../../src/functions/secret-mask.js";
import type { FunctionConfig } from "../../../src/functions/types.js";

const CONFIG: FunctionConfig = {
  env: { LEVEL: "3" },
  timeoutMs: 1000,
  memoryBytes: 1,
  cpus: 0,
  maxInstances: 1,
  isolation: "process",
  network: "none",
};

test("secrets are set and taken away, and the others stay", () => {
  const two = withSecrets(CONFIG, { B: "b1", A: "a1" });
  expect(two.secrets).toEqual({ A: "a1", B: "b1" });
  expect(withSecrets(two, { A: "a2" }).secrets).toEqual({ A: "a2", B: "b1" });
  expect(withSecrets(two, { A: null }).secrets).toEqual({ B: "b1" });
  expect(withSecrets(two, { A: null, B: null })).toEqual(CONFIG);
  expect(withSecrets(two, {})).toEqual(two);
});

test("a name is a plain variable or a secret, not both", () => {
  expect(() => withSecrets(CONFIG, { LEVEL: "x" })).toThrow(/secrets.LEVEL: is a variable of env/);
});

test("configurations are the same in whatever order they say it", () => {
  const left = { ...CONFIG, secrets: { A: "1", B: "2" } };
  const right = { secrets: { B: "2", A: "1" }, ...CONFIG };
  expect(isSameConfig(left, right)).toBe(true);
  expect(isSameConfig(left, { ...CONFIG, secrets: { A: "1", B: "3" } })).toBe(false);
  expect(isSameConfig(left, CONFIG)).toBe(false);
});

test("a mask takes out values and the lines of those that have several, the longest first", () => {
  const mask = maskOf(["secret-1", "secret-1-and-more", "first line\nsecond line\n", "abc"]);
  expect(mask?.("x secret-1-and-more secret-1 y")).toBe("x •••• •••• y");
  expect(mask?.("> second line <")).toBe("> •••• <");
  expect(mask?.("abc is too short to be taken out")).toMatch(/^abc/);
  expect(maskOf(["abc", ""])).toBeUndefined();
});
