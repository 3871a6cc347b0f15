import { decodeTrace } from "../../core/trace-context.js";
import type { Update } from "../../core/update.js";
import type { ReplicationContext } from "./context.js";
import type { Peer } from "./peer.js";
import type { StoredUpdates } from "./store-received.js";

/**
 * Records that commits of another member have been applied here, as parts of the spans that made them
 * there: from `cameAtMs`, when the message came, until now.
 */
export function recordApplied(
  context: ReplicationContext,
  peer: Peer,
  { received }: StoredUpdates,
  cameAtMs: number,
): void {
  for (const { applied } of received) {
    for (const update of applied) if (update.trace) recordOne(context, peer, update, cameAtMs);
  }
}

function recordOne(
  { tracer, host }: ReplicationContext,
  { node }: Peer,
  { trace, entries }: Update,
  cameAtMs: number,
): void {
  const span = tracer.start({
    name: `replicate ${host.name}`,
    kind: "consumer",
    parent: trace && decodeTrace(trace),
    atMs: cameAtMs,
    attributes: {
      "db.system.name": "enoki",
      "db.namespace": host.name,
      "enoki.peer": node,
      "enoki.keys": entries.length,
    },
  });
  span?.end();
}
