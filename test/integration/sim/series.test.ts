import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

// why dist: threads run files that Node understands by itself.
import { PartialFile } from "../../../dist/sim/series/partial-file.js";
import { runSeeds, type SeedsSummary } from "../../../dist/sim/series/seeds.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

const SERIES = { first: 7, runs: 9, overrides: { nodes: 3 }, chunkSeeds: 2 } as const;

/** What a summary says, whoever has run which seeds. */
function shown({ counts, ...rest }: SeedsSummary): object {
  return { ...rest, counts: counts.entries() };
}

async function run(workers: number, partial?: PartialFile): Promise<[object, string[]]> {
  const said: string[] = [];
  const say = (line: string): void => void said.push(line);
  return [shown(await runSeeds({ ...SERIES, workers, say, partial })), said];
}

test("a series comes to the same in one thread, in three, and when it was killed on its way", async () => {
  const [alone, said] = await run(1);
  expect(alone).toMatchObject({ first: 7, runs: 9, failures: [] });
  expect(said).toEqual([]);
  const path = join(await temporaryFolder(), "partial");

  const whole = new PartialFile(path, "series");
  expect((await run(3, whole))[0]).toEqual(alone);
  const lines = readFileSync(path, "utf8").split("\n");
  // The series, five chunks, and nothing behind the last line.
  expect(lines).toHaveLength(7);

  // Killed in the middle of a line: three chunks are whole.
  writeFileSync(path, `${lines.slice(0, 4).join("\n")}\n${lines[4]?.slice(0, 99)}`);
  const again = new PartialFile(path, "series");
  expect(again.done).toHaveLength(3);
  const [resumed, saidThen] = await run(2, again);
  expect(resumed).toEqual(alone);
  expect(saidThen).toEqual(["goes on after 6 runs"]);
  expect(new PartialFile(path, "series").done).toHaveLength(5);

  // A shorter series takes what is whole of it, and a longer one goes on from there.
  const shorter = await runSeeds({ ...SERIES, runs: 5, workers: 1, say: () => {} });
  const { partial, say } = { partial: new PartialFile(path, "series"), say: () => {} };
  const taken = await runSeeds({ ...SERIES, runs: 5, workers: 1, say, partial });
  expect(shown(taken)).toEqual(shown(shorter));

  // Another commit, or other options: nothing of it counts.
  const other = new PartialFile(path, "another series");
  expect(other.done).toEqual([]);
  expect(readFileSync(path, "utf8")).toBe("another series\n");
});
