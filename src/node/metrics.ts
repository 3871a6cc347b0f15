import type { Counter, Gauge } from "prom-client";

import type { Functions } from "../functions/functions.js";
import type { FunctionStatus } from "../functions/types.js";
import type { KeygroupName } from "../core/ids.js";
import type { PeerMetrics } from "../keygroups/replication/metrics.js";
import type { Keygroup } from "../keygroups/keygroup.js";
import type { Replicator } from "../keygroups/replication/replicator.js";
import type { NodeKeygroups } from "../keygroups/node-keygroups.js";
import type { SpanCounts, Tracer } from "../ports/tracer.js";

/** What the metrics are read from. */
export interface MetricsSources {
  readonly functions: Functions;
  readonly keygroups: NodeKeygroups;
  /** Who replicates a keygroup; `undefined` where nobody does. */
  readonly replicatorOf: (name: KeygroupName) => Replicator | undefined;
  readonly tracer: Pick<Tracer, "counts">;
}

/**
 * Returns the way to print the node's metrics. Everything is read when it is asked for, so counting
 * costs nothing on the way of a call, and a node that nobody asks does not load the library.
 */
export function createNodeMetrics(sources: MetricsSources): () => Promise<string> {
  let registry: ReturnType<typeof createRegistry> | undefined;
  return async () => {
    registry ??= createRegistry(sources);
    return (await registry).metrics();
  };
}

async function createRegistry({ functions, keygroups, replicatorOf, tracer }: MetricsSources) {
  const { collectDefaultMetrics, Counter, Gauge, Registry } = await import("prom-client");
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: "enoki_node_" });
  const perFunction = (
    Kind: typeof Counter<"function"> | typeof Gauge<"function">,
    name: string,
    help: string,
    read: (status: FunctionStatus) => number,
  ): void => {
    const metric: Counter<"function"> | Gauge<"function"> = new Kind({
      name,
      help,
      labelNames: ["function"],
      registers: [registry],
      collect() {
        metric.reset();
        for (const host of functions.hosts())
          metric.inc({ function: host.name }, read(host.status));
      },
    });
  };
  perFunction(
    Counter,
    "enoki_invocations_total",
    "Calls that were submitted",
    (s) => s.invocationsTotal,
  );
  perFunction(
    Counter,
    "enoki_invocation_failures_total",
    "Calls that ended in an error or a 5xx",
    (s) => s.failuresTotal,
  );
  perFunction(
    Counter,
    "enoki_cold_starts_total",
    "Instances that were started",
    (s) => s.coldStartsTotal,
  );
  perFunction(Gauge, "enoki_instances", "Instances that run", (s) => s.instances);
  perFunction(Gauge, "enoki_calls_running", "Calls that run", (s) => s.running);
  perFunction(Gauge, "enoki_calls_queued", "Calls that wait for an instance", (s) => s.queued);
  const perKeygroup = (name: string, help: string, read: (keygroup: Keygroup) => number): void => {
    const metric: Counter<"keygroup"> = new Counter({
      name,
      help,
      labelNames: ["keygroup"],
      registers: [registry],
      collect() {
        metric.reset();
        for (const one of keygroups.list()) metric.inc({ keygroup: one.name }, read(one));
      },
    });
  };
  perKeygroup("enoki_commits_total", "Store transactions", ({ work }) => work.commitsTotal);
  perKeygroup("enoki_syncs_total", "Syncs asked of the store", ({ work }) => work.syncsTotal);
  perKeygroup(
    "enoki_conflicts_resolved_total",
    "Versions that were dropped or joined because their writers did not know of one another",
    (keygroup) => keygroup.conflictsTotal,
  );
  const ofTracer = (
    Kind: typeof Counter | typeof Gauge,
    name: string,
    help: string,
    read: (counts: SpanCounts) => number,
  ): void => {
    const metric: Counter | Gauge = new Kind({
      name,
      help,
      registers: [registry],
      collect() {
        metric.reset();
        metric.inc(read(tracer.counts));
      },
    });
  };
  ofTracer(
    Counter,
    "enoki_trace_spans_exported_total",
    "Spans that the collector took",
    (counts) => counts.exportedTotal,
  );
  ofTracer(
    Counter,
    "enoki_trace_spans_dropped_total",
    "Spans that were lost on the way to the collector",
    (counts) => counts.droppedTotal,
  );
  ofTracer(
    Gauge,
    "enoki_trace_spans_waiting",
    "Spans that wait for the collector",
    (counts) => counts.waiting,
  );
  const perReplica = (
    Kind: typeof Counter<"keygroup"> | typeof Gauge<"keygroup">,
    name: string,
    help: string,
    read: (replicator: Replicator) => number,
  ): void => {
    const metric: Counter<"keygroup"> | Gauge<"keygroup"> = new Kind({
      name,
      help,
      labelNames: ["keygroup"],
      registers: [registry],
      collect() {
        metric.reset();
        for (const one of keygroups.list()) {
          const replicator = replicatorOf(one.name);
          if (replicator) metric.inc({ keygroup: one.name }, read(replicator));
        }
      },
    });
  };
  perReplica(
    Counter,
    "enoki_updates_applied_total",
    "Commits of other members that were applied",
    (replicator) => replicator.metrics().counts.updatesAppliedTotal,
  );
  perReplica(
    Gauge,
    "enoki_staleness_bound_seconds",
    "How long ago what is read here may have been overwritten",
    (replicator) => replicator.stalenessMs() / 1000,
  );
  perReplica(
    Gauge,
    "enoki_unreplicated_updates",
    "Commits of this node that no other member is known to have on its disk",
    (replicator) => replicator.unreplicated(),
  );
  perReplica(
    Gauge,
    "enoki_everywhere",
    "1 if everything is on the disks of all members",
    (replicator) => Number(replicator.metrics().isEverywhere),
  );
  perReplica(
    Gauge,
    "enoki_join_items",
    "Keys that a replica which joins has got",
    (replicator) => replicator.metrics().progress?.items ?? 0,
  );
  perReplica(
    Gauge,
    "enoki_join_bytes",
    "Bytes of keys and values that a replica which joins has got",
    (replicator) => replicator.metrics().progress?.sizeBytes ?? 0,
  );
  const perPeer = (
    Kind: typeof Counter<"keygroup" | "node"> | typeof Gauge<"keygroup" | "node">,
    name: string,
    help: string,
    read: (peer: PeerMetrics) => number,
  ): void => {
    const metric: Counter<"keygroup" | "node"> | Gauge<"keygroup" | "node"> = new Kind({
      name,
      help,
      labelNames: ["keygroup", "node"],
      registers: [registry],
      collect() {
        metric.reset();
        for (const { name: keygroup } of keygroups.list()) {
          for (const peer of replicatorOf(keygroup)?.metrics().peers ?? []) {
            metric.inc({ keygroup, node: peer.node }, read(peer));
          }
        }
      },
    });
  };
  const ofPeers: readonly PeerMetric[] = [
    [Gauge, "linked", "1 while there is a link", (peer) => Number(peer.isLinked)],
    [Gauge, "serving", "1 if it says that it serves", (peer) => Number(peer.isServing)],
    [Gauge, "lag_updates", "Its commits missing here", (peer) => peer.lagUpdates],
    [Gauge, "lag_seconds", "How long something of it is missing", (peer) => peer.lagMs / 1000],
    [Gauge, "behind_updates", "Commits here that it has not told of", (peer) => peer.behindUpdates],
    [Gauge, "outbox_bytes", "Updates waiting to leave", (peer) => peer.outboxBytes],
    [
      Gauge,
      "staleness_bound_seconds",
      "How long ago it may have overwritten what is read here",
      (peer) => peer.stalenessMs / 1000,
    ],
    [
      Counter,
      "updates_applied_total",
      "Its commits that were applied one by one",
      (peer) => peer.updatesAppliedTotal,
    ],
    [
      Counter,
      "conflicts_resolved_total",
      "Conflicts resolved when something came from it",
      (peer) => peer.conflictsTotal,
    ],
  ];
  for (const [Kind, name, help, read] of ofPeers) {
    perPeer(Kind, `enoki_replica_${name}`, help, read);
  }
  return registry;
}

type PeerLabels = "keygroup" | "node";
type PeerMetric = readonly [
  Kind: typeof Counter<PeerLabels> | typeof Gauge<PeerLabels>,
  name: string,
  help: string,
  read: (peer: PeerMetrics) => number,
];
