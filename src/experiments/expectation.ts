import type { Experiment } from "./experiment.js";
import type { Point } from "./results/point.js";

/** A point, with the experiment that measures it. */
export interface Task {
  readonly experiment: Experiment;
  readonly point: Point;
}

/** Starting and stopping nodes takes about so long, until it was seen how long. */
const AROUND_S = 4;
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
  return { seconds: new RemainingTime().of(tasks), bytes: sum(bytes), storedBytes };
}

/** How long the rest of a run will take, from what its beginning took. */
export class RemainingTime {
  /** By figure: what its points took around their load. */
  readonly #aroundS = new Map<string, number[]>();

  /** Learns how long a point took, everything around its load included. */
  took({ figure, loadS }: Point, seconds: number): void {
    const ofFigure = this.#aroundS.get(figure) ?? [];
    this.#aroundS.set(figure, ofFigure);
    ofFigure.push(Math.max(0, seconds - loadS));
  }

  /** Seconds that `tasks` will take; figures that were not seen yet are taken for like the others. */
  of(tasks: readonly Task[]): number {
    const all = [...this.#aroundS.values()].flat();
    return sum(
      tasks.map(({ point }) => point.loadS + meanOf(this.#aroundS.get(point.figure) ?? all)),
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

function meanOf(values: readonly number[]): number {
  return values.length > 0 ? sum(values) / values.length : AROUND_S;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
