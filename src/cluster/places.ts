import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import type { Joining, Place } from "./keygroup-changes.js";
import type { KeygroupRecord, MemberDurability } from "./records.js";
import type { View } from "./view.js";

/** What a node knows of the nodes that members are to lie on. */
export class Places {
  readonly #own: Place;
  readonly #view: View;

  constructor(own: Place, view: View) {
    this.#own = own;
    this.#view = view;
  }

  /** A member that is as durable as the others, if its node can be. */
  joining(before: KeygroupRecord, node: NodeName): Joining {
    const isStrict = before.members.every(({ durability }) => durability === "strict");
    return { node, durability: isStrict && !this.#isInMemory(node) ? "strict" : "relaxed" };
  }

  /**
   * A node that is there, with the disk that it has.
   * @throws EnokiError `ENOKI_NODE_NOT_FOUND`, `ENOKI_PEER_UNREACHABLE` for one that is away
   */
  placeOf(node: NodeName): Place {
    if (node === this.#own.node) return this.#own;
    this.requireKnown(node);
    const known = this.#view.node(node);
    if (known?.isPresent) return { node, disk: known.record.disk };
    throw new EnokiError("ENOKI_PEER_UNREACHABLE", `"${node}" is away`);
  }

  /** @throws EnokiError `ENOKI_NODE_NOT_FOUND` for a node that is not there and that nothing names */
  requireKnown(node: NodeName): void {
    if (node === this.#own.node || this.#view.node(node)) return;
    throw new EnokiError("ENOKI_NODE_NOT_FOUND", `there is no node "${node}"`);
  }

  /** @throws EnokiError `ENOKI_UNSUPPORTED` for strict in memory */
  requireDurable(node: NodeName, durability: MemberDurability): void {
    if (durability !== "strict" || !this.#isInMemory(node)) return;
    throw new EnokiError("ENOKI_UNSUPPORTED", `"${node}" stores in memory and cannot be strict`);
  }

  #isInMemory(node: NodeName): boolean {
    return this.#view.node(node)?.record.storage === "memory";
  }
}
