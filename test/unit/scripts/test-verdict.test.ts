import { expect, test } from "vitest";

interface TestVerdict {
  missingLines(missing: string[], usedFor: Record<string, string>): string[];
  isRedRun(run: { failed: number; skipped: number; errors: number; isStrict: boolean }): boolean;
}

// The scripts have no types.
const SCRIPT = new URL("../../../scripts/test-verdict.mjs", import.meta.url).href;
const { isRedRun, missingLines } = (await import(SCRIPT)) as TestVerdict;

const GREEN = { failed: 0, skipped: 0, errors: 0, isStrict: false };

test("what is missing is listed with its use, and how to get it", () => {
  expect(missingLines([], {})).toEqual([]);
  expect(missingLines(["bwrap", "etcd"], { bwrap: "the sandbox", etcd: "clusters" })).toEqual([
    "missing: bwrap, used for the sandbox",
    "missing: etcd, used for clusters",
    "to get them: npm run setup\n",
  ]);
});

test.each([
  [{}, false],
  [{ failed: 1 }, true],
  [{ errors: 1 }, true],
  [{ skipped: 1 }, false],
  [{ skipped: 1, isStrict: true }, true],
  [{ isStrict: true }, false],
])("a run with %j is red: %s", (part, isRed) => {
  expect(isRedRun({ ...GREEN, ...part })).toBe(isRed);
});
