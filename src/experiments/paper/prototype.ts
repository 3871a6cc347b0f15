/**
 * What the prototype's own runs gave. Figure 3: percentiles of the published raw data, `results.csv` in
 * github.com/OpenFogStack/enoki, commit ff757b7, all three repeats. Figures 4, 6 and 8: from the published
 * plots, of which the points lie in `data`. Milliseconds, unless a name says otherwise.
 */

/** A distribution of latencies. */
export interface Published {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** Figure 3, by where the data lay. */
export const FIGURE_3 = {
  edge: { p50Ms: 20.97, p95Ms: 25.1, p99Ms: 27.9 },
  cloud: { p50Ms: 218.3, p95Ms: 223.3, p99Ms: 225.7 },
} as const satisfies Record<string, Published>;

/** Sizes of Figure 4. */
export const SIZES_BYTES = [
  1, 100, 1000, 10_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
] as const;

/** Figure 4, requests a second, in the order of {@link SIZES_BYTES}. */
export const FIGURE_4 = {
  read: {
    edge: [521, 645, 470, 371, 126, 64.2, 37.4, 27, 21.6],
    cloud: [720, 712, 675, 575, 118, 47.1, 23.3, 15.3, 11.6],
  },
  write: {
    edge: [329, 333, 305, 210, 62.5, 29, 17.6, 11.9, 9.5],
    cloud: [48, 37, 38, 40, 24.9, 18.3, 11, 9.2, 7],
  },
} as const;

/** Figure 6, by where the data lay. */
export const FIGURE_6 = {
  write: {
    replicated: { p50Ms: 10.43, p95Ms: 11.31, p99Ms: 11.75 },
    peer: { p50Ms: 10.3, p95Ms: 11.05, p99Ms: 11.44 },
    cloud: { p50Ms: 60.07, p95Ms: 60.61, p99Ms: 60.9 },
  },
  read: {
    replicated: { p50Ms: 9.68, p95Ms: 10.2, p99Ms: 10.57 },
    peer: { p50Ms: 29.72, p95Ms: 30.25, p99Ms: 30.6 },
    cloud: { p50Ms: 59.51, p95Ms: 60.01, p99Ms: 60.29 },
  },
  staleness: {
    replicated: { p50Ms: 2.26, p95Ms: 3.17, p99Ms: 3.59 },
    peer: { p50Ms: 0, p95Ms: 0, p99Ms: 0 },
    cloud: { p50Ms: 0, p95Ms: 0, p99Ms: 0 },
  },
} as const satisfies Record<string, Record<string, Published>>;

/** Figure 8: inside of the entry functions, requests that pass their filter, by where the store lay. */
export const FIGURE_8 = {
  object: {
    edge: { p50Ms: 318.1, p95Ms: 323.6, p99Ms: 328.3 },
    cloud: { p50Ms: 1018, p95Ms: 1216, p99Ms: 1296 },
  },
  traffic: {
    edge: { p50Ms: 112.5, p95Ms: 117.6, p99Ms: 122.3 },
    cloud: { p50Ms: 841.2, p95Ms: 1007, p99Ms: 1071 },
  },
  weather: {
    edge: { p50Ms: 101.4, p95Ms: 101.8, p99Ms: 102.1 },
    cloud: { p50Ms: 101.5, p95Ms: 101.8, p99Ms: 102 },
  },
} as const satisfies Record<string, Record<string, Published>>;
