import type { NodeName } from "../../core/ids.js";
import type { Prng } from "../../base/prng.js";
import type { Replica } from "../../core/replica.js";
import type { Keygroup } from "../../keygroups/keygroup.js";
import type { OpenedReplica } from "../../keygroups/keygroup-options.js";
import type { Reactions } from "../../keygroups/reactions.js";
import type { ReplicationTiming } from "../../keygroups/replication/context.js";
import type { ReplicationMetrics } from "../../keygroups/replication/metrics.js";
import type { Replicator } from "../../keygroups/replication/replicator.js";
import type { SessionGate } from "../../keygroups/session-gate.js";
import type { KeygroupConfig } from "../../keygroups/types.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { Links } from "../../ports/links.js";
import type { Storage } from "../../ports/storage.js";
import type { Timers } from "../../ports/timers.js";
import type { SimNaming } from "./naming.js";
import type { Network } from "./network.js";
import type { SimNode } from "./node.js";
import type { VirtualTime } from "./virtual-time.js";

/** What a simulated node is made from. */
export interface SimNodeParts {
  readonly index: number;
  readonly name: NodeName;
  readonly time: VirtualTime;
  readonly random: Prng;
  readonly network: Network;
  readonly naming: SimNaming;
  readonly config: KeygroupConfig;
  readonly timing: Partial<ReplicationTiming>;
  readonly skewMs: number;
  readonly stagedBytesMax: number;
  /** Updates that may wait for earlier ones; as many as in production without it. */
  readonly heldUpdatesMax?: number | undefined;
  readonly events: SimNodeEvents;
  readonly faulty: FaultyParts;
  /** What reacts to changes of the replica that is opened, until `isAlive` says no more. */
  readonly reacting?: (opening: {
    readonly node: SimNode;
    readonly timers: Timers;
    readonly isAlive: () => boolean;
  }) => Reacting;
}

/** See `KeygroupOptions.reactionsOf`. */
export interface Reacting {
  readonly reactions: () => Reactions | undefined;
  /** The keygroup is open. */
  readonly opened: (keygroup: Keygroup) => void;
}

/** What watches a node. */
export interface SimNodeEvents {
  happened(what: string, node: SimNode): void;
  /** A replica object begins; it may be wrapped. */
  opened(node: SimNode, opened: OpenedReplica): void;
  /** A replicator is used no more; this is what it counted. */
  ended(metrics: ReplicationMetrics): void;
  /** Its store is empty now. */
  wiped(node: SimNode): void;
  /** A transaction has ended. */
  transacted(node: SimNode, isCommitted: boolean): void;
}

/** Nobody watches. */
export const UNWATCHED: SimNodeEvents = {
  happened: () => {},
  opened: () => {},
  ended: () => {},
  wiped: () => {},
  transacted: () => {},
};

/** Parts that a canary puts in the place of good ones. */
export interface FaultyParts {
  readonly storage?: (storage: Storage, node: SimNode) => Storage;
  readonly links?: (links: Links, node: SimNode) => Links;
  /** Changes what asks other nodes before it is used. */
  readonly requests?: (requests: PeerRequests) => void;
  /** Changes a replica object before it is used. */
  readonly replica?: (replica: Replica) => void;
  /** Changes a replicator before it is used. */
  readonly replicator?: (replicator: Replicator) => void;
  /** Changes where sessions wait before it is used. */
  readonly gate?: (gate: SessionGate) => void;
  /** Which token a call carries: of all that its client has read and written, or of one of both. */
  readonly token?: (call: "read" | "write") => "read" | "written" | "all";
  /** Where hybrid time begins, instead of where it was. */
  readonly hlc?: number;
  /** Whether a store that may be too old is taken for a good one. */
  readonly resumesAlways?: boolean;
  /** The store is kept where it should be wiped. */
  readonly keepsStore?: boolean;
  /** Records from before an own join are acted upon. */
  readonly takesOldRecords?: boolean;
}

/** What a power cut, a crash or a lost disk leaves for the next start. */
export type Downfall = "stop" | "process" | "power" | "disk";
