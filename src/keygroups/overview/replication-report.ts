import type { KeygroupRecord, MemberDurability } from "../../cluster/records.js";
import type { NodeName } from "../../core/ids.js";
import type { CatchUpProgress, PeerMetrics, ReplicationMetrics } from "../replication/metrics.js";
import type { ReplicaStatus } from "./peer-questions.js";

/**
 * A member's replica: `pending` until its node has taken it up, `joining` while it is being filled,
 * `serving`, `leaving` while it waits to be allowed to go, `away` while there is no link to it.
 */
export type MemberState = "pending" | "joining" | "serving" | "leaving" | "away";

/** One member, as the node that was asked sees it. */
export interface MemberReport {
  readonly node: NodeName;
  /** It is the node that was asked. */
  readonly isHere: boolean;
  /** The naming service has heard of its node lately. */
  readonly isPresent: boolean;
  readonly state: MemberState;
  readonly durability: MemberDurability;
  /** While it joins. */
  readonly progress: CatchUpProgress | undefined;
  /** What is known of it here; `undefined` for the node itself, and where no replica is. */
  readonly peer: PeerMetrics | undefined;
}

/** How a keygroup is doing on all its members, as the node that was asked sees it. */
export interface ReplicationReport {
  readonly generation: number;
  readonly epoch: number;
  /**
   * Every member has told that everything which is here is on its disk, and everything that they told
   * of is here.
   */
  readonly isEverywhere: boolean;
  /** Writes of this node that no other member is known to have on its disk. */
  readonly unreplicated: number;
  /** See `Replicator.stalenessMs`. */
  readonly stalenessMs: number;
  readonly updatesAppliedTotal: number;
  readonly conflictsTotal: number;
  readonly members: readonly MemberReport[];
}

/** What a report is made from. */
export interface ReportSources {
  readonly record: KeygroupRecord;
  readonly node: NodeName;
  /** `undefined`: nothing of it is replicated here. */
  readonly metrics: ReplicationMetrics | undefined;
  readonly own: ReplicaStatus | undefined;
  readonly conflictsTotal: number;
  readonly isPresent: (node: NodeName) => boolean;
  /** What the members have said that have answered. */
  readonly said: ReadonlyMap<NodeName, ReplicaStatus>;
}

/** Puts together what is known here and what the others have said. */
export function replicationReport(sources: ReportSources): ReplicationReport {
  const { record, metrics, conflictsTotal } = sources;
  const { generation, epoch } = record;
  return {
    generation,
    epoch,
    isEverywhere: metrics?.isEverywhere === true,
    unreplicated: metrics?.unreplicated ?? 0,
    stalenessMs: metrics?.stalenessMs ?? Infinity,
    updatesAppliedTotal: metrics?.counts.updatesAppliedTotal ?? 0,
    conflictsTotal,
    members: record.members.map((member) => memberReport(member, sources)),
  };
}

function memberReport(
  { node, durability, disk }: KeygroupRecord["members"][number],
  sources: ReportSources,
): MemberReport {
  const isHere = node === sources.node;
  const peer = sources.metrics?.peers.find((one) => one.node === node);
  const status = isHere ? sources.own : sources.said.get(node);
  const isTaken = disk !== undefined;
  return {
    node,
    isHere,
    isPresent: isHere || sources.isPresent(node),
    state: isTaken || isHere ? stateOf(isHere, status, peer) : "pending",
    durability,
    progress: status?.progress,
    peer,
  };
}

function stateOf(
  isHere: boolean,
  status: ReplicaStatus | undefined,
  peer: PeerMetrics | undefined,
): MemberState {
  if (status) return status.state;
  if (isHere) return "pending";
  if (!peer?.isLinked) return "away";
  return peer.isServing ? "serving" : "joining";
}
