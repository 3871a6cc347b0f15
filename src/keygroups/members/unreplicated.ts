import type { KeygroupRecord } from "../../cluster/records.js";
import type { Dot } from "../../core/dot.js";
import type { KeygroupName } from "../../core/ids.js";
import type { Version } from "../../core/item.js";
import { TAG } from "../../core/value.js";
import type { Vector } from "../../core/vector.js";
import type { PeerRequests } from "../../peers/requests.js";
import type { Timers } from "../../ports/timers.js";
import { exportLine } from "../export-line.js";
import type { LocalReplica } from "./local-replica.js";
import { askStatus } from "./replica-status.js";

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

/** How long members are asked what they have. */
const ASK_MS = 3000;
const ASK_AGAIN_MS = 100;

/** What whoever asks the members works with. */
export interface AskingContext {
  readonly nodeName: string;
  readonly requests: Pick<PeerRequests, "request">;
  readonly timers: Timers;
}

/** What the other members of a record say that they have on their disks; nothing of who cannot say. */
export async function whatMembersHave(
  { nodeName, requests, timers }: AskingContext,
  { members, generation }: KeygroupRecord,
  name: KeygroupName,
): Promise<Vector[]> {
  const endMs = performance.now() + ASK_MS;
  const others = members.filter(({ node }) => node !== nodeName);
  const answers = others.map(async ({ node, epoch }) => {
    while (performance.now() < endMs) {
      const status = await askStatus(requests, node, name, ASK_MS).catch(() => undefined);
      const isMeant = status?.generation === generation && status.epoch === epoch;
      if (isMeant && status.isServing) return [status.durable];
      await new Promise<void>((resolve) => {
        timers.after(ASK_AGAIN_MS, resolve);
      });
    }
    return [];
  });
  return (await Promise.all(answers)).flat();
}

/**
 * Exports what cannot be shown to be at one of the members. They have what they wrote themselves, and
 * what they say to have on their disks. The same replica exports to the same file.
 */
export async function exportUnreplicated(
  local: LocalReplica,
  record: KeygroupRecord,
  elsewhere: readonly Vector[],
  writeExport: WriteExport,
): Promise<Unreplicated> {
  const { keygroup, identity, replicator } = local;
  // Names of a store that no member was ever remembered for are of no cluster: that node stood alone.
  const isOfCluster = local.remembered !== undefined && !record.isDropped;
  const isSame = isOfCluster && identity.generation === record.generation;
  const members = new Set(isSame ? record.members.map(({ epoch }) => epoch) : []);
  members.delete(identity.epoch);
  const known = isSame ? elsewhere : [];
  // Their vectors are without an epoch: one that says nothing of an origin proves nothing.
  const isElsewhere = (dot: Dot): boolean =>
    members.has(dot.epoch) ||
    known.some((vector) => vector.covers(dot)) ||
    replicator?.isElsewhere(dot, members) === true;
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
