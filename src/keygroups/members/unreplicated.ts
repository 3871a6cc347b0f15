import type { KeygroupRecord } from "../../cluster/records.js";
import type { Dot } from "../../core/dot.js";
import type { Version } from "../../core/item.js";
import { TAG } from "../../core/value.js";
import { exportLine } from "../export-line.js";
import type { LocalReplica } from "./local-replica.js";

/** Writes a file of lines and resolves with its path; without lines there is none. */
export type WriteExport = (name: string, lines: Iterable<string>) => Promise<string | undefined>;

/** What a replica that is given up has, and nobody else for certain. */
export interface Unreplicated {
  /** Where its items are, as `enoki kv import` reads them. */
  readonly file: string | undefined;
  readonly items: number;
  /** Keys that were deleted here and that the others may still have. */
  readonly deletions: number;
}

/**
 * Exports what cannot be shown to be at one of the members. They have what they wrote themselves, and
 * what they have told to be on their disks. The same replica exports to the same file.
 */
export async function exportUnreplicated(
  local: LocalReplica,
  record: KeygroupRecord,
  writeExport: WriteExport,
): Promise<Unreplicated> {
  const { keygroup, identity, replicator } = local;
  const isSame = identity.generation === record.generation && !record.isDropped;
  const members = new Set(isSame ? record.members.map(({ epoch }) => epoch) : []);
  members.delete(identity.epoch);
  const isElsewhere = (dot: Dot): boolean =>
    members.has(dot.epoch) || replicator?.isElsewhere(dot, members) === true;
  let items = 0;
  let deletions = 0;
  const isWanted = (versions: readonly Version[]): boolean => {
    const missing = versions.filter(({ dot }) => !isElsewhere(dot));
    if (missing.length === 0) return false;
    if (versions.every(({ value }) => value.tag === TAG.tombstone)) deletions += 1;
    return true;
  };
  function* lines(): Generator<string> {
    for (const item of keygroup.reads.exportItems(isWanted)) {
      items += 1;
      yield exportLine(item);
    }
  }
  const name = `${keygroup.name}-${identity.generation}-${identity.epoch}.jsonl`;
  return { file: await writeExport(name, lines()), items, deletions };
}
