import type { Counter, Gauge } from "prom-client";

import type { Functions } from "../functions/functions.js";
import type { FunctionStatus } from "../functions/types.js";
import type { KeygroupName } from "../core/ids.js";
import type { PeerMetrics } from "../keygroups/replication/metrics.js";
import type { Replicator } from "../keygroups/replication/replicator.js";
import type { NodeKeygroups } from "../keygroups/node-keygroups.js";

/** What the metrics are read from. */
export interface MetricsSources {
  readonly functions: Functions;
  readonly keygroups: NodeKeygroups;
  /** Who replicates a keygroup; `undefined` where nobody does. */
  readonly replicatorOf: (name: KeygroupName) => Replicator | undefined;
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

async function createRegistry({ functions, keygroups, replicatorOf }: MetricsSources) {
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
  const perKeygroup = (name: string, help: string, read: (work: Work) => number): void => {
    const metric: Counter<"keygroup"> = new Counter({
      name,
      help,
      labelNames: ["keygroup"],
      registers: [registry],
      collect() {
        metric.reset();
        for (const one of keygroups.list()) metric.inc({ keygroup: one.name }, read(one.work));
      },
    });
  };
  perKeygroup("enoki_commits_total", "Store transactions", (work) => work.commitsTotal);
  perKeygroup("enoki_syncs_total", "Syncs asked of the store", (work) => work.syncsTotal);
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
    Counter,
    "enoki_conflicts_total",
    "Commits that met a version which their writer had not seen",
    (replicator) => replicator.metrics().counts.conflictsTotal,
  );
  perReplica(
    Gauge,
    "enoki_staleness_bound_seconds",
    "How long ago what is read here may have been overwritten",
    (replicator) => replicator.stalenessMs() / 1000,
  );
  const perPeer = (name: string, help: string, read: (peer: PeerMetrics) => number): void => {
    const metric: Gauge<"keygroup" | "node"> = new Gauge({
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
  perPeer("enoki_replica_linked", "1 while there is a link", (peer) => Number(peer.isLinked));
  perPeer("enoki_replica_serving", "1 if it says that it serves", (peer) => Number(peer.isServing));
  perPeer("enoki_replica_lag_updates", "Its commits missing here", (peer) => peer.lagUpdates);
  perPeer(
    "enoki_replica_behind_updates",
    "Commits here that it has not told of",
    (peer) => peer.behindUpdates,
  );
  perPeer("enoki_replica_outbox_bytes", "Updates waiting to leave", (peer) => peer.outboxBytes);
  return registry;
}

interface Work {
  readonly commitsTotal: number;
  readonly syncsTotal: number;
}
