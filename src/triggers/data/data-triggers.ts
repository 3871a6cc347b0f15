import { hlcToMs } from "../../core/hlc.js";
import type { KeygroupName } from "../../core/ids.js";
import type { RowWrite } from "../../core/rows.js";
import type { SendOrigin } from "../../keygroups/asker.js";
import type { Keygroup } from "../../keygroups/keygroup.js";
import type { ChangeStep, KeyChange, Reaction, Reactions } from "../../keygroups/reactions.js";
import type { Clock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { KeygroupTrigger, TriggerBook } from "../trigger-book.js";
import type { ChangeEvent } from "./change-event.js";
import { PendingQueue } from "./pending-queue.js";
import { rowsOfTrigger, triggerOfRow, TRIGGER_ROWS } from "./pending-rows.js";
import { ReplicaTrigger, type EventOutbox } from "./replica-trigger.js";

/** The call for a write, to be stored with it. */
export interface OriginEvent {
  readonly trigger: KeygroupTrigger;
  readonly event: ChangeEvent;
  /** Whose write it was, if it is known. */
  readonly origin: SendOrigin | undefined;
}

/** What {@link DataTriggers} work with. */
export interface DataTriggersOptions {
  readonly book: TriggerBook;
  readonly node: string;
  /** The keygroups that serve here. */
  readonly keygroups: () => readonly Keygroup[];
  /** The trigger's function may listen to its keygroup now. */
  readonly mayListen: (trigger: KeygroupTrigger) => boolean;
  /** Of the replicas of the keygroup, the one here is to tell for all. */
  readonly isChosen: (trigger: KeygroupTrigger) => boolean;
  /** Local rows of the calls for writes, in the store of a keygroup. */
  readonly prepare: (keygroup: KeygroupName, events: readonly OriginEvent[]) => Reaction;
  readonly outbox: EventOutbox;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** How often is looked whether a replica serves now, or another one is chosen: only while there are triggers. */
const LOOK_MS = 500;
const DROP_ROWS = 500;
const NOTHING: Reaction = { writes: [], committed: () => {} };

/** The triggers on keygroups, as this node meets them. */
export class DataTriggers {
  readonly #options: DataTriggersOptions;
  readonly #reactions = new Map<KeygroupName, KeygroupReactions>();
  /** Those at `every` or `one`, by trigger and replica. */
  readonly #running = new Map<
    string,
    { readonly keygroup: Keygroup; readonly of: ReplicaTrigger }
  >();
  /** One for all that put changes in or take them out. */
  readonly #queues = new Map<string, PendingQueue>();
  /** Keygroups that were looked through for rows of triggers that are gone. */
  readonly #tidied = new WeakSet<Keygroup>();
  readonly #unsubscribe: () => void;
  #stopTimer: (() => void) | undefined;
  #isOpen = false;

  constructor(options: DataTriggersOptions) {
    this.#options = options;
    this.#unsubscribe = options.book.subscribe(() => {
      this.#reactions.clear();
      this.look();
    });
  }

  /** `undefined` = nobody listens to the keygroup: its commits have nothing to do with triggers. */
  reactionsOf(name: KeygroupName): Reactions | undefined {
    const known = this.#reactions.get(name);
    if (known) return known;
    const triggers = this.#options.book.ofKeygroup(name);
    if (triggers.length === 0) return undefined;
    const made = new KeygroupReactions(name, triggers, this.#options, {
      queueOf: (id) => this.#queueOf(name, id),
      noted: (id) => this.#lookAt(id),
    });
    this.#reactions.set(name, made);
    return made;
  }

  /** Begins to tell of what waits. */
  open(): void {
    this.#isOpen = true;
    this.look();
  }

  /** Looks at everything: a replica may serve now, another node may be chosen, a trigger may be gone. */
  look(): void {
    if (!this.#isOpen) return;
    const wanted = new Map<string, { keygroup: Keygroup; trigger: KeygroupTrigger }>();
    for (const keygroup of this.#options.keygroups()) {
      const { generation, epoch } = keygroup.replica.identity;
      for (const trigger of this.#options.book.ofKeygroup(keygroup.name)) {
        if (trigger.at === "origin") continue;
        wanted.set(`${trigger.id} ${generation} ${epoch}`, { keygroup, trigger });
      }
    }
    for (const [key, { keygroup, of }] of this.#running) {
      if (wanted.get(key)?.keygroup === keygroup) continue;
      of.close();
      this.#running.delete(key);
      this.#tidied.delete(keygroup);
    }
    for (const keygroup of this.#options.keygroups()) {
      if (!this.#tidied.has(keygroup)) this.#tidy(keygroup);
    }
    for (const [key, { keygroup, trigger }] of wanted) {
      const running = this.#running.get(key) ?? { keygroup, of: this.#start(keygroup, trigger) };
      this.#running.set(key, running);
      running.of.look();
    }
    this.#lookLater();
  }

  /** Tells no more. */
  close(): void {
    this.#isOpen = false;
    this.#unsubscribe();
    this.#stopTimer?.();
    for (const { of } of this.#running.values()) of.close();
  }

  #start(keygroup: Keygroup, trigger: KeygroupTrigger): ReplicaTrigger {
    const { node, outbox, mayListen, isChosen, clock, timers, logger } = this.#options;
    return new ReplicaTrigger({
      trigger,
      queue: this.#queueOf(keygroup.name, trigger.id),
      keygroup,
      node,
      outbox,
      mayListen: () => mayListen(trigger),
      isChosen: () => trigger.at === "every" || isChosen(trigger),
      clock,
      timers,
      logger,
    });
  }

  #queueOf(keygroup: KeygroupName, id: string): PendingQueue {
    const key = `${keygroup} ${id}`;
    const queue = this.#queues.get(key) ?? new PendingQueue(id);
    this.#queues.set(key, queue);
    return queue;
  }

  #lookAt(id: string): void {
    for (const [key, { of }] of this.#running) if (key.startsWith(id)) of.look();
  }

  #lookLater(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    const isWanted = this.#options.book.all().some(({ cause, at }) => {
      return cause.kind === "keygroup" && at !== "origin";
    });
    if (isWanted) this.#stopTimer = this.#options.timers.after(LOOK_MS, () => this.look());
  }

  /** Drops what waits for triggers that are gone. */
  #tidy(keygroup: Keygroup): void {
    this.#tidied.add(keygroup);
    const known = new Set(this.#options.book.ofKeygroup(keygroup.name).map(({ id }) => id));
    let start: Uint8Array = TRIGGER_ROWS.start;
    for (;;) {
      const [row] = keygroup.rows.range({ start, end: TRIGGER_ROWS.end, limit: 1 });
      if (!row) return;
      const id = triggerOfRow(row.key);
      if (!known.has(id)) void this.#drop(keygroup, id);
      start = rowsOfTrigger(id).end;
    }
  }

  async #drop(keygroup: Keygroup, id: string): Promise<void> {
    const { logger, book } = this.#options;
    try {
      let dropped: number;
      do {
        // It may be deployed again meanwhile.
        if (book.ofKeygroup(keygroup.name).some((trigger) => trigger.id === id)) return;
        dropped = await keygroup.commitLocal((transaction) => {
          const rows = transaction.range({ ...rowsOfTrigger(id), limit: DROP_ROWS });
          const writes = rows.map(({ key }): RowWrite => ({ key, value: undefined }));
          return { writes, value: writes.length };
        });
      } while (dropped > 0);
    } catch (error) {
      logger.debug({ error: String(error) }, "what waited for a trigger could not be dropped");
    }
  }
}

/** Where changes wait that are not told in their commit. */
interface Waiting {
  readonly queueOf: (id: string) => PendingQueue;
  readonly noted: (id: string) => void;
}

/** What is stored with the changes of one keygroup: calls of its origin, and what waits for the others. */
class KeygroupReactions implements Reactions {
  readonly #keygroup: KeygroupName;
  readonly #options: DataTriggersOptions;
  readonly #triggers: readonly { readonly trigger: KeygroupTrigger; readonly prefix: Buffer }[];
  readonly #waiting: Waiting;

  constructor(
    keygroup: KeygroupName,
    triggers: readonly KeygroupTrigger[],
    options: DataTriggersOptions,
    waiting: Waiting,
  ) {
    this.#keygroup = keygroup;
    this.#options = options;
    this.#waiting = waiting;
    this.#triggers = triggers.map((trigger) => ({
      trigger,
      prefix: Buffer.from(trigger.cause.prefix, "utf8"),
    }));
  }

  wants(key: Uint8Array): boolean {
    return this.#triggers.some(({ prefix }) => hasPrefix(key, prefix));
  }

  keepsDepth(key: Uint8Array): boolean {
    return this.#triggers.some(
      ({ trigger, prefix }) => trigger.at !== "origin" && hasPrefix(key, prefix),
    );
  }

  to(changes: readonly KeyChange[], step: ChangeStep): Reaction {
    const { mayListen } = this.#options;
    const reactions = this.#triggers.flatMap(({ trigger, prefix }): Reaction[] => {
      const meant = changes.filter(({ key }) => hasPrefix(key, prefix));
      if (meant.length === 0 || !mayListen(trigger)) return [];
      if (trigger.at !== "origin") return [this.#noteFor(trigger, meant, step)];
      return step.isOwn ? [this.#tell(trigger, meant, step)] : [];
    });
    if (reactions.length === 0) return NOTHING;
    return {
      writes: reactions.flatMap(({ writes }) => writes),
      committed: () => {
        for (const { committed } of reactions) committed();
      },
    };
  }

  #tell(trigger: KeygroupTrigger, changes: readonly KeyChange[], { origin }: ChangeStep): Reaction {
    const { node, prepare } = this.#options;
    const events = changes.map(({ key, before, after, version, hlc }) => {
      const [keygroup, text] = [this.#keygroup, key.toString("utf8")];
      const told = { keygroup, key: text, value: after, old: before };
      const event = { ...told, version, node, atMs: hlcToMs(hlc) };
      return { trigger, event, origin };
    });
    return prepare(this.#keygroup, events);
  }

  #noteFor(
    { id }: KeygroupTrigger,
    changes: readonly KeyChange[],
    { reader }: ChangeStep,
  ): Reaction {
    const queue = this.#waiting.queueOf(id);
    // What takes effect at once, as all that a catch-up brings, waits in the order in which it was written.
    const inOrder = changes.toSorted((left, right) => left.hlc - right.hlc);
    const writes = inOrder.flatMap(({ key, before, dots }) =>
      queue.add(reader, { key: key.toString("utf8"), before, dots }),
    );
    return { writes, committed: () => this.#waiting.noted(id) };
  }
}

function hasPrefix(key: Uint8Array, prefix: Buffer): boolean {
  return key.length >= prefix.length && prefix.equals(key.subarray(0, prefix.length));
}
