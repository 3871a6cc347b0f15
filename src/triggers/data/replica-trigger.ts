// Why so long: what waits, what is under way and what is told of it are one bookkeeping, in one order.

import { hlcToMs } from "../../core/hlc.js";
import { decodeItem, dotsOf, type Version } from "../../core/item.js";
import { equalDots, type Dot } from "../../core/dot.js";
import { INTERNAL_KEY_PREFIX, itemKeyOf, ROW_PREFIX, successor } from "../../core/rows.js";
import type { Vector } from "../../core/vector.js";
import { versionToken } from "../../core/visible.js";
import type { Keygroup } from "../../keygroups/keygroup.js";
import { depthItemKey } from "../../keygroups/keys.js";
import { shownOf } from "../../keygroups/shown.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Transaction } from "../../ports/storage.js";
import type { Timers } from "../../ports/timers.js";
import type { KeygroupTrigger } from "../trigger-book.js";
import type { ChangeEvent } from "./change-event.js";
import { handledItem, readHandled } from "./handled-vector.js";
import { decodeMarker, encodeMarker, markerRowKey, type PendingChange } from "./pending-rows.js";
import type { PendingQueue } from "./pending-queue.js";

/** The call for one change, to be made by an outbox. */
export interface ReplicaEvent {
  readonly trigger: KeygroupTrigger;
  readonly event: ChangeEvent;
  /** Calls and sends above the write. */
  readonly depth: number;
}

/** Where calls of functions are stored, to be made later. */
export interface EventOutbox {
  /** How many more calls of the function may wait. */
  roomFor(name: string): number;
  /** Rows of calls in the store of a keygroup, their names, and what takes them up once committed. */
  prepare(
    keygroup: Keygroup["name"],
    events: readonly ReplicaEvent[],
  ): {
    readonly ids: readonly string[];
    readonly writes: readonly {
      readonly key: Uint8Array;
      readonly value: Uint8Array | undefined;
    }[];
    readonly committed: () => void;
  };
  /** Calls `ended` once the call has ended, well or not; false if it is not under way (any more). */
  whenEnded(id: string, ended: () => void): boolean;
}

/** What a {@link ReplicaTrigger} works with. */
export interface ReplicaTriggerOptions {
  readonly trigger: KeygroupTrigger;
  readonly queue: PendingQueue;
  readonly keygroup: Keygroup;
  readonly node: string;
  readonly outbox: EventOutbox;
  /** The function may listen to the keygroup now. */
  readonly mayListen: () => boolean;
  /** This replica is to tell; for a trigger at `one` at most one is, as far as the nodes agree. */
  readonly isChosen: () => boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Changes under way at once: they are handled one after the other, and waiting ones may be superseded. */
const UNDER_WAY_MAX = 16;
const PAGE_ROWS = 200;
/** What is handled is told to the other replicas that often at most. */
const TELL_MS = 200;

interface Mark {
  /** All changes that the vector covers have lower places. */
  readonly place: number;
  readonly vector: Vector;
}

/**
 * One trigger at `every` or `one` at one replica: tells its function the newest value of each key that
 * has changed here, in the order in which they took effect.
 *
 * Invariants: 1. A change leaves the queue only when a call with it, or with a newer one of its key, has
 * ended, or when the replica that tells for all says so of its commits. 2. What is said so is only what
 * was handled here or elsewhere: see `handled-vector.ts`.
 */
export class ReplicaTrigger {
  readonly #options: ReplicaTriggerOptions;
  /** Places of what is under way. */
  readonly #underWay = new Set<number>();
  #ended: number[] = [];
  #marks: Mark[] = [];
  /** Behind the last change that was sent; `undefined` until those of the run before are found. */
  #nextPlace: number | undefined;
  #toldMs = -Infinity;
  #isBusy = false;
  #isAgain = false;
  #isClosed = false;

  constructor(options: ReplicaTriggerOptions) {
    this.#options = options;
  }

  /** Does what can be done now. To be called whenever something may have changed, and now and then. */
  look(): void {
    if (this.#isClosed) return;
    this.#isAgain = true;
    if (this.#isBusy) return;
    this.#isBusy = true;
    void this.#work();
  }

  /** Does nothing more. */
  close(): void {
    this.#isClosed = true;
  }

  async #work(): Promise<void> {
    try {
      while (this.#isAgain && !this.#isClosed) {
        this.#isAgain = false;
        await this.#turn();
      }
    } catch (error) {
      // It is looked again; a full disk or a store that closes ends by itself.
      const { trigger, keygroup, logger } = this.#options;
      const detail = { function: trigger.function, keygroup: keygroup.name, error: String(error) };
      if (!this.#isClosed) logger.warn(detail, "what changed could not be told yet");
    } finally {
      this.#isBusy = false;
    }
  }

  async #turn(): Promise<void> {
    const { keygroup, trigger, mayListen, isChosen } = this.#options;
    if (!keygroup.isServing || keygroup.isLeaving) return;
    if (!(await this.#isComplete())) return;
    this.#findSent();
    await this.#removeEnded();
    if (trigger.at === "one") await this.#removeHandled();
    if (mayListen() && isChosen()) await this.#send();
    if (trigger.at === "one") await this.#tellHandled();
  }

  /**
   * True once everything that has changed since the trigger was deployed waits here. What this replica got
   * before it heard of the trigger, or while it joined, is looked for in all keys, once.
   */
  async #isComplete(): Promise<boolean> {
    const { keygroup, queue } = this.#options;
    const { generation, epoch } = keygroup.replica.identity;
    const row = keygroup.rows.get(markerRowKey(queue.id));
    const known = row && decodeMarker(row);
    if (known?.generation === generation && known.epoch === epoch) return true;
    const missed = await this.#missed();
    const first = queue.firstPlace(keygroup.rows) ?? queue.nextPlace(keygroup.rows);
    let place = first - missed.length;
    for (let at = 0; at < missed.length; at += PAGE_ROWS) {
      await keygroup.commitLocal((transaction) => {
        const writes = missed.slice(at, at + PAGE_ROWS).flatMap(({ key }) => {
          const dots = dotsOf(this.#read(transaction, key).versions);
          return queue.addMissed(transaction, place++, key.toString("utf8"), dots);
        });
        return { writes, value: undefined };
      });
      if (this.#isClosed) return false;
    }
    const marker = { key: markerRowKey(queue.id), value: encodeMarker({ generation, epoch }) };
    await keygroup.commitLocal(() => ({ writes: [marker], value: undefined }));
    return true;
  }

  /** Keys with changes since the deploy, in the order of their times. */
  async #missed(): Promise<{ readonly key: Buffer; readonly hlc: number }[]> {
    const { keygroup, trigger, queue, timers } = this.#options;
    const handled = readHandled(keygroup.replica, keygroup.rows, queue.id);
    const prefix = Buffer.from(trigger.cause.prefix, "utf8");
    const end = Buffer.of(ROW_PREFIX.item, INTERNAL_KEY_PREFIX);
    let start: Uint8Array = Buffer.concat([Buffer.of(ROW_PREFIX.item), prefix]);
    const missed: { key: Buffer; hlc: number }[] = [];
    for (;;) {
      const page = keygroup.rows.range({ start, end, limit: PAGE_ROWS });
      for (const row of page) {
        const key = Buffer.from(itemKeyOf(row.key));
        if (!prefix.equals(key.subarray(0, prefix.length))) return byTime(missed);
        const { versions } = this.#shown(decodeItem(row.value));
        const hlc = Math.max(0, ...versions.map((version) => version.hlc));
        const isHandled = trigger.at === "one" && handled.coversAll(dotsOf(versions));
        if (hlcToMs(hlc) >= trigger.sinceMs && !isHandled) missed.push({ key, hlc });
      }
      const last = page.at(-1);
      if (page.length < PAGE_ROWS || !last) return byTime(missed);
      start = successor(last.key);
      await new Promise<void>((resolve) => void timers.after(0, resolve));
      if (this.#isClosed) return [];
    }
  }

  /** What was sent before the node began anew is under way, or has ended. */
  #findSent(): void {
    if (this.#nextPlace !== undefined) return;
    const { keygroup, queue, outbox } = this.#options;
    let [from, first] = [0, undefined as number | undefined];
    for (;;) {
      const page = queue.from(keygroup.rows, from, PAGE_ROWS);
      for (const { place, change } of page) {
        from = place + 1;
        if (change.sent === undefined) {
          first ??= place;
          continue;
        }
        this.#underWay.add(place);
        if (!outbox.whenEnded(change.sent, () => this.#noteEnded(place))) this.#ended.push(place);
      }
      if (page.length < PAGE_ROWS) break;
    }
    this.#nextPlace = first ?? from;
    this.#marks.push({
      place: queue.nextPlace(keygroup.rows),
      vector: keygroup.replica.vector.clone(),
    });
  }

  #noteEnded(place: number): void {
    this.#ended.push(place);
    this.look();
  }

  async #removeEnded(): Promise<void> {
    if (this.#ended.length === 0) return;
    const { keygroup, queue } = this.#options;
    const ended = this.#ended;
    this.#ended = [];
    try {
      await keygroup.commitLocal((transaction) => ({
        writes: ended.flatMap((place) => queue.remove(transaction, place)),
        value: undefined,
      }));
    } catch (error) {
      this.#ended.push(...ended);
      throw error;
    }
    for (const place of ended) this.#underWay.delete(place);
  }

  /** Takes out what the replica that tells for all has handled. */
  async #removeHandled(): Promise<void> {
    const { keygroup, queue } = this.#options;
    const { rows, replica } = keygroup;
    if (queue.firstPlace(rows) === undefined) return;
    const handled = readHandled(replica, rows, queue.id);
    let from = 0;
    for (;;) {
      const page = queue.from(rows, from, PAGE_ROWS);
      const done = page.filter(
        ({ place, change }) => !this.#underWay.has(place) && handled.coversAll(change.dots),
      );
      if (done.length > 0) {
        await keygroup.commitLocal((transaction) => ({
          writes: done.flatMap(({ place }) => queue.remove(transaction, place)),
          value: undefined,
        }));
      }
      const last = page.at(-1);
      if (page.length < PAGE_ROWS || !last) return;
      from = last.place + 1;
    }
  }

  async #send(): Promise<void> {
    const { keygroup, queue, trigger, outbox } = this.#options;
    const name = trigger.function;
    for (;;) {
      const room = Math.min(UNDER_WAY_MAX - this.#underWay.size, outbox.roomFor(name));
      if (room <= 0 || this.#isClosed) return;
      const from = this.#nextPlace ?? 0;
      if (queue.from(keygroup.rows, from, 1).length === 0) return;
      const sent = await keygroup.commitLocal((transaction) => {
        const page = queue.from(transaction, from, room);
        const waiting = page.filter(({ change }) => change.sent === undefined);
        const events = waiting.map(({ change }) => this.#eventOf(transaction, change));
        const { ids, writes, committed } = outbox.prepare(keygroup.name, events);
        const notes = waiting.map(({ place, change }, at) =>
          queue.sent(place, change, ids[at] as string),
        );
        const calls = waiting.map(({ place }, at) => ({ place, id: ids[at] as string }));
        const mark = {
          place: queue.nextPlace(transaction),
          vector: keygroup.replica.vector.clone(),
        };
        const next = (page.at(-1)?.place ?? from - 1) + 1;
        return { writes: [...writes, ...notes], value: { calls, committed, mark, next } };
      });
      sent.committed();
      this.#nextPlace = sent.next;
      for (const { place, id } of sent.calls) {
        this.#underWay.add(place);
        if (!outbox.whenEnded(id, () => this.#noteEnded(place))) this.#noteEnded(place);
      }
      if (trigger.at === "one") this.#marks.push(sent.mark);
    }
  }

  #eventOf(transaction: Transaction, { key, old, isOldLeftOut }: PendingChange): ReplicaEvent {
    const { trigger, node, keygroup } = this.#options;
    const bytes = Buffer.from(key, "utf8");
    const { value, versions } = this.#read(transaction, bytes);
    const atMs = Math.max(0, ...versions.map(({ hlc }) => hlcToMs(hlc)));
    const event = {
      keygroup: keygroup.name,
      key,
      value,
      old,
      isOldLeftOut,
      version: versionToken(versions),
      node,
      atMs,
    };
    return { trigger, event, depth: this.#depthOf(transaction, bytes, dotsOf(versions)) };
  }

  /** How deep the call was that wrote these versions of a key. */
  #depthOf(transaction: Transaction, key: Buffer, dots: readonly Dot[]): number {
    const noted = this.#options.keygroup.replica.read(transaction, depthItemKey(key));
    const depths = noted
      .filter(({ dot }) => dots.some((other) => equalDots(other, dot)))
      .map(({ value }) => Number(Buffer.from(value.bytes).toString("utf8")));
    return Math.max(0, ...depths);
  }

  /** Tells the other replicas what they need not tell, when there is more of that. */
  async #tellHandled(): Promise<void> {
    const { keygroup, queue, clock, timers } = this.#options;
    const first = queue.firstPlace(keygroup.rows) ?? Infinity;
    const reached = this.#marks.filter(({ place }) => place <= first);
    const last = reached.at(-1);
    if (!last) return;
    const waitMs = this.#toldMs + TELL_MS - clock.monotonicMs();
    if (waitMs > 0) {
      timers.after(waitMs, () => this.look());
      return;
    }
    await keygroup.commitItems((transaction) => {
      const handled = readHandled(keygroup.replica, transaction, queue.id);
      if (handled.includes(last.vector)) return [];
      handled.join(last.vector);
      return [handledItem(queue.id, handled)];
    });
    this.#toldMs = clock.monotonicMs();
    this.#marks = this.#marks.filter((mark) => !reached.includes(mark));
  }

  #read(reader: Transaction, key: Buffer) {
    return this.#shown(this.#options.keygroup.replica.read(reader, key));
  }

  /** What is shown, or what is there where nothing is: a deletion. */
  #shown(all: readonly Version[]) {
    const { keygroup, clock } = this.#options;
    const { replica } = keygroup;
    const shown = shownOf(replica.policy, all, replica.nowMs(clock.nowMs()));
    return { value: shown?.value, versions: shown?.versions ?? all };
  }
}

function byTime(missed: { key: Buffer; hlc: number }[]) {
  return missed.sort((left, right) => left.hlc - right.hlc);
}
