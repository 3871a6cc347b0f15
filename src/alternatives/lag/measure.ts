import { reasonOf, type LagResult, type LagRound } from "../results.js";
import { orderOf, type RunContext } from "../rounds.js";
import { SYSTEMS, type SystemName } from "../systems.js";
import { startEnokiClient, startEnokiFunctions } from "./enoki.js";
import { startNatsPair } from "./nats.js";
import type { Pair, StartPair } from "./pair.js";
import { startRedisPair } from "./redis.js";

/** Writes per round. */
const WRITES = { full: 1000, quick: 200 } as const;

interface Contestant {
  readonly system: SystemName;
  readonly title: string;
  readonly start: StartPair;
}

const PAIRS: readonly Contestant[] = [
  { system: "enoki", title: "Enoki, function to function", start: startEnokiFunctions },
  { system: "enoki", title: "Enoki, client over HTTP", start: startEnokiClient },
  { system: "nats", title: SYSTEMS.nats.title, start: startNatsPair },
  { system: "redis", title: SYSTEMS.redis.title, start: startRedisPair },
];

/** A pair while it is measured. */
interface Entrant {
  readonly system: SystemName;
  readonly title: string;
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
  for (const contestant of PAIRS.filter(({ system }) => systems.includes(system))) {
    const { system, title, start } = contestant;
    progress(`lag: starting ${title}`);
    const scope = resources.scope();
    try {
      const pair = await start({ ...context, resources: scope });
      await pair.measure(count);
      entrants.push({ system, title, pair, rounds: [] });
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
  return entrants.map(({ system, title, rounds }) => ({ system, title, rounds }));
}
