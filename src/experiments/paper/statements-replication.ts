import { ms, percent } from "../numbers.js";
import type { Finding, Statement } from "./statement.js";
import { delayOfReplication, replicated, type Placement } from "../results/by-figure.js";
import type { ResultSet } from "../results/result-set.js";

/** One way between the edges, and round trips. */
const ONE_WAY_MS = 10;
const PEER_TRIP_MS = 20;
const CLOUD_TRIP_MS = 50;
const TOLERANCE_MS = 5;

/** §4.3: replication, with phases as the paper ran it. */
export const REPLICATION: readonly Statement[] = [
  {
    place: "§4.3, Figure 6a",
    says: "Writing to the cloud takes 50 ms longer than to the local store",
    paper: "60.07 − 10.43 = 49.64 ms",
    find: (results) =>
      longer(p50(results, "cloud", "write"), p50(results, "replicated", "write"), CLOUD_TRIP_MS),
  },
  {
    place: "§4.3, Figure 6b",
    says: "A local copy is read 20 ms faster than the peer edge's",
    paper: "29.72 − 9.68 = 20.04 ms",
    find: (results) =>
      longer(p50(results, "peer", "read"), p50(results, "replicated", "read"), PEER_TRIP_MS),
  },
  {
    place: "§4.3, Figure 6b",
    says: "A local copy is read 50 ms faster than the cloud's",
    paper: "59.51 − 9.68 = 49.83 ms",
    find: (results) =>
      longer(p50(results, "cloud", "read"), p50(results, "replicated", "read"), CLOUD_TRIP_MS),
  },
  {
    place: "Figure 6",
    says: "Reading from the peer is better than from the cloud, reading the local copy best",
    paper: "9.68 < 29.72 < 59.51 ms",
    find(results) {
      const local = p50(results, "replicated", "read");
      const peer = p50(results, "peer", "read");
      const cloud = p50(results, "cloud", "read");
      if (local === undefined || peer === undefined || cloud === undefined) return undefined;
      return {
        ours: `${ms(local)}, ${ms(peer)}, ${ms(cloud)}`,
        holds: local < peer && peer < cloud,
        why: "medians of local copy, peer, cloud",
      };
    },
  },
  {
    place: "§4.3, Figure 6c",
    says: "Without replication nothing read is stale",
    paper: "0 ms (2 of 2,800 reads by up to 0.3 ms)",
    find(results) {
      const pools = (["cloud", "peer"] as const).map((placement) =>
        delayOfReplication(results, placement, "locked", "staleness"),
      );
      const known = pools.filter((pool) => pool !== undefined);
      if (known.length < 2) return undefined;
      const share = Math.max(...known.map((pool) => pool.shareAbove(0)));
      const most = Math.max(...known.map((pool) => pool.quantile(1)));
      return {
        ours: `${percent(share)} of the reads stale, by at most ${ms(most)}`,
        holds: share <= 0.001,
        why: "at most one read of 1,000, as in the prototype's runs; a read may be answered while a write's answer is under way",
      };
    },
  },
  {
    place: "§4.3, Figure 6c",
    says: "With replication the median staleness is 2 ms",
    paper: "2.26 ms",
    find(results) {
      const locked = delayOfReplication(results, "replicated", "locked", "staleness");
      const random = delayOfReplication(results, "replicated", "random", "staleness");
      if (locked === undefined) return undefined;
      const randomText =
        random &&
        `with random phases ${percent(random.shareAbove(0))} of the reads are stale, p99 ${ms(random.quantile(0.99))}`;
      return {
        ours: ms(locked.quantile(0.5)),
        holds: Math.abs(locked.quantile(0.5) - 2.26) <= 1,
        why: `within 1 ms; it is the time from the write's answer to the end of a read that began with it, not the lag: ${randomText ?? "random phases not measured"}`,
      };
    },
  },
  {
    place: "§4.3",
    says: "What a reader sees is less stale than the one-way delay of 10 ms",
    paper: "p99 3.59 ms, at most 8.97 ms",
    find(results) {
      const locked = delayOfReplication(results, "replicated", "locked", "staleness");
      if (locked === undefined) return undefined;
      return {
        ours: `p99 ${ms(locked.quantile(0.99))}, at most ${ms(locked.quantile(1))}`,
        holds: locked.quantile(0.99) < ONE_WAY_MS,
        why: "99 of 100 reads; latency of writes and reads hides a part of the delay",
      };
    },
  },
  {
    place: "§4.3",
    says: "Client-centric ordering is guaranteed, so that only staleness is measured",
    paper: "no number",
    elsewhere: "sessions, in the simulator and in tests: see docs/concepts/consistency.md",
    find: () => undefined,
  },
];

function p50(
  results: ResultSet,
  placement: Placement,
  series: "write" | "read",
): number | undefined {
  return replicated(results, placement, "locked", series)?.pool.quantile(0.5);
}

function longer(
  slow: number | undefined,
  fast: number | undefined,
  expectedMs: number,
): Finding | undefined {
  if (slow === undefined || fast === undefined) return undefined;
  return {
    ours: `${ms(slow)} − ${ms(fast)} = ${ms(slow - fast)}`,
    holds: Math.abs(slow - fast - expectedMs) <= TOLERANCE_MS,
    why: `difference of medians, within ${TOLERANCE_MS} ms of the round trip`,
  };
}
