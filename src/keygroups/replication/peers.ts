import type { NodeName } from "../../core/ids.js";
import type { KeygroupMembership } from "./membership.js";
import { Peer } from "./peer.js";

/** The other members of the record that is acted under, each with what is known of it. */
export class Peers implements Iterable<Peer> {
  readonly #own: number;
  readonly #linked = new Set<NodeName>();
  #byNode = new Map<NodeName, Peer>();
  #byMember = new Map<number, Peer>();

  /** `own`: the epoch at which this member joined. */
  constructor(own: number) {
    this.#own = own;
  }

  get size(): number {
    return this.#byNode.size;
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#byNode.values();
  }

  /** The member on that node. */
  get(node: NodeName): Peer | undefined {
    return this.#byNode.get(node);
  }

  /** The member of that name. */
  ofMember(member: number): Peer | undefined {
    return this.#byMember.get(member);
  }

  /** The members to whom no link is up, in their order. */
  unlinked(): number[] {
    const unlinked: number[] = [];
    for (const { isUp, member } of this) if (!isUp) unlinked.push(member);
    return unlinked.sort((left, right) => left - right);
  }

  /** Notes that a link to that node came up or went down; returns the member there. */
  linked(node: NodeName, isUp: boolean): Peer | undefined {
    if (isUp) this.#linked.add(node);
    else this.#linked.delete(node);
    return this.#byNode.get(node);
  }

  /** Follows a newer record; returns those who are no members any more. */
  adopt({ members }: KeygroupMembership): Peer[] {
    const before = this.#byNode;
    this.#byNode = new Map();
    for (const { epoch, node } of members) {
      if (epoch === this.#own) continue;
      const known = before.get(node);
      const isSame = known?.member === epoch;
      this.#byNode.set(node, isSame ? known : new Peer(node, epoch, this.#linked.has(node)));
    }
    this.#byMember = new Map([...this].map((peer) => [peer.member, peer]));
    return [...before.values()].filter((peer) => this.#byNode.get(peer.node) !== peer);
  }
}
