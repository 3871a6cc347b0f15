import type { KeygroupMember, KeygroupRecord } from "../../cluster/records.js";
import type { Founding } from "../../core/opening.js";
import { recordOf } from "../replication/membership.js";
import type { KeygroupConfig } from "../types.js";

/** The name of a replica that is nobody's: the store only keeps rows of the node's own. */
export const NO_MEMBER = 0;

/** What the replica of a member begins as. */
export function foundingOf(record: KeygroupRecord, { epoch, isFounder }: KeygroupMember): Founding {
  const { generation } = record;
  return { generation, epoch, record: recordOf(record), isServing: isFounder };
}

/** What a store holds on a node that is no member: a replica that never serves and speaks to nobody. */
export function parkedAt({ generation, epoch }: { generation: number; epoch: number }): Founding {
  const record = { epoch, members: [], past: [] };
  return { generation, epoch: NO_MEMBER, record, isServing: false };
}

/** What a record says of the configuration at one member. */
export function configOf(
  { settings }: KeygroupRecord,
  { durability }: Pick<KeygroupMember, "durability">,
): KeygroupConfig {
  return { policy: settings.policy, ttlMs: settings.ttlMs, durability };
}
