import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DiskEvent, traceProgram, whyNoTrace } from "./disk-trace.js";
import { bundlePrograms, type Programs, run } from "./programs.js";

const obstacle = whyNoTrace();

describe.skipIf(obstacle)(
  `the system calls of a sync${obstacle ? ` (skipped: ${obstacle})` : ""}`,
  () => {
    let programs: Programs;
    beforeAll(async () => {
      programs = await bundlePrograms(["strict-writers"]);
    });
    afterAll(() => programs.remove());

    it("hold a sync of the data that began after the write and ended before the acknowledgement", async () => {
      const events = await traceWriters(programs, { writers: 1, rounds: 50 });
      expect(unprovenAcknowledgements(events)).toEqual([]);
      expect(positionsOf(events, "acknowledged").size).toBe(50);
    });

    it("hold such a sync for each of 32 writers at once, and far fewer syncs than writes", async () => {
      const events = await traceWriters(programs, { writers: 32, rounds: 20 });
      expect(unprovenAcknowledgements(events)).toEqual([]);
      const writes = positionsOf(events, "acknowledged").size;
      const syncs = events.filter(
        (event) => event.kind === "sync" && event.file === "data.mdb",
      ).length;
      expect(writes).toBe(640);
      expect(syncs).toBeLessThan(writes / 8);
    });

    it("hold no sync as long as nobody asks for one", async () => {
      const events = await traceWriters(programs, { writers: 0, rounds: 0 });
      expect(events).toEqual([]);
    });
  },
);

/** Runs the writers on a store that was made before, so that the trace shows their work alone. */
async function traceWriters(
  programs: Programs,
  { writers, rounds }: { writers: number; rounds: number },
): Promise<DiskEvent[]> {
  const dir = join(programs.dir, `data-${writers}`);
  await run(process.execPath, [programs.path("strict-writers"), dir, "1", "1"]);
  const args = [programs.path("strict-writers"), dir, String(writers), String(rounds)];
  return traceProgram(join(dir, "main"), join(programs.dir, "trace"), args);
}

/** Writes that were acknowledged without a sync of both the data and the checkpoint in between. */
function unprovenAcknowledgements(events: readonly DiskEvent[]): number[] {
  const written = positionsOf(events, "wrote");
  const dataSyncs = events.filter((event) => event.kind === "sync" && event.file === "data.mdb");
  const checkpoints = events.filter(
    (event) => event.kind === "write" && event.file === "checkpoint" && event.isSynchronous,
  );
  return [...positionsOf(events, "acknowledged")]
    .filter(([number, acknowledged]) => {
      const wrote = written.get(number) ?? Infinity;
      return !dataSyncs.some(
        (sync) =>
          sync.begin > wrote &&
          checkpoints.some(
            (checkpoint) => checkpoint.begin > sync.end && checkpoint.end < acknowledged,
          ),
      );
    })
    .map(([number]) => number);
}

/** Where each number was printed after `word`. */
function positionsOf(events: readonly DiskEvent[], word: string): Map<number, number> {
  const positions = new Map<number, number>();
  for (const event of events) {
    if (event.kind !== "print") continue;
    const [printed, number] = event.text.trim().split(" ");
    if (printed === word) positions.set(Number(number), event.begin);
  }
  return positions;
}
