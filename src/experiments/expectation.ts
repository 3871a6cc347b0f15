import type { Experiment } from "./experiment.js";
import type { Point } from "./results/point.js";

/** A point, with the experiment that measures it. */
export interface Task {
  readonly experiment: Experiment;
  readonly point: Point;
}

/** Starting and stopping nodes takes about so long, until it was seen how long. */
const AROUND_S = 8;
/** Of a line of CSV. */
const SAMPLE_BYTES = 28;
const SAMPLES_PER_S = 50;

/** What a run will take: time, and bytes on disk. */
export function expectationOf(tasks: readonly Task[]): { seconds: number; bytes: number } {
  const bytes = tasks.map(
    ({ experiment, point }) =>
      (experiment.samplesPerS ?? SAMPLES_PER_S) * point.loadS * SAMPLE_BYTES,
  );
  return { seconds: secondsOf(tasks, AROUND_S), bytes: sum(bytes) };
}

/** How long the rest of a run will take, from what its beginning took. */
export class RemainingTime {
  #aroundS = 0;
  #measured = 0;

  /** Learns how long a point took, everything around its load included. */
  took(point: Point, seconds: number): void {
    this.#aroundS += Math.max(0, seconds - point.loadS);
    this.#measured += 1;
  }

  /** Seconds that `tasks` will take. */
  of(tasks: readonly Task[]): number {
    return secondsOf(tasks, this.#measured > 0 ? this.#aroundS / this.#measured : AROUND_S);
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

function secondsOf(tasks: readonly Task[], aroundS: number): number {
  return sum(tasks.map(({ point }) => point.loadS + aroundS));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
