import type { NodeName } from "../../core/ids.js";
import type { Vector } from "../../core/vector.js";
import type { Peer } from "./peer.js";

/** What has happened to one replica since it was opened. Only rises. */
export interface ReplicationCounts {
  updatesSentTotal: number;
  updatesAppliedTotal: number;
  /** Came again, or from an origin that may not speak any more. */
  updatesIgnoredTotal: number;
  /** Came before what they depend on. */
  updatesHeldTotal: number;
  /** Found no room to wait. */
  updatesDroppedTotal: number;
  /** Applied beside a version that their writer had not seen. */
  conflictsTotal: number;
  heartbeatsSentTotal: number;
  heartbeatsReceivedTotal: number;
  catchUpsBegunTotal: number;
  catchUpsCompletedTotal: number;
  catchUpsBrokenTotal: number;
  catchUpsServedTotal: number;
  resetsReceivedTotal: number;
  refusalsReceivedTotal: number;
  /** Times that updates for a peer were dropped, because its link was full or gone. */
  outboxesDroppedTotal: number;
  /** Messages of nodes that are no members, or that spoke for another member. */
  strangersTotal: number;
  /** Messages that the protocol does not allow. */
  malformedTotal: number;
}

/** All counts at 0. */
export function createCounts(): ReplicationCounts {
  return {
    updatesSentTotal: 0,
    updatesAppliedTotal: 0,
    updatesIgnoredTotal: 0,
    updatesHeldTotal: 0,
    updatesDroppedTotal: 0,
    conflictsTotal: 0,
    heartbeatsSentTotal: 0,
    heartbeatsReceivedTotal: 0,
    catchUpsBegunTotal: 0,
    catchUpsCompletedTotal: 0,
    catchUpsBrokenTotal: 0,
    catchUpsServedTotal: 0,
    resetsReceivedTotal: 0,
    refusalsReceivedTotal: 0,
    outboxesDroppedTotal: 0,
    strangersTotal: 0,
    malformedTotal: 0,
  };
}

/** Where another member stands, as far as is known here. */
export interface PeerMetrics {
  readonly node: NodeName;
  readonly isLinked: boolean;
  readonly isServing: boolean;
  /** Commits that it has told of and that are not applied here. */
  readonly lagUpdates: number;
  /** Commits applied here that it has not told of. */
  readonly behindUpdates: number;
  /** Bytes of updates that have not left for it yet. */
  readonly outboxBytes: number;
}

/** One keygroup's replication, for `/metrics` and `keygroups describe`. */
export interface ReplicationMetrics {
  readonly counts: Readonly<ReplicationCounts>;
  /** See `Replicator.stalenessMs`. */
  readonly stalenessMs: number;
  readonly peers: readonly PeerMetrics[];
}

/** Where `peer` stands by what it has told, against what is applied here. */
export function peerMetrics(peer: Peer, vector: Vector, outboxBytes: number): PeerMetrics {
  const applied = peer.heartbeat?.applied;
  return {
    node: peer.node,
    isLinked: peer.isUp,
    isServing: peer.heartbeat?.isServing === true,
    lagUpdates: applied ? missingIn(vector, applied) : 0,
    behindUpdates: applied ? missingIn(applied, vector) : 0,
    outboxBytes,
  };
}

/** Commits that `other` covers and `vector` does not. */
function missingIn(vector: Vector, other: Vector): number {
  let missing = 0;
  for (const dot of other.entries()) {
    if (!vector.covers(dot)) missing += dot.counter - vector.get(dot);
  }
  return missing;
}
