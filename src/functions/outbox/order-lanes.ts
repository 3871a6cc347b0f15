import type { InvocationId } from "../../core/ids.js";
import type { StoredEntry } from "./rows.js";

/**
 * What has to be handled one after the other: per sender, function and order key a lane, of which
 * only the first has its turn.
 */
export class OrderLanes {
  readonly #lanes = new Map<string, Set<InvocationId>>();

  /** Takes an invocation up, behind all that are in its lane. Returns whether it has its turn. */
  add(entry: StoredEntry, id: InvocationId): boolean {
    const name = laneOf(entry);
    if (name === undefined) return true;
    const lane = this.#lanes.get(name) ?? new Set<InvocationId>();
    this.#lanes.set(name, lane);
    lane.add(id);
    return lane.size === 1;
  }

  /** Takes one out that has ended. Returns whose turn has come with that. */
  remove(
    entry: Pick<StoredEntry, "function" | "from" | "orderKey">,
    id: InvocationId,
  ): InvocationId | undefined {
    const name = laneOf(entry);
    const lane = name === undefined ? undefined : this.#lanes.get(name);
    if (name === undefined || !lane) return undefined;
    const [first] = lane;
    lane.delete(id);
    if (lane.size === 0) this.#lanes.delete(name);
    const [next] = lane;
    return first === id ? next : undefined;
  }
}

function laneOf({
  function: name,
  from = "",
  orderKey,
}: Pick<StoredEntry, "function" | "from" | "orderKey">): string | undefined {
  return orderKey === undefined ? undefined : `${from}\0${name}\0${orderKey}`;
}
