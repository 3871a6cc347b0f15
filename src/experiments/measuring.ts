import { createPrng } from "../base/prng.js";
import type { Resources } from "../bench/resources.js";
import { expectedS, lengthText, RemainingTime, type Task } from "./expectation.js";
import type { Experiment, Measure } from "./experiment.js";
import type { Outcome, Point, Result } from "./results/point.js";
import { nameOf, type ResultStore } from "./results/store.js";

/** A point that could not be measured, and why. */
export interface Failure {
  readonly point: Point;
  readonly why: string;
}

/** What measuring needs around it. */
export interface MeasuringOptions {
  readonly store: ResultStore;
  readonly resources: Resources;
  /** Measure also what is stored already. */
  readonly isAgain: boolean;
  readonly commit: string;
  readonly network: Result["network"];
  /** Tells a person, in one line. */
  readonly say: (line: string) => void;
}

/** A point may take so much longer than expected before it is given up. */
const PATIENCE_S = 300;

/** What the points of an experiment share while they are measured. */
interface Opened {
  readonly experiment: Experiment;
  readonly resources: Resources;
  measure?: Measure;
}

/** Measures points one after the other; to release its resources ends it where it is. */
export class Measuring {
  readonly #options: MeasuringOptions;
  #opened: Opened | undefined;

  constructor(options: MeasuringOptions) {
    this.#options = options;
  }

  /** Measures what is not stored yet. A point that fails is said and left out; the others go on. */
  async run(tasks: readonly Task[]): Promise<readonly Failure[]> {
    const { say } = this.#options;
    const missing = await this.#missing(tasks);
    const done = tasks.length - missing.length;
    if (done > 0) say(`${done} of ${tasks.length} points are measured already`);
    const remaining = new RemainingTime();
    const failures: Failure[] = [];
    for (const [index, task] of missing.entries()) {
      const label = `[${index + 1}/${missing.length}] ${nameOf(task.point)}`;
      say(`${label}: load of ${lengthText(task.point.loadS)}`);
      const startMs = performance.now();
      const why = await this.#attempt(task);
      if (this.#options.resources.isReleased) break;
      if (why !== undefined) failures.push({ point: task.point, why });
      const tookS = (performance.now() - startMs) / 1000;
      remaining.took(task, tookS);
      const leftS = remaining.of(missing.slice(index + 1));
      const left = leftS > 0 ? `, about ${lengthText(leftS)} left` : "";
      const end = why === undefined ? "took" : `FAILED: ${why}; took`;
      say(`${label}: ${end} ${lengthText(tookS)}${left}`);
    }
    await this.#close();
    return failures;
  }

  async #missing(tasks: readonly Task[]): Promise<Task[]> {
    const { store, isAgain, say } = this.#options;
    if (isAgain) return [...tasks];
    const missing: Task[] = [];
    for (const task of tasks) {
      const held = await store.find(task.point);
      if (held.kind === "broken") say(`${held.why}: it is measured again`);
      if (held.kind === "other") {
        say(`${nameOf(task.point)} was measured under other parameters: it is measured again`);
      }
      if (held.kind !== "complete") missing.push(task);
    }
    return missing;
  }

  /** Measures and stores; returns why that failed. */
  async #attempt(task: Task): Promise<string | undefined> {
    const { store, commit, network } = this.#options;
    const { point } = task;
    try {
      const outcome = await withPatience(this.#measure(task), expectedS(task) + PATIENCE_S);
      checkOutcome(outcome);
      if (this.#options.resources.isReleased) return undefined;
      await store.save({
        ...outcome,
        point,
        measuredAt: new Date().toISOString(),
        commit,
        network,
      });
      return undefined;
    } catch (error) {
      await this.#close();
      return (error as Error).message.trimEnd();
    }
  }

  async #measure({ experiment, point }: Task): Promise<Outcome> {
    if (this.#opened?.experiment !== experiment) {
      await this.#close();
      this.#opened = { experiment, resources: this.#options.resources.scope() };
    }
    const opened = this.#opened;
    const say = (line: string): void => this.#options.say(`    ${line}`);
    opened.measure ??= await experiment.open({ resources: opened.resources, say });
    return opened.measure(point, createPrng(point.seed).next);
  }

  async #close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.resources.release();
  }
}

/** @throws Error for an outcome that shows nothing */
function checkOutcome({ samples, totals = {} }: Outcome): void {
  const isGood = samples.some(({ status }) => status >= 200 && status < 300);
  if (isGood || (samples.length === 0 && Object.keys(totals).length > 0)) return;
  const [first] = samples;
  throw new Error(
    first === undefined
      ? "it gave no samples"
      : `none of ${samples.length} requests succeeded; status of the first: ${first.status}`,
  );
}

async function withPatience<T>(work: Promise<T>, seconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
