import type { Experiment } from "./experiment.js";
import type { Point } from "./results/point.js";

/** A point, with the experiment that measures it. */
export interface Task {
  readonly experiment: Experiment;
  readonly point: Point;
}

/** A point takes about so long around its load, if its experiment does not say. */
const AROUND_S = 4;
/** To start what the points of a figure share, and to end it. */
const OPEN_S = 8;
/** Of a line of CSV. */
const SAMPLE_BYTES = 28;
const SAMPLES_PER_S = 50;

/** What a run will take. */
export interface Expectation {
  readonly seconds: number;
  /** Of the results. */
  readonly bytes: number;
  /** What nodes hold on disk meanwhile, at most. */
  readonly storedBytes: number;
}

/** What a run will take: time, and bytes on disk. */
export function expectationOf(tasks: readonly Task[]): Expectation {
  const bytes = tasks.map(
    ({ experiment, point }) =>
      (experiment.samplesPerS ?? SAMPLES_PER_S) * point.loadS * SAMPLE_BYTES,
  );
  const stored = tasks.map(
    ({ experiment, point }) => (experiment.storedBytesPerS ?? 0) * point.loadS,
  );
  const storedBytes = stored.reduce((most, one) => Math.max(most, one), 0);
  const figures = new Set(tasks.map(({ point }) => point.figure));
  const seconds = new RemainingTime().of(tasks) + figures.size * OPEN_S;
  return { seconds, bytes: sum(bytes), storedBytes };
}

/** How long a point takes, its load and all around it, in seconds, as its experiment expects it. */
export function expectedS({ experiment, point }: Task): number {
  return point.loadS + (experiment.aroundS?.(point) ?? AROUND_S);
}

/** Seconds that points were expected to take, and what they took. */
interface Seen {
  expectedS: number;
  tookS: number;
}

/** How long the rest of a run will take, from what its beginning took. */
export class RemainingTime {
  readonly #byFigure = new Map<string, Seen>();

  /** Learns how long a point took, everything around its load included. */
  took(task: Task, seconds: number): void {
    const { figure } = task.point;
    const seen = this.#byFigure.get(figure) ?? { expectedS: 0, tookS: 0 };
    seen.expectedS += expectedS(task);
    seen.tookS += seconds;
    this.#byFigure.set(figure, seen);
  }

  /** Seconds that `tasks` will take; figures that were not seen yet are taken for like the others. */
  of(tasks: readonly Task[]): number {
    const all = [...this.#byFigure.values()];
    return sum(
      tasks.map((task) => {
        const ofFigure = this.#byFigure.get(task.point.figure);
        return expectedS(task) * slownessOf(ofFigure === undefined ? all : [ofFigure]);
      }),
    );
  }
}

/** A length of time for people, such as `3.5 h`, `12 min`, `40 s`. */
export function lengthText(seconds: number): string {
  if (seconds >= 2 * 3600) return `${(seconds / 3600).toFixed(1)} h`;
  if (seconds >= 120) return `${Math.round(seconds / 60)} min`;
  return `${seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds)} s`;
}

/** A size on disk for people, such as `1.2 GB`, `30 MB`. */
export function sizeText(bytes: number): string {
  return bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(1)} GB`
    : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}

/** How much longer than expected points took; 1 if none was seen. */
function slownessOf(seen: readonly Seen[]): number {
  const expected = sum(seen.map((one) => one.expectedS));
  return expected > 0 ? sum(seen.map(({ tookS }) => tookS)) / expected : 1;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
