import { assert } from "../../base/assert.js";
import type {
  Naming,
  NamingCheck,
  NamingEntry,
  NamingEvents,
  NamingWrite,
} from "../../ports/naming.js";
import { systemTimers, type Timers } from "../../ports/timers.js";
import { assertTransaction } from "../checks.js";
import type { EtcdEndpoint } from "./address.js";
import { EtcdClient, type EtcdUser } from "./client.js";
import { EtcdFailure, isLeaseGone, namingErrorOf } from "./failure.js";
import { EtcdLease } from "./lease.js";
import { type EtcdTls, EtcdTransport } from "./transport.js";
import { EtcdWatch } from "./watch.js";
import { encodeText, entryOf, rangeOf, type WireRange, type WireTransaction } from "./wire.js";

/** How to reach an etcd, and as whom. */
export interface EtcdNamingOptions {
  readonly endpoints: readonly EtcdEndpoint[];
  readonly tls?: EtcdTls | undefined;
  readonly user?: EtcdUser | undefined;
  /** First part of every key. */
  readonly root: string;
  /** How long leased records outlive a process that has fallen silent. */
  readonly leaseMs?: number;
  /** For one call. */
  readonly deadlineMs?: number;
  readonly timers?: Timers;
  readonly random?: () => number;
}

const LEASE_MS = 10_000;
const DEADLINE_MS = 2000;

/** The naming service on etcd 3.4 or later, over its own JSON gateway. */
export class EtcdNaming implements Naming {
  readonly #root: string;
  readonly #transport: EtcdTransport;
  readonly #client: EtcdClient;
  readonly #lease: EtcdLease;
  readonly #watches = new Set<EtcdWatch>();
  readonly #timers: Timers;
  readonly #random: () => number;
  #closing: Promise<void> | undefined;

  constructor(options: EtcdNamingOptions) {
    this.#root = `${options.root}/`;
    this.#timers = options.timers ?? systemTimers;
    this.#random = options.random ?? Math.random;
    this.#transport = new EtcdTransport(options.tls, this.#timers);
    this.#client = new EtcdClient({
      endpoints: options.endpoints,
      transport: this.#transport,
      user: options.user,
      deadlineMs: options.deadlineMs ?? DEADLINE_MS,
    });
    this.#lease = new EtcdLease({
      client: this.#client,
      timers: this.#timers,
      root: this.#root,
      leaseMs: options.leaseMs ?? LEASE_MS,
      beaten: (isReachable) => {
        for (const watch of this.#watches) watch.beaten(isReachable);
      },
    });
  }

  async read(prefix: string): Promise<readonly NamingEntry[]> {
    assert(this.#closing === undefined, "the naming service is closed");
    const answer = await this.#call<WireRange>(
      "/v3/kv/range",
      rangeOf(this.#root + prefix),
      "repeatable",
    );
    return (answer.kvs ?? []).map((kv) => entryOf(this.#root, kv));
  }

  async transact(checks: readonly NamingCheck[], writes: readonly NamingWrite[]): Promise<boolean> {
    assert(this.#closing === undefined, "the naming service is closed");
    assertTransaction(checks, writes);
    const isLeased = writes.some((write) => write.isLeased && write.value !== undefined);
    const lease = isLeased ? await this.#lease.id().catch(rethrow) : undefined;
    const body = this.#transactionBody(checks, writes, lease);
    try {
      const { succeeded = false } = await this.#client.call<WireTransaction>(
        "/v3/kv/txn",
        body,
        "once",
      );
      if (succeeded) this.#lease.remember(writes);
      return succeeded;
    } catch (error) {
      if (lease === undefined || !isLeaseGone(error)) return rethrow(error);
      // Nothing was written: the lease had run out before we noticed.
      this.#lease.lost(lease);
      return this.transact(checks, writes);
    }
  }

  watch(prefix: string, events: NamingEvents): () => void {
    assert(this.#closing === undefined, "the naming service is closed");
    const watch = new EtcdWatch({
      client: this.#client,
      timers: this.#timers,
      random: this.#random,
      root: this.#root,
      prefix,
      events,
    });
    this.#watches.add(watch);
    return () => {
      watch.stop();
      this.#watches.delete(watch);
    };
  }

  async close(): Promise<void> {
    this.#closing ??= (async () => {
      for (const watch of this.#watches) watch.stop();
      this.#watches.clear();
      await this.#lease.close();
      this.#transport.close();
    })();
    await this.#closing;
  }

  #transactionBody(
    checks: readonly NamingCheck[],
    writes: readonly NamingWrite[],
    lease: string | undefined,
  ): object {
    const wireKey = (key: string): string => encodeText(this.#root + key);
    return {
      compare: checks.map(({ key, revision }) => ({
        key: wireKey(key),
        target: "MOD",
        result: "EQUAL",
        mod_revision: String(revision),
      })),
      success: writes.map(({ key, value, isLeased }) =>
        value === undefined
          ? { request_delete_range: { key: wireKey(key) } }
          : {
              request_put: {
                key: wireKey(key),
                value: encodeText(value),
                ...(isLeased && { lease }),
              },
            },
      ),
    };
  }

  async #call<T extends object>(path: string, body: object, kind: "repeatable"): Promise<T> {
    return this.#client.call<T>(path, body, kind).catch(rethrow);
  }
}

/** Failures of etcd's own become errors of the port. */
function rethrow(error: unknown): never {
  throw error instanceof EtcdFailure ? namingErrorOf(error) : error;
}
