import type { ChunkBudget } from "../../core/catch-up.js";
import type { NodeName } from "../../core/ids.js";
import type { Clock } from "../../ports/clock.js";
import type { LinkLane } from "../../ports/links.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { Tracer } from "../../ports/tracer.js";
import type { Turn } from "../../ports/turn.js";
import type { ReplicaHost } from "../replica-host.js";
import type { ReplicationCounts } from "./metrics.js";

/** When replication does what, and in which portions; see {@link DEFAULT_TIMING}. */
export interface ReplicationTiming {
  /** Each member tells every other one where it stands, at least this often. */
  readonly heartbeatIntervalMs: number;
  /** Never more often than this, however much changes. */
  readonly heartbeatSpacingMs: number;
  /** How long what a linked member will surely send is waited for before it is asked for. */
  readonly catchUpAfterMs: number;
  /** A catch-up that brings nothing for so long is broken off. */
  readonly catchUpTimeoutMs: number;
  /** A member from whom a catch-up broke off is not asked again for so long. */
  readonly catchUpBackoffMs: number;
  /** How large a chunk of a catch-up may become. */
  readonly chunkBudget: ChunkBudget;
  /** Chunks that may be on their way before the receiver has stored the first of them. */
  readonly chunkWindow: number;
}

/** What a node uses. */
export const DEFAULT_TIMING: ReplicationTiming = {
  heartbeatIntervalMs: 500,
  heartbeatSpacingMs: 50,
  catchUpAfterMs: 1000,
  catchUpTimeoutMs: 5000,
  catchUpBackoffMs: 1000,
  chunkBudget: { keysMax: 256, bytesMax: 1024 * 1024 },
  chunkWindow: 4,
};

/** What all parts of a replicator share. */
export interface ReplicationContext {
  readonly host: ReplicaHost;
  readonly timing: ReplicationTiming;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turn: Turn;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly counts: ReplicationCounts;
  /** See `Links.send`; the keygroup's name is put before the message. */
  readonly send: (to: NodeName, lane: LinkLane, message: Uint8Array) => boolean;
}
