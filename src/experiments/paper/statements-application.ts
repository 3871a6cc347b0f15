import { FIGURE_8 } from "./prototype.js";
import { ms } from "../numbers.js";
import type { Finding, Statement } from "./statement.js";
import {
  medianOfPassing,
  smartCity,
  type EntryFunction,
  type Place,
} from "../results/by-figure.js";
import type { Pool } from "../results/pool.js";
import type { ResultSet } from "../results/result-set.js";

const CLOUD_TRIP_MS = 50;

/** §5: the smart city, at the 5 requests a second that the paper describes. */
export const APPLICATION: readonly Statement[] = [
  {
    place: "§5, Figure 8a",
    says: "The place of the store does not matter to the weather sensor filter",
    paper: "101.5 − 101.4 = 0.1 ms",
    find(results) {
      const edge = passingP50(results, "edge", "weathersensorfilter");
      const cloud = passingP50(results, "cloud", "weathersensorfilter");
      if (edge === undefined || cloud === undefined) return undefined;
      return {
        ours: `${ms(cloud)} − ${ms(edge)} = ${ms(cloud - edge)}`,
        holds: Math.abs(cloud - edge) <= 1,
        why: "difference of medians of what passes, in the function, within 1 ms",
      };
    },
  },
  {
    place: "§5, Figure 8a",
    says: "As half of its events are filtered, its latency is bimodal",
    paper: "half at 0.1 ms, half at 101 ms",
    find(results) {
      const pool = inFunction(results, "edge", "weathersensorfilter");
      if (pool === undefined) return undefined;
      const [fast, slow] = [pool.quantile(0.25), pool.quantile(0.75)];
      return {
        ours: `half at ${ms(fast)}, half at ${ms(slow)}`,
        holds: slow >= 2 * fast,
        why: "medians of the faster and the slower half, at least 2 × apart; what is sent is stored here and delivered later, so the slow half waits for no network",
      };
    },
  },
  {
    place: "§5, Figure 8b",
    says: "Requests that pass the traffic sensor filter are significantly slower with the store in the cloud",
    paper: passingText("trafficsensorfilter"),
    find: (results) => slower(results, "trafficsensorfilter"),
  },
  {
    place: "§5, Figure 8c",
    says: "So are those of object recognition",
    paper: passingText("objectrecognition"),
    find: (results) => slower(results, "objectrecognition"),
  },
  {
    place: "Figure 8",
    says: "What depends on data only indirectly, further down its calls, is faster with local data",
    paper: "all three entry functions keep no data; two depend on some",
    find(results) {
      const names = ["trafficsensorfilter", "objectrecognition"] as const;
      const pairs = names.map((name) => [
        clientP50(results, "edge", name),
        clientP50(results, "cloud", name),
      ]);
      if (pairs.flat().includes(undefined)) return undefined;
      const known = pairs as [number, number][];
      return {
        ours: known.map(([edge, cloud]) => `${ms(edge)} instead of ${ms(cloud)}`).join(", "),
        holds: known.every(([edge, cloud]) => edge < cloud),
        why: "medians as the client sees them, traffic (what passes) and object",
      };
    },
  },
];

function slower(results: ResultSet, name: EntryFunction): Finding | undefined {
  const edge = passingP50(results, "edge", name);
  const cloud = passingP50(results, "cloud", name);
  if (edge === undefined || cloud === undefined) return undefined;
  return {
    ours: `${ms(edge)} at the edge, ${ms(cloud)} in the cloud`,
    holds: cloud - edge >= CLOUD_TRIP_MS,
    why: "by at least a round trip, in the function; a read and a write are two, the prototype's rest was a queue for a lock",
  };
}

function passingText(name: EntryFunction): string {
  const { edge, cloud } = FIGURE_8[name];
  return `${ms(edge.p50Ms)} at the edge, ${ms(cloud.p50Ms)} in the cloud`;
}

function inFunction(results: ResultSet, store: Place, name: EntryFunction): Pool | undefined {
  return smartCity(results, store, 5, name, "in-function");
}

function passingP50(results: ResultSet, store: Place, name: EntryFunction): number | undefined {
  return inFunction(results, store, name)?.quantile(medianOfPassing(name));
}

function clientP50(results: ResultSet, store: Place, name: EntryFunction): number | undefined {
  return smartCity(results, store, 5, name, "client")?.quantile(medianOfPassing(name));
}
