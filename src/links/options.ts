import type { NodeName } from "../core/ids.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Timers } from "../ports/timers.js";
import type { Turn } from "../ports/turn.js";
import type { LinkCredentials } from "./identity.js";

/** What a node's links work with. */
export interface LinkOptions {
  /** This node. */
  readonly node: NodeName;
  /** Where to listen; `undefined` = this node only dials out. Port 0 = any free one. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** `undefined`: only on loopback, where names are claimed and not proven. */
  readonly credentials: LinkCredentials | undefined;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Everything that one turn sends leaves at its end. */
  readonly turn: Turn;
  readonly logger: Logger;
  /** A number in [0, 1) for jitter. */
  readonly random: () => number;
  readonly timing: LinkTiming;
}

/** How long things may take on a link. */
export interface LinkTiming {
  /** Time from one heartbeat to the next. */
  readonly heartbeatMs: number;
  /** A peer that sent nothing for so many heartbeats is gone. */
  readonly silentHeartbeatsMax: number;
  /** From a connection to an open link. */
  readonly handshakeTimeoutMs: number;
  /** Wait before the first try to reconnect; it doubles with each failure. */
  readonly retryMs: number;
  readonly retryMaxMs: number;
  /** A link that lived so long was a good one: the wait begins anew. */
  readonly stableMs: number;
  /** A peer whose wall clock is off by more is refused. */
  readonly maxSkewMs: number;
}

/** What a node uses. */
export const LINK_TIMING: LinkTiming = {
  heartbeatMs: 1000,
  silentHeartbeatsMax: 4,
  handshakeTimeoutMs: 5000,
  retryMs: 100,
  retryMaxMs: 10_000,
  stableMs: 10_000,
  maxSkewMs: 10_000,
};
