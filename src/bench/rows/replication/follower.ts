import type { Measurement } from "../../results.js";
import { spreadOf } from "../../statistics.js";
import type { ProfiledWork, ProfileStart, RowContext } from "../context.js";
import { joinB, KEYGROUP, startPair, type Pair } from "./pair.js";

/** Updates per round; the fewer are for quick runs. */
const UPDATES = { full: 200_000, quick: 60_000 } as const;
const WARM_UP_UPDATES = 20_000;
const VALUE_BYTES = 100;
const UNIFORM_KEYS = 10_000;
const TARGET_PER_S = 40_000;
/** What grew with the number of updates would make this a third. */
const FLAT_SHARE = 0.8;
/** A must not be the slower one: it also has more room for what it throws away. */
const LEADER = { A: ["--max-semi-space-size=64"], B: [] } as const;
/** What `--profile` takes for a second's work. */
const UPDATES_PER_PROFILED_S = 40_000;

/** One round: rates at B. */
interface Rates {
  readonly perS: number;
  readonly halvesPerS: readonly [number, number];
}

/**
 * How fast a follower applies updates of one key each. A keeps its data in memory, so that it is
 * not the slower one; the rate is B's, by its own clock.
 */
export async function measureFollower(context: RowContext): Promise<Measurement[]> {
  const count = context.isQuick ? UPDATES.quick : UPDATES.full;
  const pair = await startPair(context.resources, {
    storage: "memory",
    execArgs: (role) => LEADER[role],
  });
  await joinB(pair);
  await follow(pair, { count: WARM_UP_UPDATES, keys: UNIFORM_KEYS });
  const uniform: Rates[] = [];
  const hot: Rates[] = [];
  for (let round = 0; round < context.rounds; round++) {
    context.progress(`updates at a follower: round ${round + 1} of ${context.rounds}`);
    uniform.push(await follow(pair, { count, keys: UNIFORM_KEYS }));
    hot.push(await follow(pair, { count, keys: 1 }));
  }
  await pair.stop();
  return [
    ratesOf(`updates at a follower, ${UNIFORM_KEYS.toLocaleString("en-US")} keys`, uniform, count),
    ratesOf("updates at a follower, one hot key", hot, count),
    flatnessOf(hot),
  ];
}

/** The work of this row at both ends. */
export async function profiledFollower(start: ProfileStart): Promise<ProfiledWork> {
  const { resources, profiler } = start;
  const execArgs = (role: "A" | "B") => [...LEADER[role], ...profiler(role)];
  const pair = await startPair(resources, { storage: "memory", execArgs });
  await joinB(pair);
  return {
    title: "updates at a follower",
    unit: "update",
    processes: [
      { role: "B", pid: pair.b.pid },
      { role: "A", pid: pair.a.pid },
    ],
    async run(durationS) {
      const units = durationS * UPDATES_PER_PROFILED_S;
      const { perS } = await follow(pair, { count: units, keys: UNIFORM_KEYS });
      return { units, perS };
    },
    stop: () => pair.stop(),
  };
}

async function follow(
  { a, b }: Pair,
  { count, keys }: { readonly count: number; readonly keys: number },
): Promise<Rates> {
  const applied = b.ask("applied", { keygroup: KEYGROUP, count });
  await a.ask("write", { keygroup: KEYGROUP, count, keys, valueBytes: VALUE_BYTES });
  return await applied;
}

function ratesOf(title: string, rates: readonly Rates[], count: number): Measurement {
  const perS = rates.map((round) => round.perS);
  return {
    row: "follower",
    title,
    unit: "updates/s",
    value: spreadOf(perS),
    target: { atLeast: TARGET_PER_S },
    note: `${count.toLocaleString("en-US")} updates of ${VALUE_BYTES} B a round`,
    figures: { rounds: rates },
  };
}

function flatnessOf(hot: readonly Rates[]): Measurement {
  const shares = hot.map(({ halvesPerS: [first, second] }) => second / first);
  return {
    row: "follower",
    title: "the same, second half ÷ first half",
    unit: "× first half",
    value: spreadOf(shares),
    target: { atLeast: FLAT_SHARE },
    note: "",
    figures: {},
  };
}
