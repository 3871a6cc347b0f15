import type { MembershipRecord } from "../../src/core/meta.js";

/** One naming record: which node is which member. */
export interface NamedRecord extends MembershipRecord {
  readonly nodes: ReadonlyMap<number, number>;
}

/** The naming service of a cluster: every record that ever was. Nodes learn of them late. */
export class Registry {
  readonly #records: NamedRecord[];

  constructor(nodes: readonly number[]) {
    const named = new Map(nodes.map((node, i) => [i + 1, node]));
    this.#records = [recordOf(named, [], nodes.length)];
  }

  get latest(): NamedRecord {
    return this.#records.at(-1) as NamedRecord;
  }

  /** The first record after `epoch`, or the one `skip` later. */
  after(epoch: number, skip = 0): NamedRecord | undefined {
    const later = this.#records.filter((record) => record.epoch > epoch);
    return later[Math.min(skip, later.length - 1)];
  }

  /** The member that a node is in the latest record. */
  memberOf(node: number): number | undefined {
    for (const [member, at] of this.latest.nodes) if (at === node) return member;
    return undefined;
  }

  /** One transaction: takes a node's member out, adds a node as a new one, or both. */
  change(change: { readonly removes?: number | undefined; readonly adds?: number }): NamedRecord {
    const { latest } = this;
    const nodes = new Map(latest.nodes);
    const past = [...latest.past];
    const epoch = latest.epoch + 1;
    if (change.removes !== undefined && nodes.delete(change.removes)) past.push(change.removes);
    if (change.adds !== undefined) nodes.set(epoch, change.adds);
    const record = recordOf(nodes, past, epoch);
    this.#records.push(record);
    return record;
  }
}

function recordOf(nodes: Map<number, number>, past: number[], epoch: number): NamedRecord {
  return { epoch, members: [...nodes.keys()], past, nodes };
}
