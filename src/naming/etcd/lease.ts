import { EnokiError } from "../../core/errors.js";
import type { NamingWrite } from "../../ports/naming.js";
import type { Timers } from "../../ports/timers.js";
import type { EtcdClient } from "./client.js";
import { EtcdFailure, isLeaseGone } from "./failure.js";
import { encodeText, type WireTransaction } from "./wire.js";

/** What the lease works with. */
export interface EtcdLeaseOptions {
  readonly client: EtcdClient;
  readonly timers: Timers;
  readonly root: string;
  readonly leaseMs: number;
  /** Called after every beat: whether etcd answered. */
  readonly beaten: (isReachable: boolean) => void;
}

/** After a beat that failed, the next one comes soon. */
const RETRY_MS = 500;

/**
 * The lease of this process. It is also the pulse of the connection: a beat is a round through the
 * cluster's leader, so a member that is stuck or cut off shows within a third of the lease.
 */
export class EtcdLease {
  readonly #options: EtcdLeaseOptions;
  /** What hangs on the lease, by key: written again when the lease had to be replaced. */
  readonly #held = new Map<string, string>();
  #id: string | undefined;
  #granting: Promise<string> | undefined;
  #stopTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(options: EtcdLeaseOptions) {
    this.#options = options;
    void this.#beat();
  }

  /** Id of a lease that is there, as far as we know. @throws EnokiError `ENOKI_NAMING_UNAVAILABLE` … */
  async id(): Promise<string> {
    return this.#id ?? (this.#granting ??= this.#grant());
  }

  /** Says that etcd does not know the lease any more. */
  lost(id: string): void {
    if (this.#id === id) this.#id = undefined;
  }

  /** Takes note of a transaction that was done. */
  remember(writes: readonly NamingWrite[]): void {
    for (const { key, value, isLeased } of writes) {
      if (isLeased && value !== undefined) this.#held.set(key, value);
      else this.#held.delete(key);
    }
  }

  /** Ends the lease, if etcd can be reached: what hangs on it vanishes now, else when it runs out. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.();
    await this.#granting?.catch(() => {});
    if (this.#id === undefined) return;
    await this.#options.client
      .call("/v3/lease/revoke", { ID: this.#id }, "repeatable")
      .catch(ignore);
  }

  async #beat(): Promise<void> {
    let isReachable = true;
    try {
      if (this.#id === undefined) await this.id();
      else await this.#keepAlive(this.#id);
    } catch (error) {
      isReachable = false;
      ignore(error);
    }
    if (this.#isClosed) return;
    this.#options.beaten(isReachable);
    const intervalMs = this.#options.leaseMs / 3;
    const pauseMs = isReachable ? intervalMs : Math.min(intervalMs, RETRY_MS);
    this.#stopTimer = this.#options.timers.after(pauseMs, () => void this.#beat());
  }

  async #keepAlive(id: string): Promise<void> {
    const answer = await this.#options.client.call<{ result?: { TTL?: string } }>(
      "/v3/lease/keepalive",
      { ID: id },
      "repeatable",
    );
    // A lease that has run out is answered without a time.
    if (Number(answer.result?.TTL ?? 0) > 0) return;
    this.lost(id);
    await this.id();
  }

  async #grant(): Promise<string> {
    try {
      const { client, leaseMs } = this.#options;
      const seconds = Math.ceil(leaseMs / 1000);
      const answer = await client.call<{ ID?: string }>(
        "/v3/lease/grant",
        { TTL: String(seconds) },
        "repeatable",
      );
      if (typeof answer.ID !== "string") throw new EtcdFailure("refused", "a lease without an id");
      await this.#writeAgain(answer.ID);
      this.#id = answer.ID;
      return answer.ID;
    } finally {
      this.#granting = undefined;
    }
  }

  /** Writes what hung on the lost lease, but nothing that somebody else has written since. */
  async #writeAgain(id: string): Promise<void> {
    for (const [key, value] of this.#held) {
      const wireKey = encodeText(this.#options.root + key);
      const answer = await this.#options.client.call<WireTransaction>(
        "/v3/kv/txn",
        {
          compare: [{ key: wireKey, target: "MOD", result: "EQUAL", mod_revision: "0" }],
          success: [{ request_put: { key: wireKey, value: encodeText(value), lease: id } }],
          failure: [{ request_range: { key: wireKey } }],
        },
        "repeatable",
      );
      const holder = answer.responses?.[0]?.response_range?.kvs?.[0]?.lease;
      const isOurs = answer.succeeded === true || holder === id;
      if (!isOurs && this.#held.get(key) === value) this.#held.delete(key);
    }
  }
}

/** Lets the failures of the world pass; whoever needs etcd meets them anew. */
function ignore(error: unknown): void {
  if (error instanceof EnokiError || error instanceof EtcdFailure || isLeaseGone(error)) return;
  throw error;
}
