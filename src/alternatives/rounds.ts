import { hasProgram } from "../bench/etcd.js";
import type { Resources } from "../bench/resources.js";
import { runWrk, type Load } from "../bench/wrk.js";
import type { Contender } from "./contender.js";
import { reasonOf, type Absence, type WorkResult } from "./results.js";
import { startChecked, type Running } from "./start.js";
import { SHAPES, TITLES, type Work } from "./work.js";

/** How much is measured. */
export interface Amounts {
  readonly rounds: number;
  readonly runS: number;
  /** Load before the first round, so that no run pays for compiling. */
  readonly warmUpS: number;
  /**
   * Load right before each run, so that no run pays for its turn having been long ago: what nobody
   * called for a while has given up instances, compiled code, connections or cached pages.
   */
  readonly rewarmS: number;
}

/** What a run is made with. */
export interface RunContext extends Amounts {
  readonly resources: Resources;
  /** Folder with the peers' programs and packages. */
  readonly programs: string;
  readonly progress: (text: string) => void;
  /** Told of each contender that does not work. */
  readonly absent: (absence: Absence) => void;
}

/** A contender while it is measured. */
interface Entrant {
  readonly contender: Contender;
  readonly running: Running;
  readonly loads: Load[];
}

/** Starts all contenders of a piece of work, loads them in turn, round by round, and stops them. */
export async function measureWork(
  work: Work,
  contenders: readonly Contender[],
  context: RunContext,
): Promise<WorkResult> {
  const entrants: Entrant[] = [];
  for (const contender of contenders.filter(({ works }) => works.includes(work))) {
    if (isLacking(contender.needs, `${contender.title}, ${work}`, context)) continue;
    context.progress(`${work}: starting ${contender.title}, ${contender.durability}`);
    const running = await start(work, contender, context);
    if (running !== undefined) entrants.push({ contender, running, loads: [] });
  }
  const load = ({ running: { url, shape = SHAPES[work] } }: Entrant, durationS: number) =>
    runWrk(context.resources, { url, shape, durationS });
  const lasting = await inRounds(entrants, context, TITLES[work], {
    nameOf: ({ contender: { title, durability } }) => `${title}, ${durability}, ${work}`,
    warmUp: (entrant) => load(entrant, context.warmUpS),
    measure: async (entrant) => {
      await load(entrant, context.rewarmS);
      entrant.loads.push(await load(entrant, context.runS));
    },
    stop: ({ running }) => running.stop(),
  });
  return { work, lanes: lasting.map(laneOf) };
}

/** True, and said, if something needs a program that this machine lacks. */
export function isLacking(
  program: string | undefined,
  title: string,
  { absent }: Pick<RunContext, "absent">,
): boolean {
  if (program === undefined || hasProgram(program)) return false;
  absent({ title, reason: `${program} is missing; npm run setup installs it`, isFailure: false });
  return true;
}

/** What {@link inRounds} does with each entrant. */
export interface RoundSteps<T> {
  readonly nameOf: (entrant: T) => string;
  readonly warmUp: (entrant: T) => Promise<unknown>;
  readonly measure: (entrant: T) => Promise<void>;
  readonly stop: (entrant: T) => Promise<void>;
}

/**
 * Measures all entrants in turn, round by round, and stops them. One that fails is stopped, said to be
 * absent and left out from then on; the others go on. Returns those that lasted.
 */
export async function inRounds<T>(
  entrants: readonly T[],
  context: Pick<RunContext, "resources" | "rounds" | "progress" | "absent">,
  title: string,
  steps: RoundSteps<T>,
): Promise<readonly T[]> {
  const lasting = new Set(entrants);
  const attempt = async (entrant: T, step: (entrant: T) => Promise<unknown>): Promise<void> => {
    if (!lasting.has(entrant)) return;
    try {
      await step(entrant);
    } catch (error) {
      if (context.resources.isReleased) throw error;
      lasting.delete(entrant);
      context.absent({ title: steps.nameOf(entrant), reason: reasonOf(error), isFailure: true });
      await steps.stop(entrant);
    }
  };
  for (const entrant of entrants) await attempt(entrant, steps.warmUp);
  for (let round = 0; round < context.rounds; round++) {
    context.progress(`${title}: round ${round + 1} of ${context.rounds}`);
    for (const index of orderOf(entrants.length, round)) {
      await attempt(entrants[index] as T, steps.measure);
    }
  }
  for (const entrant of lasting) await steps.stop(entrant);
  return [...lasting];
}

/**
 * Who comes when in a round, so that nobody is always first, last or behind the same other one:
 * forwards and backwards in turn, beginning one further each time.
 */
export function orderOf(count: number, round: number): number[] {
  const order = Array.from({ length: count }, (_, i) => (i + round) % count);
  return round % 2 === 0 ? order : order.reverse();
}

/** `undefined` when it does not work. */
async function start(
  work: Work,
  contender: Contender,
  context: RunContext,
): Promise<Running | undefined> {
  try {
    return await startChecked(contender, context, work);
  } catch (error) {
    if (context.resources.isReleased) throw error;
    const { title, durability } = contender;
    const reason = reasonOf(error);
    context.absent({ title: `${title}, ${durability}, ${work}`, reason, isFailure: true });
    return undefined;
  }
}

function laneOf({ contender, loads }: Entrant) {
  const { system, title, durability, isolation } = contender;
  return { system, title, durability, isolation, loads };
}
