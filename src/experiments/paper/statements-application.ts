import { ms } from "../numbers.js";
import { smartCity, type CityRequests, type Kind, type Place } from "../results/by-figure.js";
import type { ResultSet } from "../results/result-set.js";
import { FIGURE_8 } from "./prototype.js";
import type { Finding, Statement } from "./statement.js";

const CLOUD_TRIP_MS = 50;

/** §5: the smart city, at the 5 requests a second that the paper describes. */
export const APPLICATION: readonly Statement[] = [
  {
    place: "§5, Figure 8a",
    says: "The place of the store does not matter to the weather sensor filter",
    paper: "101.5 − 101.4 = 0.1 ms",
    find(results) {
      const edge = p50(results, "edge", "weather");
      const cloud = p50(results, "cloud", "weather");
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
      const all = city(results, "edge", "weather")?.all;
      if (all === undefined) return undefined;
      const [fast, slow] = [all.quantile(0.25), all.quantile(0.75)];
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
    paper: publishedText("traffic"),
    find: (results) => slower(results, "traffic"),
  },
  {
    place: "§5, Figure 8c",
    says: "So are those of object recognition",
    paper: publishedText("object"),
    find: (results) => slower(results, "object"),
  },
  {
    place: "Figure 8",
    says: "What depends on data only indirectly, further down its calls, is faster with local data",
    paper: "all three entry functions keep no data; two depend on some",
    find(results) {
      const traffic = clientText(results, "traffic");
      const object = clientText(results, "object");
      if (traffic === undefined || object === undefined) return undefined;
      return {
        ours: `traffic ${traffic.text}, object ${object.text}`,
        holds: traffic.isFaster && object.isFaster,
        why: "medians as the client sees them, of what passes",
      };
    },
  },
];

function slower(results: ResultSet, kind: Kind): Finding | undefined {
  const edge = p50(results, "edge", kind);
  const cloud = p50(results, "cloud", kind);
  if (edge === undefined || cloud === undefined) return undefined;
  return {
    ours: `${ms(edge)} at the edge, ${ms(cloud)} in the cloud`,
    holds: cloud - edge >= CLOUD_TRIP_MS,
    why: "by at least a round trip, in the function; a read and a write are two, the prototype's rest was a queue for a lock",
  };
}

function clientText(
  results: ResultSet,
  kind: Kind,
): { readonly text: string; readonly isFaster: boolean } | undefined {
  const edge = city(results, "edge", kind)?.client.pool.quantile(0.5);
  const cloud = city(results, "cloud", kind)?.client.pool.quantile(0.5);
  if (edge === undefined || cloud === undefined) return undefined;
  return { text: `${ms(edge)} instead of ${ms(cloud)}`, isFaster: edge < cloud };
}

function publishedText(kind: Kind): string {
  const { edge, cloud } = FIGURE_8[kind];
  return `${ms(edge.p50Ms)} at the edge, ${ms(cloud.p50Ms)} in the cloud`;
}

function p50(results: ResultSet, store: Place, kind: Kind): number | undefined {
  return city(results, store, kind)?.passing.quantile(0.5);
}

function city(results: ResultSet, store: Place, kind: Kind): CityRequests | undefined {
  return smartCity(results, { store, arrivals: "steady", plan: "get and set" }, kind);
}
