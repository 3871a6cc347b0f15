import { reasonOf, type LagResult, type LagRound } from "../results.js";
import type { Resources } from "../../bench/resources.js";
import { inRounds, isLacking, type RunContext } from "../rounds.js";
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
  /** A program that this machine may lack; `npm run setup` installs it. */
  readonly needs?: string;
}

const PAIRS: readonly Contestant[] = [
  {
    system: "enoki",
    title: "Enoki, function to function",
    start: startEnokiFunctions,
    needs: "etcd",
  },
  { system: "enoki", title: "Enoki, client over HTTP", start: startEnokiClient, needs: "etcd" },
  { system: "nats", title: SYSTEMS.nats.title, start: startNatsPair },
  { system: "redis", title: SYSTEMS.redis.title, start: startRedisPair },
];

/** A pair while it is measured. */
interface Entrant {
  readonly system: SystemName;
  readonly title: string;
  readonly pair: Pair;
  /** All that it has started. */
  readonly scope: Resources;
  readonly rounds: LagRound[];
}

/** Times how long writes at one node take to be seen at another one, of all systems in turn. */
export async function measureLags(
  systems: readonly SystemName[],
  context: RunContext,
  isQuick: boolean,
): Promise<LagResult[]> {
  const { progress, absent, resources } = context;
  const count = isQuick ? WRITES.quick : WRITES.full;
  const entrants: Entrant[] = [];
  for (const contestant of PAIRS.filter(({ system }) => systems.includes(system))) {
    const { system, title, start, needs } = contestant;
    if (isLacking(needs, `${title}, lag`, context)) continue;
    progress(`lag: starting ${title}`);
    const scope = resources.scope();
    try {
      const pair = await start({ ...context, resources: scope });
      entrants.push({ system, title, pair, scope, rounds: [] });
    } catch (error) {
      await scope.release();
      if (resources.isReleased) throw error;
      absent({ title: `${title}, lag`, reason: reasonOf(error), isFailure: true });
    }
  }
  const lasting = await inRounds(entrants, context, "lag", {
    nameOf: ({ title }) => `${title}, lag`,
    warmUp: ({ pair }) => pair.measure(count),
    measure: async ({ pair, rounds }) => {
      rounds.push(await pair.measure(count));
    },
    stop: ({ scope }) => scope.release(),
  });
  return lasting.map(({ system, title, rounds }) => ({ system, title, rounds }));
}
