import type { Prng } from "../../base/prng.js";
import type { NodeName } from "../../core/ids.js";
import type { KeygroupMembership } from "../../keygroups/replication/membership.js";
import type { VirtualTime } from "./virtual-time.js";

/** A record as the naming service holds it; the founder may serve in an empty store. */
export interface NamingRecord extends KeygroupMembership {
  readonly founder: number;
}

/**
 * The naming service of a simulation: one record, changed by transactions, which nodes see late and
 * maybe out of order.
 */
export class SimNaming {
  #record: NamingRecord;
  readonly #time: VirtualTime;
  readonly #random: Prng;
  readonly #followers: ((record: NamingRecord) => void)[] = [];
  /** Longest time until a node sees a record; most see it sooner. */
  lateMs = 50;

  constructor(founder: NodeName, parts: { time: VirtualTime; random: Prng }) {
    this.#time = parts.time;
    this.#random = parts.random;
    this.#record = {
      generation: 1,
      epoch: 1,
      founder: 1,
      members: [{ epoch: 1, node: founder }],
      past: [],
    };
  }

  get record(): NamingRecord {
    return this.#record;
  }

  /** Calls `see` with every record, some time after it was made. */
  follow(see: (record: NamingRecord) => void): void {
    this.#followers.push(see);
  }

  /** The join epoch of a node that is a member now. */
  memberOf(node: NodeName): number | undefined {
    return this.#record.members.find((member) => member.node === node)?.epoch;
  }

  /** One transaction: the node becomes a member, as a new one if it was one before. */
  join(node: NodeName): NamingRecord {
    const epoch = this.#record.epoch + 1;
    const { members, past } = this.#without(node);
    this.#change({ epoch, members: [...members, { epoch, node }], past });
    return this.#record;
  }

  /** One transaction: the node is no member any more. */
  remove(node: NodeName): void {
    if (this.memberOf(node) === undefined) return;
    this.#change({ epoch: this.#record.epoch + 1, ...this.#without(node) });
  }

  /** Shows everybody the record once more. */
  publish(): void {
    const record = this.#record;
    for (const see of this.#followers) {
      const isVeryLate = this.#random.next() < 0.2;
      const delayMs = this.#random.next() * (isVeryLate ? this.lateMs : Math.min(this.lateMs, 40));
      this.#time.after(delayMs, () => see(record));
    }
  }

  #without(node: NodeName): Pick<NamingRecord, "members" | "past"> {
    const { members, past } = this.#record;
    const old = members.filter((member) => member.node === node).map(({ epoch }) => epoch);
    return {
      members: members.filter((member) => member.node !== node),
      past: [...past, ...old],
    };
  }

  #change(next: Pick<NamingRecord, "epoch" | "members" | "past">): void {
    this.#record = { ...this.#record, ...next };
    this.publish();
  }
}
