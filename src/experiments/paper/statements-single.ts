import { FIGURE_4, SIZES_BYTES } from "./prototype.js";
import { mbPerS, ms, times } from "../numbers.js";
import type { Statement } from "./statement.js";
import {
  movingAverage,
  throughput,
  VARIANTS,
  type Place,
  type Variant,
} from "../results/by-figure.js";
import type { ResultSet } from "../results/result-set.js";

/** What the emulated links give, which the paper's text names. */
const TRIP_MS = 50;
const TRIPS = 4;
const CEILING_MB_PER_S = 12.5;

/** §4.1: the moving average. */
export const MOVING_AVERAGE: readonly Statement[] = [
  {
    place: "§4.1, Figure 3",
    says: "Data in the cloud adds 200 ms to the function",
    paper: "200 ms (medians of the runs: 218.3 − 21.0 = 197.3 ms)",
    find(results) {
      const addedMs = addedByCloud(results, "python-awaited");
      if (addedMs === undefined) return undefined;
      return {
        ours: ms(addedMs),
        holds: Math.abs(addedMs - TRIPS * TRIP_MS) <= 10,
        why: "within 10 ms of four round trips; every trip is awaited, as in the paper",
      };
    },
  },
  {
    place: "§4.1",
    says: "Four requests of the function each add the round trip of 50 ms",
    paper: "4 × 50 ms",
    find(results) {
      const added = VARIANTS.map((variant) => addedByCloud(results, variant));
      const [awaited, sent, parallel] = added;
      if (awaited === undefined) return undefined;
      const others = [
        sent && `with \`set\` that returns once sent ${ms(sent)}`,
        parallel && `with \`Promise.all\` ${ms(parallel)}`,
      ].filter((text) => text !== undefined);
      return {
        ours: `4 × ${ms(awaited / TRIPS)}`,
        holds: Math.abs(awaited / TRIPS - TRIP_MS) <= 2.5,
        why: `of four awaited requests; they need not be awaited one by one: ${others.join(", ") || "not measured"}`,
      };
    },
  },
  {
    place: "§4.1",
    says: "The delay is likely caused only by the network, not by bandwidth",
    paper: "≤ 10 integers read a call",
    find(results) {
      const addedMs = addedByCloud(results, "python-awaited");
      if (addedMs === undefined) return undefined;
      const restMs = addedMs - TRIPS * TRIP_MS;
      return {
        ours: `${ms(restMs)} beside the round trips`,
        holds: Math.abs(restMs) <= 10,
        why: "what is left of the difference of medians once four round trips are taken off",
      };
    },
  },
];

/** §4.2: throughput. */
export const THROUGHPUT: readonly Statement[] = [
  {
    place: "Figure 4",
    says: "Reading and writing in the cloud is worse than at the edge, at each size",
    paper: "no: up to 10 kB the cloud's reads are faster, by up to 1.6 ×",
    find(results) {
      const ratios = (["read", "write"] as const).flatMap((operation) =>
        SIZES_BYTES.map((bytes) => edgeOverCloud(results, operation, bytes)),
      );
      const least = leastOf(ratios);
      if (least === undefined) return undefined;
      return {
        ours: `edge ÷ cloud at least ${times(least)}`,
        holds: least >= 1,
        why: "the least ratio over all sizes, reads and writes",
      };
    },
  },
  {
    place: "§4.2, Figure 4a",
    says: "An overhead for each read limits the throughput of small items",
    paper: `${mbPerS(0.00052)} at 1 B, ${mbPerS(21.6)} at 1 MB`,
    find(results) {
      const small = mb(results, "read", "edge", 1);
      const large = mb(results, "read", "edge", 1_000_000);
      if (small === undefined || large === undefined) return undefined;
      return {
        ours: `${mbPerS(small)} at 1 B, ${mbPerS(large)} at 1 MB`,
        holds: small < large / 100,
        why: "holds if a byte is read at less than a hundredth of the rate of a megabyte",
      };
    },
  },
  {
    place: "§4.2, Figure 4a",
    says: "Above 100 kB reads from the cloud stand at the ceiling of 12.5 MB/s",
    paper: "11.5 to 11.8 MB/s",
    find(results) {
      const rates = SIZES_BYTES.filter((bytes) => bytes > 100_000).map((bytes) =>
        mb(results, "read", "cloud", bytes),
      );
      const least = leastOf(rates);
      const greatest = greatestOf(rates);
      if (least === undefined || greatest === undefined) return undefined;
      return {
        ours: `${mbPerS(least)} to ${mbPerS(greatest)}`,
        holds: least >= 0.85 * CEILING_MB_PER_S && greatest <= CEILING_MB_PER_S,
        why: "flat within 15 % below the rate of the link; headers of packets take 4 to 5 %",
      };
    },
  },
  {
    place: "Figure 4a",
    says: "Reads at the edge get faster with the size of the item",
    paper: `${mbPerS(12.6)} at 100 kB, ${mbPerS(21.6)} at 1 MB`,
    find(results) {
      const rates = SIZES_BYTES.map((bytes) => mb(results, "read", "edge", bytes));
      if (rates.includes(undefined)) return undefined;
      const known = rates as number[];
      const isRising = known.every(
        (rate, at) => at === 0 || rate >= 0.9 * (known[at - 1] as number),
      );
      return {
        ours: `${mbPerS(known[4] as number)} at 100 kB, ${mbPerS(known.at(-1) as number)} at 1 MB`,
        holds: isRising,
        why: "holds if no size is more than 10 % slower than the next smaller one",
      };
    },
  },
  {
    place: "§4.2",
    says: "Writes to the cloud do not reach that ceiling",
    paper: `${mbPerS(7)} at 1 MB`,
    find(results) {
      const rate = mb(results, "write", "cloud", 1_000_000);
      if (rate === undefined) return undefined;
      const holds = rate < 0.85 * CEILING_MB_PER_S;
      return {
        ours: `${mbPerS(rate)} at 1 MB`,
        holds,
        why: holds
          ? "below 85 % of the rate of the link"
          : "our writes fill the link; the prototype held a lock over each round trip",
      };
    },
  },
  {
    place: "§4.2",
    says: "Bandwidth and round trip make writes to the cloud slower than at the edge",
    paper: `1 B: ${times(FIGURE_4.write.edge[0] / FIGURE_4.write.cloud[0])}, 1 MB: 1.36 ×`,
    find(results) {
      const ratios = SIZES_BYTES.map((bytes) => edgeOverCloud(results, "write", bytes));
      const least = leastOf(ratios);
      if (least === undefined) return undefined;
      return {
        ours: `at least ${times(least)}`,
        holds: least > 1,
        why: "the least ratio edge ÷ cloud over all sizes",
      };
    },
  },
  {
    place: "Figure 4b",
    says: "Writes to edge and cloud converge with growing size",
    paper: "edge ÷ cloud 6.9 × at 1 B, 1.36 × at 1 MB",
    find(results) {
      const small = edgeOverCloud(results, "write", 1);
      const large = edgeOverCloud(results, "write", 1_000_000);
      if (small === undefined || large === undefined) return undefined;
      const holds = large < small;
      return {
        ours: `${times(small)} at 1 B, ${times(large)} at 1 MB`,
        holds,
        why: holds
          ? "the ratio falls with the size"
          : "large writes to the cloud wait for its link alone, and at the edge for nothing: the gap grows",
      };
    },
  },
  {
    place: "Figure 4b",
    says: "Local updates stay better than remote ones",
    paper: "1.36 × at 1 MB",
    find(results) {
      const ratio = edgeOverCloud(results, "write", 1_000_000);
      if (ratio === undefined) return undefined;
      return { ours: `${times(ratio)} at 1 MB`, holds: ratio > 1, why: "edge ÷ cloud" };
    },
  },
];

function addedByCloud(results: ResultSet, variant: Variant): number | undefined {
  const edge = movingAverage(results, "edge", variant);
  const cloud = movingAverage(results, "cloud", variant);
  return edge && cloud && cloud.pool.quantile(0.5) - edge.pool.quantile(0.5);
}

/** Over the client's link of the paper, as its sentences are about that. */
function mb(
  results: ResultSet,
  operation: "read" | "write",
  data: Place,
  bytes: number,
): number | undefined {
  return throughput(results, { operation, data, bytes, clientLink: "10mbit" })?.mbPerS;
}

function edgeOverCloud(
  results: ResultSet,
  operation: "read" | "write",
  bytes: number,
): number | undefined {
  const edge = mb(results, operation, "edge", bytes);
  const cloud = mb(results, operation, "cloud", bytes);
  return edge === undefined || !cloud ? undefined : edge / cloud;
}

/** `undefined` as soon as one is missing: a statement about all needs all. */
function leastOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length && known.length > 0 ? Math.min(...known) : undefined;
}

function greatestOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length && known.length > 0 ? Math.max(...known) : undefined;
}
