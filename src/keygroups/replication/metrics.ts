import type { NodeName } from "../../core/ids.js";
import type { Standing } from "../../core/standing.js";
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
  heartbeatsSentTotal: number;
  heartbeatsReceivedTotal: number;
  /** Came after one that was lost, and so said too little. */
  heartbeatsIncompleteTotal: number;
  /** What was told of members to others who cannot hear them, and what was heard in that way. */
  relayedSentTotal: number;
  relayedReceivedTotal: number;
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
  /** Messages of members that claim what cannot be. */
  refusedTotal: number;
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
    heartbeatsSentTotal: 0,
    heartbeatsReceivedTotal: 0,
    heartbeatsIncompleteTotal: 0,
    relayedSentTotal: 0,
    relayedReceivedTotal: 0,
    catchUpsBegunTotal: 0,
    catchUpsCompletedTotal: 0,
    catchUpsBrokenTotal: 0,
    catchUpsServedTotal: 0,
    resetsReceivedTotal: 0,
    refusalsReceivedTotal: 0,
    outboxesDroppedTotal: 0,
    strangersTotal: 0,
    refusedTotal: 0,
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
  /** How long something that it has told of has been missing here; 0 = nothing is. */
  readonly lagMs: number;
  /** Bytes of updates that have not left for it yet, those of other keygroups on its link among them. */
  readonly outboxBytes: number;
  /** How long ago it may have overwritten what is read here; Infinity while nothing is known. */
  readonly stalenessMs: number;
  /** Without a link since then, in milliseconds since 1970. */
  readonly awaySinceMs: number | undefined;
  /** Its commits that were applied here one by one, since it is known as a member. */
  readonly updatesAppliedTotal: number;
  /** Conflicts that were resolved here when something came from it. */
  readonly conflictsTotal: number;
}

/** How far a replica that joins has been filled. */
export interface CatchUpProgress {
  /** The node that fills it now. */
  readonly from: string;
  /** Keys, and the bytes of keys and values, since the node's start. */
  readonly items: number;
  readonly sizeBytes: number;
  /** How much of the sender's history has been gone through, between 0 and 1. */
  readonly share: number;
}

/** One keygroup's replication, for `/metrics` and `keygroups describe`. */
export interface ReplicationMetrics {
  readonly counts: Readonly<ReplicationCounts>;
  /** See `Replicator.stalenessMs`. */
  readonly stalenessMs: number;
  /** Every member has told that all of what is here is on its disk, and all they told of is here. */
  readonly isEverywhere: boolean;
  /** See `Replicator.unreplicated`. */
  readonly unreplicated: number;
  /** While it joins. */
  readonly progress: CatchUpProgress | undefined;
  readonly peers: readonly PeerMetrics[];
}

/** Where `peer` stands by what is known of it, against what is applied here at this monotonic time. */
export function peerMetrics(
  peer: Peer,
  standing: Standing | undefined,
  here: { readonly vector: Vector; readonly nowMs: number },
  known: Pick<PeerMetrics, "outboxBytes" | "stalenessMs">,
): PeerMetrics {
  const { vector, nowMs } = here;
  const applied = standing?.applied;
  peer.compare(vector, nowMs);
  return {
    node: peer.node,
    isLinked: peer.isUp,
    isServing: standing?.isServing === true,
    lagUpdates: applied ? missingIn(vector, applied) : 0,
    lagMs: peer.ahead ? nowMs - peer.ahead.sinceMs : 0,
    behindUpdates: applied ? missingIn(applied, vector) : 0,
    awaySinceMs: peer.awaySinceMs,
    updatesAppliedTotal: peer.updatesAppliedTotal,
    conflictsTotal: peer.conflictsTotal,
    ...known,
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
