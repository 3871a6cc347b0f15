import { PeakMemory } from "../../peak-memory.js";
import type { Measurement } from "../../results.js";
import { spreadOf } from "../../statistics.js";
import type { ProfiledWork, ProfileStart, RowContext } from "../context.js";
import { joinB, KEYGROUP, startPair, type Pair } from "./pair.js";

const ITEMS = 200_000;
const VALUE_BYTES = 500;
const TARGET_PER_S = 30_000;
/** A third of what travels: more would mean that it is kept somewhere. */
const GROWTH_MB_MAX = 35;
const MB = 1e6;

/** One catch-up. */
interface CatchUp {
  readonly itemsPerS: number;
  /** Memory of A and of B beside pages of files, in MB: before, and the most that was seen. */
  readonly a: PeakMemory;
  readonly b: PeakMemory;
}

/** How fast a new replica gets everything, and how much memory both ends take for it. */
export async function measureCatchUp(context: RowContext): Promise<Measurement[]> {
  const pair = await startPair(context.resources, { storage: "lmdb" });
  context.progress("catch-up: writing the items");
  await fill(pair);
  const found: CatchUp[] = [];
  // One more at first, after which nothing is compiled any more.
  for (let round = 0; round <= context.rounds; round++) {
    context.progress(`catch-up: round ${round} of ${context.rounds}`);
    const [a, b] = [new PeakMemory(pair.a.pid), new PeakMemory(pair.b.pid)];
    const tookMs = await joinB(pair);
    a.stop();
    b.stop();
    const { keys } = await pair.b.ask("count", { keygroup: KEYGROUP });
    if (keys !== ITEMS) throw new Error(`B has ${keys} items after its catch-up`);
    if (round > 0) found.push({ itemsPerS: (ITEMS / tookMs) * 1000, a, b });
    await pair.b.ask("leave", { keygroup: KEYGROUP });
  }
  await pair.stop();
  return [rateOf(found), growthOf(found)];
}

/** Joins over and over; both ends. */
export async function profiledCatchUp(start: ProfileStart): Promise<ProfiledWork> {
  const { resources, profiler } = start;
  const pair = await startPair(resources, { storage: "lmdb", execArgs: profiler });
  await fill(pair);
  return {
    title: "catch-up of a new replica",
    unit: "item",
    processes: [
      { role: "B", pid: pair.b.pid },
      { role: "A", pid: pair.a.pid },
    ],
    async run() {
      const tookMs = await joinB(pair);
      await pair.b.ask("leave", { keygroup: KEYGROUP });
      return { units: ITEMS, perS: (ITEMS / tookMs) * 1000 };
    },
    stop: () => pair.stop(),
  };
}

async function fill({ a }: Pair): Promise<void> {
  const options = { keygroup: KEYGROUP, count: ITEMS, keys: ITEMS, valueBytes: VALUE_BYTES };
  await a.ask("write", options);
}

function rateOf(found: readonly CatchUp[]): Measurement {
  return {
    row: "catch-up",
    title: "catch-up of a new replica",
    unit: "items/s",
    value: spreadOf(found.map(({ itemsPerS }) => itemsPerS)),
    target: { atLeast: TARGET_PER_S },
    note: `${ITEMS.toLocaleString("en-US")} items of ${VALUE_BYTES} B`,
    figures: { rounds: found.map(({ itemsPerS }) => itemsPerS) },
  };
}

function growthOf(found: readonly CatchUp[]): Measurement {
  const growth = ({ beforeBytes, peakBytes }: PeakMemory): number => (peakBytes - beforeBytes) / MB;
  const shown = ({ beforeBytes, peakBytes }: PeakMemory): string =>
    `${Math.round(beforeBytes / MB)} → ${Math.round(peakBytes / MB)} MB`;
  const last = found.at(-1) as CatchUp;
  return {
    row: "catch-up",
    title: "the same, growth of memory",
    unit: "MB",
    value: spreadOf(found.map(({ a, b }) => Math.max(growth(a), growth(b)))),
    target: { atMost: GROWTH_MB_MAX },
    note: `sender ${shown(last.a)}, receiver ${shown(last.b)}`,
    figures: { rounds: found.map(({ a, b }) => ({ a: a.figures, b: b.figures })) },
  };
}
