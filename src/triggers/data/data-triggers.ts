import type { KeygroupName } from "../../core/ids.js";
import type { OutboxEvent } from "../../functions/outbox/outbox-message.js";
import type { ChangeStep, KeyChange, Reaction, Reactions } from "../../keygroups/reactions.js";
import type { KeygroupTrigger, TriggerBook } from "../trigger-book.js";
import { changeCall } from "./change-calls.js";

/** What {@link DataTriggers} work with. */
export interface DataTriggersOptions {
  readonly book: TriggerBook;
  readonly node: string;
  /** The trigger's function may listen to that keygroup now. */
  readonly mayListen: (trigger: KeygroupTrigger) => boolean;
  /** Local rows of calls, in the store of a keygroup. */
  readonly prepare: (keygroup: KeygroupName, events: readonly OutboxEvent[]) => Reaction;
}

/** The triggers on keygroups, as the commits of this node meet them. */
export class DataTriggers {
  readonly #options: DataTriggersOptions;
  readonly #ofKeygroups = new Map<KeygroupName, Reactions>();

  constructor(options: DataTriggersOptions) {
    this.#options = options;
    options.book.subscribe(() => this.#ofKeygroups.clear());
  }

  /** `undefined` = nobody listens to the keygroup: its commits have nothing to do with triggers. */
  reactionsOf(name: KeygroupName): Reactions | undefined {
    const known = this.#ofKeygroups.get(name);
    if (known) return known;
    const triggers = this.#options.book.ofKeygroup(name);
    if (triggers.length === 0) return undefined;
    const made = new OriginTriggers(name, triggers, this.#options);
    this.#ofKeygroups.set(name, made);
    return made;
  }
}

const NOTHING: Reaction = { writes: [], committed: () => {} };

/** Triggers at the origin: what is committed here is told, in the same commit. */
class OriginTriggers implements Reactions {
  readonly #keygroup: KeygroupName;
  readonly #options: DataTriggersOptions;
  readonly #triggers: readonly { readonly trigger: KeygroupTrigger; readonly prefix: Buffer }[];

  constructor(
    keygroup: KeygroupName,
    triggers: readonly KeygroupTrigger[],
    options: DataTriggersOptions,
  ) {
    this.#keygroup = keygroup;
    this.#options = options;
    this.#triggers = triggers.map((trigger) => ({
      trigger,
      prefix: Buffer.from(trigger.cause.prefix, "utf8"),
    }));
  }

  wants(key: Uint8Array): boolean {
    return this.#triggers.some(({ prefix }) => hasPrefix(key, prefix));
  }

  to(changes: readonly KeyChange[], step: ChangeStep): Reaction {
    if (!step.isOwn) return NOTHING;
    const { mayListen, prepare } = this.#options;
    const events = this.#triggers
      .filter(({ trigger }) => trigger.at === "origin" && mayListen(trigger))
      .flatMap(({ trigger, prefix }) =>
        changes
          .filter(({ key }) => hasPrefix(key, prefix))
          .map((change) => this.#eventOf(trigger, change, step)),
      );
    return events.length === 0 ? NOTHING : prepare(this.#keygroup, events);
  }

  #eventOf(
    trigger: KeygroupTrigger,
    { key, before, after, version, atMs }: KeyChange,
    { origin }: ChangeStep,
  ): OutboxEvent {
    const text = key.toString("utf8");
    const event = {
      keygroup: this.#keygroup,
      key: text,
      value: after,
      old: before,
      version,
      node: this.#options.node,
      atMs,
    };
    return changeCall({ trigger, event, origin, order: text, place: "" });
  }
}

function hasPrefix(key: Uint8Array, prefix: Buffer): boolean {
  return key.length >= prefix.length && prefix.equals(key.subarray(0, prefix.length));
}
