import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";

import { parseKeygroupName, type KeygroupName } from "../core/ids.js";
import { TAG, type TypedValue } from "../core/value.js";
import type { EnokiNode } from "../node/node.js";

/** What a node of a row is asked for, as one line of JSON. */
export interface Question {
  readonly id: number;
  readonly task: keyof ReplicaWork;
  readonly options: unknown;
}

/** Its answer. */
export interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** What a node of a row can do. Times are of the monotonic clock, which all processes of a machine share. */
export type ReplicaWork = ReturnType<typeof replicaWork>;

/** Writes that one turn brings, as 32 connections do. */
const WRITES_PER_TURN = 32;
/** Nobody writes faster than its link takes it. */
const BACKLOG_BYTES_MAX = 2 * 1024 * 1024;
const BACKLOG_LOOK_EVERY = 32;
const POLL_MS = 1;
const WATCHED_PREFIX = "watched/";

/** Makes what `node` can be asked for. */
export function replicaWork(node: EnokiNode) {
  const open = (keygroup: string) => node.keygroups.find(parseKeygroupName(keygroup));
  const metricsOf = (keygroup: string) => {
    const replicator = node.replicatorOf(keygroup as KeygroupName);
    if (!replicator) throw new Error(`nobody replicates "${keygroup}"`);
    return replicator.metrics();
  };
  return {
    /** Makes a keygroup, or joins it; resolves with how long it took until it serves, in ms. */
    async join({ keygroup }: { readonly keygroup: string }): Promise<number> {
      const startMs = performance.now();
      await node.keygroups.ensure(parseKeygroupName(keygroup));
      while (!open(keygroup).isServing) await delay(POLL_MS);
      return performance.now() - startMs;
    },

    /** Gives the replica up, once the others have everything. */
    async leave({ keygroup }: { readonly keygroup: string }): Promise<void> {
      await node.keygroups.leave(parseKeygroupName(keygroup));
    },

    /** How many keys the replica here holds. */
    async count({ keygroup }: { readonly keygroup: string }): Promise<{ readonly keys: number }> {
      const { keys } = await open(keygroup).describe();
      return { keys };
    },

    /** Resolves once `members` others are linked and serve. */
    async linked({ keygroup, members }: { readonly keygroup: string; readonly members: number }) {
      const isSo = (): boolean =>
        metricsOf(keygroup).peers.filter(({ isServing }) => isServing).length >= members;
      while (!isSo()) await delay(POLL_MS);
    },

    /** Writes `count` values to `keys` keys in turn, as fast as the links take them. */
    async write(options: {
      readonly keygroup: string;
      readonly count: number;
      readonly keys: number;
      readonly valueBytes: number;
    }): Promise<void> {
      const { keygroup, count, keys, valueBytes } = options;
      const replica = open(keygroup);
      const value: TypedValue = { tag: TAG.bytes, bytes: new Uint8Array(valueBytes).fill(0x78) };
      for (let at = 0, turn = 0; at < count; turn++) {
        const writes: Promise<unknown>[] = [];
        for (let i = 0; i < WRITES_PER_TURN && at < count; i++, at++) {
          writes.push(replica.write({ writes: [{ op: "set", key: `key/${at % keys}`, value }] }));
        }
        await Promise.all(writes);
        if (turn % BACKLOG_LOOK_EVERY !== 0) continue;
        while (metricsOf(keygroup).peers.some(({ outboxBytes }) => outboxBytes > BACKLOG_BYTES_MAX))
          await nextTurn();
      }
    },

    /** Waits for `count` updates of others; resolves with how many it applied per second, also by halves. */
    async applied(options: { readonly keygroup: string; readonly count: number }) {
      const { keygroup, count } = options;
      const read = (): number => metricsOf(keygroup).counts.updatesAppliedTotal;
      const base = read();
      const seen: { readonly applied: number; readonly atMs: number }[] = [];
      for (let applied = 0; applied < count;) {
        await delay(POLL_MS);
        applied = read() - base;
        if (applied > (seen.at(-1)?.applied ?? 0)) seen.push({ applied, atMs: performance.now() });
      }
      return ratesOf(seen, count);
    },

    /** Writes `count` values, one every other millisecond; resolves with when each was acknowledged, in µs. */
    async pace(options: { readonly keygroup: string; readonly count: number }): Promise<number[]> {
      const { keygroup, count } = options;
      const replica = open(keygroup);
      const acknowledgedUs: number[] = [];
      for (let i = 0; i < count; i++) {
        const value = { tag: TAG.str, bytes: Buffer.from(String(i).padEnd(100)) };
        const key = `${WATCHED_PREFIX}${i}`;
        await replica.write({ writes: [{ op: "set", key, value }] });
        acknowledgedUs.push(nowUs());
        await delay(1 + (i % 3));
      }
      return acknowledgedUs;
    },

    /** Waits for what `pace` writes; resolves with when each could be read here, in µs. */
    async watch(options: { readonly keygroup: string; readonly count: number }): Promise<number[]> {
      const { keygroup, count } = options;
      const visibleUs: number[] = [];
      let left = count;
      await new Promise<void>((resolve) => {
        const end = open(keygroup).watch({ prefix: WATCHED_PREFIX }, ({ key }) => {
          visibleUs[Number(key.slice(WATCHED_PREFIX.length))] = nowUs();
          left -= 1;
          if (left > 0) return;
          end();
          resolve();
        });
      });
      return visibleUs;
    },

    /** The round trip of the link to the nearest other node, in ms; `null` while nobody knows. */
    async roundTripMs(): Promise<number | null> {
      const trips = node.cluster?.links.peers().map((peer) => peer.roundTripMs) ?? [];
      return trips.find((trip) => trip !== undefined) ?? null;
    },
  };
}

/** Rates between the first sample and the last, as a whole and by halves of `count`. */
function ratesOf(
  seen: readonly { readonly applied: number; readonly atMs: number }[],
  count: number,
): { readonly perS: number; readonly halvesPerS: readonly [number, number] } {
  const at = (applied: number) => seen.find((sample) => sample.applied >= applied) ?? seen.at(-1)!;
  const rate = (from: number, to: number): number => {
    const [first, last] = [at(from), at(to)];
    return ((last.applied - first.applied) / (last.atMs - first.atMs)) * 1000;
  };
  return { perS: rate(1, count), halvesPerS: [rate(1, count / 2), rate(count / 2, count)] };
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
