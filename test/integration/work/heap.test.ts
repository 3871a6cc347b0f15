import { join } from "node:path";
import { expect, test } from "vitest";

import { run } from "../storage/programs.js";

/** Ten bytes each: less than any object, and more than V8 itself adds over so many. */
const NOISE_BYTES_EACH = 10;

/** Runs a program that prints its memory per round, and checks that the later rounds add nothing. */
async function expectFlat(program: string, perRound: number, rounds: number): Promise<void> {
  const path = join(import.meta.dirname, program);
  const args = ["--expose-gc", "--import", "tsx", path, `${perRound}`, `${rounds}`];
  const printed = await run(process.execPath, args);
  const found = printed
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { heap: number; external: number });
  expect(found).toHaveLength(rounds);
  // The first round warms caches up and lets code be compiled.
  const [first, ...later] = found.slice(1);
  const noiseBytes = NOISE_BYTES_EACH * perRound * later.length;
  for (const { heap, external } of later) {
    expect(heap - (first?.heap ?? 0), printed).toBeLessThan(noiseBytes);
    expect(external - (first?.external ?? 0), printed).toBeLessThan(noiseBytes);
  }
}

test("50,000 calls leave nothing in the node's memory", async () => {
  await expectFlat("heap-program.ts", 10_000 - (10_000 % 32), 6);
});

test("200,000 keys, written, read and half of them deleted, leave nothing in the node's memory", async () => {
  await expectFlat("keys-program.ts", 40_000, 5);
});
