import { lostToUpdate } from "./conflicts.js";
import { HELD_UPDATES_MAX, HeldUpdates } from "./held-updates.js";
import { ItemChanges } from "./item-changes.js";
import { decodeItem } from "./item.js";
import { applyVersion, pushRowChanges } from "./live-set.js";
import { itemRowKey, type RowReader, type RowWrite } from "./rows.js";
import type { ReplicaState } from "./state.js";
import type { ReceiveEffects, Update, UpdateEntry } from "./update.js";

/** Step 2: updates as their origins send them, and those that wait for others. */
export class DirectUpdates {
  readonly #state: ReplicaState;
  readonly #held: HeldUpdates;

  constructor(state: ReplicaState, heldUpdatesMax = HELD_UPDATES_MAX) {
    this.#state = state;
    this.#held = new HeldUpdates(heldUpdatesMax);
  }

  /** Applies an update and whatever waited for it, or lets it wait, or ignores it. */
  receive(reader: RowReader, update: Update): ReceiveEffects {
    const { identity, vector } = this.#state;
    if (!identity.isServing || vector.covers(update.dot) || this.#state.isFenced(update.dot)) {
      return { writes: [], applied: [], outcome: "ignored" };
    }
    if (!this.#isNext(update)) {
      return { writes: [], applied: [], outcome: this.#held.hold(update) ? "held" : "dropped" };
    }
    if (this.#held.size === 0) {
      const writes = this.#applyAlone(reader, update);
      return { writes, applied: [update], outcome: "applied" };
    }
    const changes = new ItemChanges(reader);
    this.#apply(changes, update);
    const applied = [update, ...this.#drain(changes)];
    return { writes: changes.writes(), applied, outcome: "applied" };
  }

  /** Applies whatever waited and need not wait any more. */
  receiveHeld(reader: RowReader): ReceiveEffects {
    if (this.#held.size === 0) return { writes: [], applied: [], outcome: "ignored" };
    const changes = new ItemChanges(reader);
    const applied = this.#drain(changes);
    const outcome = applied.length > 0 ? "applied" : "ignored";
    return { writes: changes.writes(), applied, outcome };
  }

  /** Drops what waits and may not be applied any more. */
  prune(): void {
    this.#held.prune(this.#state.vector, ({ dot }) => this.#state.isFenced(dot));
  }

  #isNext({ dot, deps }: Update): boolean {
    const { vector } = this.#state;
    return vector.get(dot) + 1 === dot.counter && vector.coversAll(deps);
  }

  /** The usual case, without a map of changes. */
  #applyAlone(reader: RowReader, update: Update): RowWrite[] {
    const writes: RowWrite[] = [];
    for (const entry of update.entries) {
      const { key } = entry;
      const rowKey = itemRowKey(key);
      const stored = reader.get(rowKey);
      const before = stored ? decodeItem(stored) : [];
      const after = applyVersion(before, versionOf(update, entry), entry.replaces);
      pushRowChanges(writes, { rowKey, key }, before, after);
      this.#state.conflictsTotal += lostToUpdate(before, entry.replaces, after);
    }
    this.#state.applied(update);
    return writes;
  }

  #apply(changes: ItemChanges, update: Update): void {
    for (const entry of update.entries) {
      const { key, replaces } = entry;
      const before = changes.get(key);
      const after = applyVersion(before, versionOf(update, entry), replaces);
      changes.set(key, after);
      this.#state.conflictsTotal += lostToUpdate(before, replaces, after);
    }
    this.#state.applied(update);
  }

  #drain(changes: ItemChanges): Update[] {
    const applied: Update[] = [];
    while (this.#held.size > 0) {
      this.prune();
      const update = this.#held.takeReady((held) => this.#isNext(held));
      if (!update) break;
      this.#apply(changes, update);
      applied.push(update);
    }
    return applied;
  }
}

function versionOf({ dot, hlc, invocation }: Update, entry: UpdateEntry) {
  const { value, expiresAtMs, isPinned, isSibling } = entry;
  return isSibling
    ? { dot, hlc, value, expiresAtMs, invocation, isPinned, isSibling }
    : { dot, hlc, value, expiresAtMs, invocation, isPinned };
}
