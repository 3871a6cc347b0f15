import { reasonOf, type LagResult, type LagRound } from "../results.js";
import { orderOf, type RunContext } from "../rounds.js";
import { SYSTEMS, type SystemName } from "../systems.js";
import { startEnokiPair } from "./enoki.js";
import { startNatsPair } from "./nats.js";
import type { Pair, StartPair } from "./pair.js";
import { startRedisPair } from "./redis.js";

/** Writes per round. */
const WRITES = { full: 1000, quick: 200 } as const;

const PAIRS: readonly { readonly system: SystemName; readonly start: StartPair }[] = [
  { system: "enoki", start: startEnokiPair },
  { system: "nats", start: startNatsPair },
  { system: "redis", start: startRedisPair },
];

/** A pair while it is measured. */
interface Entrant {
  readonly system: SystemName;
  readonly pair: Pair;
  readonly rounds: LagRound[];
}

/** Times how long writes at one node take to be seen at another one, of all systems in turn. */
export async function measureLags(
  systems: readonly SystemName[],
  context: RunContext,
  isQuick: boolean,
): Promise<LagResult[]> {
  const { rounds, progress, absent, resources } = context;
  const count = isQuick ? WRITES.quick : WRITES.full;
  const entrants: Entrant[] = [];
  for (const { system, start } of PAIRS.filter(({ system }) => systems.includes(system))) {
    const { title } = SYSTEMS[system];
    progress(`lag: starting ${title}`);
    const scope = resources.scope();
    try {
      const pair = await start({ ...context, resources: scope });
      await pair.measure(count);
      entrants.push({ system, pair, rounds: [] });
    } catch (error) {
      await scope.release();
      if (resources.isReleased) throw error;
      absent({ title: `${title}, lag`, reason: reasonOf(error), isFailure: true });
    }
  }
  for (let round = 0; round < rounds; round++) {
    progress(`lag: round ${round + 1} of ${rounds}`);
    for (const index of orderOf(entrants.length, round)) {
      const { pair, rounds } = entrants[index] as Entrant;
      rounds.push(await pair.measure(count));
    }
  }
  for (const { pair } of entrants) await pair.stop();
  return entrants.map(({ system, rounds }) => ({ system, title: SYSTEMS[system].title, rounds }));
}
