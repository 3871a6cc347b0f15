import type { NodeName } from "../../core/ids.js";
import type { Standing } from "../../core/standing.js";
import type { Vector } from "../../core/vector.js";
import { HeartbeatLink } from "./heartbeat-link.js";

/** Another member of the keygroup, as it is known to this one. */
export class Peer {
  readonly node: NodeName;
  /** The epoch at which it joined. */
  readonly member: number;
  isUp: boolean;
  /** The heartbeats of this link. */
  link = new HeartbeatLink();
  /** Where it stands, as it has said itself since its link is up. */
  standing: Standing | undefined;
  /** It would answer a catch-up request of this replica. */
  canServe = false;
  /** Something that it has and that was missing here at `sinceMs`, and since then all along. */
  ahead: { readonly vector: Vector; readonly sinceMs: number } | undefined;
  /** Its link is new: whatever it is ahead in is not on its way. */
  isFresh = true;
  /** Updates for it were dropped: it gets no more of them until it has caught up. */
  isBehind = false;
  /** The number of the last catch-up that it asked for on this link; they rise. */
  lastRequest = 0;
  /** What it claimed that cannot be, since its link is up. */
  readonly problems = new Set<string>();
  /** It is not asked for a catch-up before. */
  avoidUntilMs = -Infinity;
  /** Its link is gone since then, by the wall clock; `undefined` while there is one, or was none. */
  awaySinceMs: number | undefined;
  /** Its commits that were applied here, one by one. */
  updatesAppliedTotal = 0;
  /** Conflicts that were resolved here when something came from it. */
  conflictsTotal = 0;

  constructor(node: NodeName, member: number, isUp: boolean) {
    this.node = node;
    this.member = member;
    this.isUp = isUp;
  }

  /** A new link: nothing of the older one holds. */
  up(): void {
    this.isUp = true;
    this.awaySinceMs = undefined;
    this.isFresh = true;
    this.isBehind = false;
    this.lastRequest = 0;
    this.avoidUntilMs = -Infinity;
    this.problems.clear();
    this.#forget();
  }

  down(wallMs: number): void {
    this.isUp = false;
    this.awaySinceMs = wallMs;
    this.#forget();
  }

  /** Takes what it says of itself. */
  heard(standing: Standing, canServe: boolean, own: Vector, nowMs: number): void {
    this.standing = standing;
    this.canServe = canServe;
    this.compare(own, nowMs);
  }

  /** Compares what it has with what is applied here now. */
  compare(own: Vector, nowMs: number): void {
    const applied = this.standing?.applied;
    if (!applied || own.includes(applied)) {
      this.ahead = undefined;
      if (applied) this.isFresh = false;
    } else if (!this.ahead || own.includes(this.ahead.vector)) {
      this.ahead = { vector: applied, sinceMs: nowMs };
    }
  }

  #forget(): void {
    this.link = new HeartbeatLink();
    this.standing = undefined;
    this.canServe = false;
    this.ahead = undefined;
  }
}
