import { expect, test } from "vitest";

import { GroupCommit } from "../../../src/keygroups/group-commit.js";
import { NODE_DEFAULTS } from "../../../src/node/node-settings.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { createTurn } from "../../../src/ports/turn.js";
import { VirtualTime } from "../../../src/sim/cluster/virtual-time.js";
import { createMemoryDriver } from "../../../src/storage/memory.js";
import { CountingStorage } from "../../helpers/memory-keygroup.js";

/** What `relaxed` promises: after a power cut the store opens at a state at most so old. */
const LOST_MAX_MS = 100;
const INTERVAL_MS = 20;

interface Seen {
  /** When each relaxed commit was acknowledged. */
  readonly committedMs: number[];
  /** When each sync of the store began. */
  readonly syncedMs: number[];
}

/** Runs writes at these moments, each sync taking `syncMs`, on virtual time. */
async function relaxedWrites(atMs: readonly number[], syncMs = 0): Promise<Seen> {
  const time = new VirtualTime();
  const storage = new CountingStorage(await createMemoryDriver().open("kg-test"));
  const seen: Seen = { committedMs: [], syncedMs: [] };
  const sync = storage.sync.bind(storage);
  storage.sync = async () => {
    seen.syncedMs.push(time.nowMs);
    if (syncMs > 0) await time.sleep(syncMs);
    await sync();
  };
  const commits = new GroupCommit({
    storage,
    turn: createTurn((end) => void time.after(0, end)),
    timers: time,
    logger: silentLogger,
    durability: () => "relaxed",
    syncIntervalMs: INTERVAL_MS,
    seal: () => {},
    rolledBack: () => {},
    syncBegins: () => () => {},
  });
  for (const at of atMs) {
    time.after(at, () =>
      commits.add({
        apply: () => undefined,
        acknowledged: () => void seen.committedMs.push(time.nowMs),
        failed: (error) => {
          throw error;
        },
      }),
    );
  }
  await time.run(60_000);
  return seen;
}

/** The longest that an acknowledged commit waited for a sync that began at it or after it; Infinity = for ever. */
function longestWaitMs({ committedMs, syncedMs }: Seen): number {
  const waits = committedMs.map(
    (at) => (syncedMs.find((begin) => begin >= at) ?? Number.POSITIVE_INFINITY) - at,
  );
  return Math.max(...waits);
}

const every = (stepMs: number, untilMs: number): number[] =>
  Array.from({ length: Math.ceil(untilMs / stepMs) }, (_, n) => n * stepMs);

test.each([
  ["one write", [5]],
  ["writes that come just as a sync is due", [0, INTERVAL_MS, 2 * INTERVAL_MS, 59]],
  [
    "steady writes, which a timer that begins anew with each would hold up for ever",
    every(1, 2000),
  ],
  ["steady writes a little rarer than the interval", every(21, 2000)],
  ["a burst, a pause, a burst", [...every(1, 50), ...every(1, 50).map((at) => 5000 + at)]],
])("after each relaxed commit a sync begins within the interval: %s", async (_, atMs) => {
  const seen = await relaxedWrites(atMs);
  expect(seen.committedMs).toHaveLength(atMs.length);
  expect(longestWaitMs(seen)).toBeLessThanOrEqual(INTERVAL_MS);
  // And no more often than that.
  expect(seen.syncedMs.length).toBeLessThanOrEqual(Math.max(...atMs) / INTERVAL_MS + 1);
});

test("a sync that takes long holds up none that begins after it", async () => {
  const seen = await relaxedWrites(every(1, 1000), 500);
  expect(longestWaitMs(seen)).toBeLessThanOrEqual(INTERVAL_MS);
});

test("a node syncs often enough for what `relaxed` promises", () => {
  expect(NODE_DEFAULTS.keygroupDefaults.durability).toBe("relaxed");
  expect(NODE_DEFAULTS.syncIntervalMs).toBeLessThanOrEqual(LOST_MAX_MS);
});
