import type { KeygroupRecord } from "../../cluster/records.js";
import type { NodeName } from "../../core/ids.js";
import type { Identity } from "../../core/meta.js";
import type { Keygroup } from "../keygroup.js";
import type { StoredMember } from "../keygroup-stores.js";
import { Replicator, type ReplicatorOptions } from "../replication/replicator.js";
import { NO_MEMBER } from "./founding.js";

/** A keygroup's store on this node, and who replicates it while it is that of a member. */
export class LocalReplica {
  readonly keygroup: Keygroup;
  /** The member whose data are lost: its place must be taken by another one. */
  lost: StoredMember | undefined;
  /** See `ReplicatorOptions.joinFrom`; of the next one. */
  joinFrom: NodeName | undefined;
  /** The others go on without it: they have everything that is here, or that was not waited for. */
  left: "covered" | "forced" | undefined;
  /** The member in the row of the node's own store. */
  remembered: StoredMember | undefined;
  #replicator: Replicator | undefined;

  constructor(keygroup: Keygroup) {
    this.keygroup = keygroup;
  }

  get identity(): Identity {
    return this.keygroup.replica.identity;
  }

  get replicator(): Replicator | undefined {
    return this.#replicator;
  }

  /** It is, or was, the replica of a member. */
  get isMember(): boolean {
    return this.identity.epoch !== NO_MEMBER;
  }

  /** It takes reads and writes. */
  get isServing(): boolean {
    const isThere = this.isMember && this.left === undefined;
    return isThere && this.identity.isServing && this.#replicator !== undefined;
  }

  /** True if it is the replica of that member. */
  is({ generation, epoch }: StoredMember): boolean {
    return this.identity.generation === generation && this.identity.epoch === epoch;
  }

  /** Begins to speak with other members, once there is a record to speak under. */
  start(options: Omit<ReplicatorOptions, "host" | "joinFrom">): void {
    if (this.#replicator) return;
    const { joinFrom, keygroup: host } = this;
    this.joinFrom = undefined;
    this.#replicator = new Replicator({ ...options, host, joinFrom });
  }

  /** Acts under the record, once it is stored. */
  adopt(record: KeygroupRecord): void {
    void this.#replicator?.adopt(record);
  }

  /** Replicates no longer. */
  stop(): void {
    this.#replicator?.close();
    this.#replicator = undefined;
  }
}
