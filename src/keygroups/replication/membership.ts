import type { NodeName } from "../../core/ids.js";
import type { MembershipRecord } from "../../core/meta.js";

/** One member of a keygroup: the epoch at which it joined is its name, the node is where it is. */
export interface KeygroupMember {
  readonly epoch: number;
  readonly node: NodeName;
}

/** Who holds a keygroup, as the naming service says. Each change of members raises the epoch. */
export interface KeygroupMembership {
  /** The keygroup's creation. */
  readonly generation: number;
  readonly epoch: number;
  /** At most one per node. */
  readonly members: readonly KeygroupMember[];
  /** Former members. */
  readonly past: readonly number[];
}

/** What the replica itself keeps of a membership: members by name, no nodes. */
export function recordOf({ epoch, members, past }: KeygroupMembership): MembershipRecord {
  return { epoch, members: members.map((member) => member.epoch), past };
}
