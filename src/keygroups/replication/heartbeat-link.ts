import type { Heartbeat } from "../../core/heartbeat.js";
import {
  IncomingHeartbeats,
  OutgoingHeartbeats,
  type HeartbeatChange,
} from "../../core/heartbeat-changes.js";
import { Stamps } from "../../core/stamps.js";

/** What goes into the next heartbeat for a peer; stamps are added. */
export type HeartbeatContent = Omit<Heartbeat, "stamp" | "echo">;

/** The heartbeats of both directions between two members, while a link is up. */
export class HeartbeatLink {
  readonly #stamps = new Stamps();
  readonly #outgoing = new OutgoingHeartbeats();
  readonly #incoming = new IncomingHeartbeats();
  /** Members of whom the peer wants to be told. */
  #wanted: readonly number[] = [];

  get wanted(): readonly number[] {
    return this.#wanted;
  }

  /** The next heartbeat; `undefined` if one was made in this very microsecond. */
  next(content: HeartbeatContent, nowMs: number): HeartbeatChange | undefined {
    const stamp = this.#stamps.next(nowMs);
    if (stamp === undefined) return undefined;
    const heartbeat = { ...content, stamp, echo: this.#stamps.echo };
    return this.#outgoing.next(heartbeat, this.#incoming.isLost);
  }

  /** The last one was not sent: the next one says everything. */
  failed(): void {
    this.#outgoing.reset();
  }

  /** What the peer says; `undefined` if that cannot be told, for one before it was lost. */
  take(change: HeartbeatChange): Heartbeat | undefined {
    if (change.asksForAll) this.#outgoing.reset();
    return this.#incoming.take(change);
  }

  /** Notes that what a heartbeat says was taken over. */
  taken({ stamp, wants }: Heartbeat, nowMs: number): void {
    this.#stamps.received(stamp, nowMs, wants.length > 0);
    this.#wanted = wants;
  }

  /** `echo`, if it is a stamp of this link. */
  ownStamp(echo: number | undefined): number | undefined {
    return echo !== undefined && this.#stamps.isOwn(echo) ? echo : undefined;
  }

  /** See `Stamps.echoAt`. */
  echoAt(own: number): number | undefined {
    return this.#stamps.echoAt(own);
  }
}
