import { createPrng } from "../../base/prng.js";

/** Two values between which the true one lies in 95 of 100 cases. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 400;
const SEED = 1;
/** A value in the middle, and what is left on either side for 95 %. */
const TAIL = 0.025;
/** 97.5 % quantiles of Student's distribution, by degrees of freedom from 1. */
const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
const NORMAL = 1.96;

/**
 * The values of all repeats of a point together. Intervals are those of a bootstrap in two steps,
 * repeats and then their requests, as the requests of one run are more alike than those of two.
 */
export class Pool {
  readonly #repeats: readonly Float64Array[];
  /** All values in rising order. */
  readonly valuesMs: Float64Array;
  /** Of the value at the same place: the index of its repeat. */
  #repeatOf: Uint8Array | undefined;
  readonly #intervals = new Map<number, Interval>();

  /** `repeats`: the values of each, in rising order. */
  constructor(repeats: readonly Float64Array[]) {
    this.#repeats = repeats;
    this.valuesMs = mergeSorted(repeats);
  }

  /** The value at that share of all, by nearest rank; `NaN` of nothing. */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.valuesMs.length));
    return this.valuesMs[rank - 1] ?? Number.NaN;
  }

  /** The 95 % interval of {@link quantile}. */
  interval(share: number): Interval {
    const known = this.#intervals.get(share);
    if (known !== undefined) return known;
    const interval = this.#bootstrap(share);
    this.#intervals.set(share, interval);
    return interval;
  }

  /** Which share of the values is greater than `limitMs`. */
  shareAbove(limitMs: number): number {
    const { length } = this.valuesMs;
    return this.valuesMs.filter((value) => value > limitMs).length / length;
  }

  #bootstrap(share: number): Interval {
    const { length } = this.valuesMs;
    if (length === 0) return { low: Number.NaN, high: Number.NaN };
    const prng = createPrng(SEED);
    const weights = new Uint8Array(length);
    const repeatOf = (this.#repeatOf ??= this.#findRepeats());
    const found: number[] = [];
    while (found.length < RESAMPLES) {
      const draws = this.#repeats.map(() => 0);
      for (const _ of this.#repeats) (draws[prng.below(draws.length)] as number) += 1;
      const total = drawWeights(weights, repeatOf, draws, prng.next);
      if (total > 0) found.push(weightedQuantile(this.valuesMs, weights, share * total));
    }
    found.sort((a, b) => a - b);
    return {
      low: found[Math.floor(TAIL * RESAMPLES)] as number,
      high: found[Math.ceil((1 - TAIL) * RESAMPLES) - 1] as number,
    };
  }

  /** Merges the repeats once more, to know whose values are whose. */
  #findRepeats(): Uint8Array {
    const repeatOf = new Uint8Array(this.valuesMs.length);
    const heads = this.#repeats.map(() => 0);
    for (let at = 0; at < repeatOf.length; at++) {
      const repeat = this.#repeats.findIndex(
        (values, index) => values[heads[index] as number] === this.valuesMs[at],
      );
      repeatOf[at] = repeat;
      (heads[repeat] as number) += 1;
    }
    return repeatOf;
  }
}

/** All values of several arrays in rising order. */
export function mergeSorted(arrays: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(arrays.reduce((total, { length }) => total + length, 0));
  let filled = 0;
  for (const values of arrays) {
    all.set(values, filled);
    filled += values.length;
  }
  return all.sort();
}

/** Mean of a value that each repeat gives once, with Student's 95 % interval; one repeat has none. */
export function meanOf(values: readonly number[]): { mean: number; interval?: Interval } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length < 2) return { mean };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = Math.sqrt(squares / (values.length - 1));
  const reach = ((STUDENT[values.length - 2] ?? NORMAL) * deviation) / Math.sqrt(values.length);
  return { mean, interval: { low: mean - reach, high: mean + reach } };
}

/** How often each value is drawn: Poisson, which is a resample of about as many. Returns the sum. */
function drawWeights(
  weights: Uint8Array,
  repeatOf: Uint8Array,
  draws: readonly number[],
  random: () => number,
): number {
  let total = 0;
  for (let at = 0; at < weights.length; at++) {
    let weight = 0;
    const drawn = draws[repeatOf[at] as number] as number;
    for (let time = 0; time < drawn; time++) weight += poisson(random());
    weights[at] = weight;
    total += weight;
  }
  return total;
}

/** A Poisson number of mean 1 from one in [0, 1). */
function poisson(chance: number): number {
  let term = Math.exp(-1);
  let below = term;
  let count = 0;
  while (chance >= below && count < 12) {
    count += 1;
    term /= count;
    below += term;
  }
  return count;
}

function weightedQuantile(values: Float64Array, weights: Uint8Array, rank: number): number {
  let sum = 0;
  for (let at = 0; at < values.length; at++) {
    sum += weights[at] as number;
    if (sum >= rank && sum > 0) return values[at] as number;
  }
  return values.at(-1) as number;
}
