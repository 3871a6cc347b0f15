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
    context.progress(`${work}: starting ${contender.title}, ${contender.durability}`);
    const running = await start(work, contender, context);
    if (running !== undefined) entrants.push({ contender, running, loads: [] });
  }
  const load = ({ running: { url, shape = SHAPES[work] } }: Entrant, durationS: number) =>
    runWrk(context.resources, { url, shape, durationS });
  for (const entrant of entrants) await load(entrant, context.warmUpS);
  for (let round = 0; round < context.rounds; round++) {
    context.progress(`${TITLES[work]}: round ${round + 1} of ${context.rounds}`);
    for (const index of orderOf(entrants.length, round)) {
      const entrant = entrants[index] as Entrant;
      entrant.loads.push(await load(entrant, context.runS));
    }
  }
  for (const { running } of entrants) await running.stop();
  return { work, lanes: entrants.map(laneOf) };
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
