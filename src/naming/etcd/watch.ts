import { EnokiError } from "../../core/errors.js";
import type { NamingEvents } from "../../ports/naming.js";
import type { Timers } from "../../ports/timers.js";
import type { EtcdClient } from "./client.js";
import { EtcdFailure, namingErrorOf } from "./failure.js";
import type { EtcdStream } from "./transport.js";
import {
  entryOf,
  parseWire,
  rangeOf,
  revisionOf,
  transactionsOf,
  type WireRange,
  type WireWatch,
} from "./wire.js";

/** What a watch works with. */
export interface EtcdWatchOptions {
  readonly client: EtcdClient;
  readonly timers: Timers;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
  readonly root: string;
  readonly prefix: string;
  readonly events: NamingEvents;
}

const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 2000;

/**
 * Follows a prefix for ever. It reads everything at one revision and watches from the next; a broken
 * stream is taken up after the last transaction that was told.
 *
 * Invariants: 1. every transaction up to `#next` has been told, in order, once, or lay in a reset.
 * 2. `#next` is moved by events and reads only. why: an etcd before 3.4.25 may send a notice of
 * progress ahead of the events before it, so none is asked for; a quiet watch that meets a compaction
 * reads anew, which is always right. 3. A stream begins one revision below `#next`. why: an etcd
 * before 3.4.33 that was compacted at the very revision of a deletion tells a watch from there on
 * nothing of it; from one below, the same watch is refused, and reads.
 */
export class EtcdWatch {
  readonly #options: EtcdWatchOptions;
  readonly #prefix: string;
  /** Revision to watch from; `undefined` = read everything first. */
  #next: number | undefined;
  #cluster: string | undefined;
  #stream: EtcdStream | undefined;
  #toldReachable: boolean | undefined;
  #isStopped = false;
  #wake: (() => void) | undefined;

  constructor(options: EtcdWatchOptions) {
    this.#options = options;
    this.#prefix = options.root + options.prefix;
    void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stream?.close();
    this.#wake?.();
  }

  /** Hears how the connection is: a silent stream is given up, and a pause is cut short. */
  beaten(isReachable: boolean): void {
    if (isReachable && this.#stream === undefined) this.#wake?.();
    if (this.#stream === undefined) return;
    if (isReachable && this.#stream.endpoint === this.#options.client.endpoint) return;
    this.#stream.close();
    if (!isReachable) this.#tellReachable(false);
  }

  async #run(): Promise<void> {
    let pauseMs = PAUSE_MS_MIN;
    while (!this.#isStopped) {
      try {
        const read = this.#next === undefined ? await this.#readAll() : undefined;
        await this.#follow(read, () => (pauseMs = PAUSE_MS_MIN));
      } catch (error) {
        if (!(error instanceof EnokiError || error instanceof EtcdFailure)) throw error;
        this.#tellReachable(false, error instanceof EnokiError ? error : namingErrorOf(error));
      }
      if (this.#isStopped) return;
      await this.#pause(pauseMs * (0.5 + this.#options.random()));
      pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
    }
  }

  /** Tells everything anew; resolves with the revision that it was read at. */
  async #readAll(): Promise<number> {
    const answer = await this.#options.client.call<WireRange>(
      "/v3/kv/range",
      rangeOf(this.#prefix),
      "repeatable",
    );
    const revision = revisionOf(answer.header?.revision);
    if (this.#isStopped) return revision;
    this.#next = revision + 1;
    this.#cluster = answer.header?.cluster_id;
    this.#options.events.reset((answer.kvs ?? []).map((kv) => entryOf(this.#options.root, kv)));
    return revision;
  }

  /** Watches until the stream ends. @throws EnokiError if it does not even begin */
  async #follow(justRead: number | undefined, begun: () => void): Promise<void> {
    const from = this.#next;
    if (this.#isStopped || from === undefined) return;
    const stream = await this.#options.client.stream("/v3/watch", {
      create_request: { ...rangeOf(this.#prefix), start_revision: String(Math.max(1, from - 1)) },
    });
    if (this.#isStopped) {
      stream.close();
      return;
    }
    this.#stream = stream;
    await new Promise<void>((resolve, reject) => {
      let wrong: unknown;
      stream.read(
        (line) => {
          if (this.#isStopped || wrong !== undefined) return;
          try {
            if (this.#hear(line, justRead)) begun();
          } catch (error) {
            wrong = error;
            stream.close();
          }
        },
        () => (wrong === undefined ? resolve() : reject(wrong)),
      );
    }).finally(() => (this.#stream = undefined));
  }

  /** Takes one line; true if the watch stands. @throws EtcdFailure if it has to begin otherwise */
  #hear(line: string, justRead: number | undefined): boolean {
    const wire = parseWire<WireWatch>(line);
    const { result } = wire;
    if (result === undefined) {
      throw new EtcdFailure("lost", wire.error?.message ?? "the watch ended");
    }
    if (result.compact_revision !== undefined) {
      this.#next = undefined;
      this.#stream?.close();
      return true;
    }
    if (result.canceled) {
      // A token that etcd has forgotten is answered like a right that is missing.
      this.#options.client.forgetToken();
      throw new EtcdFailure("lost", result.cancel_reason ?? "the watch was cancelled");
    }
    if (result.created) {
      if (justRead === undefined && this.#hasGoneBack(wire)) {
        this.#next = undefined;
        this.#stream?.close();
        return true;
      }
      this.#tellReachable(true);
    }
    for (const transaction of transactionsOf(this.#options.root, wire)) {
      const revision = transaction[0]?.revision ?? 0;
      if (revision < (this.#next ?? 0)) continue;
      this.#next = revision + 1;
      this.#options.events.changed(transaction);
      if (this.#isStopped) break;
    }
    return true;
  }

  /** True if this is not the history we know: restored from a backup, or made anew. */
  #hasGoneBack({ result }: WireWatch): boolean {
    const cluster = result?.header?.cluster_id;
    const revision = revisionOf(result?.header?.revision);
    return cluster !== this.#cluster || (revision > 0 && revision < (this.#next ?? 0) - 1);
  }

  #tellReachable(isReachable: boolean, cause?: EnokiError): void {
    if (this.#isStopped || this.#toldReachable === isReachable) return;
    this.#toldReachable = isReachable;
    this.#options.events.reachable(isReachable, cause);
  }

  async #pause(pauseMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.timers.after(pauseMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
