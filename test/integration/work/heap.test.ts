import { join } from "node:path";
import { expect, test } from "vitest";

import { run } from "../storage/programs.js";

const ROUNDS = 6;
const CALLS_PER_ROUND = 10_000 - (10_000 % 32);
/** Ten bytes per call: less than any object, and more than V8 itself adds over so many calls. */
const NOISE_BYTES = 400_000;

test("50,000 calls leave nothing in the node's memory", async () => {
  const program = join(import.meta.dirname, "heap-program.ts");
  const args = ["--expose-gc", "--import", "tsx", program, `${CALLS_PER_ROUND}`, `${ROUNDS}`];
  const printed = await run(process.execPath, args);
  const rounds = printed
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { heap: number; external: number });
  expect(rounds).toHaveLength(ROUNDS);
  // The first round warms caches up and lets code be compiled.
  const [first, ...later] = rounds.slice(1);
  for (const { heap, external } of later) {
    expect(heap - (first?.heap ?? 0), printed).toBeLessThan(NOISE_BYTES);
    expect(external - (first?.external ?? 0), printed).toBeLessThan(NOISE_BYTES);
  }
});
