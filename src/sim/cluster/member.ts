import type { NodeName } from "../../core/ids.js";
import { Replica } from "../../core/replica.js";
import { Keygroup } from "../../keygroups/keygroup.js";
import { Replicator } from "../../keygroups/replication/replicator.js";
import { recordOf } from "../../keygroups/replication/membership.js";
import { silentLogger } from "../../ports/logger.js";
import type { Storage } from "../../ports/storage.js";
import type { Timers } from "../../ports/timers.js";
import { createTurn } from "../../ports/turn.js";
import type { NamingRecord } from "./naming.js";
import type { SimNodeParts } from "./node-parts.js";
import type { SimNode } from "./node.js";
import { KEYGROUP, type SimProcess } from "./process.js";

/** A replica of a member that runs, and who replicates it. */
export interface RunningMember {
  readonly keygroup: Keygroup;
  readonly replicator: Replicator;
}

/** How a member is opened. */
export interface MemberOpening {
  readonly node: SimNode;
  readonly process: SimProcess;
  readonly parts: SimNodeParts;
  readonly storage: Storage;
  readonly record: NamingRecord;
  /** The member that is opened: the epoch at which it joined. */
  readonly member: number;
  /** What is on the disk may be older than what was acknowledged or sent. */
  readonly mayBeOlder: boolean;
  /** False once the process or the replica is gone. */
  readonly isAlive: () => boolean;
  /** Whom it had better join from, and has to from now on. */
  readonly joinFrom: NodeName | undefined;
  readonly mustRejoin: (from: NodeName) => void;
}

/**
 * Opens the store of a member and begins to replicate it, once it is open and if it is alive then;
 * rejects if the disk takes no start.
 */
export async function openMember(opening: MemberOpening): Promise<RunningMember | undefined> {
  const { node, process, parts, storage, record, member, isAlive } = opening;
  const { time, config, random, timing, events, faulty } = parts;
  const timers: Timers = {
    after: (delayMs, work) => time.after(delayMs, () => isAlive() && work()),
  };
  // A turn ends a moment after it began, so that several messages may fall into one.
  const turn = createTurn((end) => timers.after(random.next() * 0.5, end));
  const reacting = parts.reacting?.({ node, timers, isAlive });
  const keygroup = await Keygroup.open({
    name: KEYGROUP,
    config,
    storage: faulty.storage?.(storage, node) ?? storage,
    storageKind: "memory",
    nodeName: node.name,
    resumes: !opening.mayBeOlder || faulty.resumesAlways === true,
    turn,
    timers,
    clock: node.clock,
    logger: silentLogger,
    syncIntervalMs: 20,
    collectIntervalMs: 150,
    encodeSends: () => ({ writes: [], committed: () => {} }),
    reactionsOf: reacting && (() => reacting.reactions()),
    founding: {
      generation: record.generation,
      epoch: member,
      record: recordOf(record),
      isServing: member === record.founder,
    },
    openReplica: (reader, open) => {
      const { stagedBytesMax, heldUpdatesMax } = parts;
      const opened = Replica.open(reader, {
        ...open,
        stagedBytesMax,
        ...(heldUpdatesMax !== undefined && { heldUpdatesMax }),
        ...(faulty.hlc !== undefined && { hlc: faulty.hlc }),
      });
      faulty.replica?.(opened.replica);
      events.opened(node, opened);
      return opened;
    },
  });
  if (!isAlive()) return undefined;
  faulty.gate?.(keygroup.sessions);
  const replicator = new Replicator({
    host: keygroup,
    router: process.router,
    turn,
    timers,
    clock: node.clock,
    random: () => random.next(),
    logger: silentLogger,
    timing,
    joinFrom: opening.joinFrom,
    events: {
      serving: () => events.happened("member.serving", node),
      removed: () => events.happened("member.removed", node),
      mustRejoin: (from) => {
        events.happened("member.mustRejoin", node);
        opening.mustRejoin(from);
      },
    },
  });
  faulty.replicator?.(replicator);
  reacting?.opened(keygroup);
  return { keygroup, replicator };
}
