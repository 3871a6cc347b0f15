import type { Directory } from "../../cluster/directory.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { Timers } from "../../ports/timers.js";
import type { Replicator } from "../replication/replicator.js";
import type { LocalReplica } from "./local-replica.js";

/** How a member leaves. */
export interface LeaveOptions {
  /** Leaves at once, whatever is nowhere else. */
  readonly isForced?: boolean;
  readonly withinMs?: number;
  /** Who is to have everything; without it any other member is good. */
  readonly to?: NodeName;
}

/** What leaving works with. */
export interface LeavingContext {
  readonly directory: Directory;
  readonly node: NodeName;
  readonly timers: Timers;
  /** Lets operations of functions wait until the returned function is called. */
  readonly hold: (name: KeygroupName) => () => void;
}

/** A replica that is to leave. */
interface Leaver {
  readonly name: KeygroupName;
  readonly local: LocalReplica;
  readonly replicator: Replicator;
  readonly to: NodeName | undefined;
  readonly endMs: number;
}

const WITHIN_MS = 30_000;
/** Others may lack so many commits when operations begin to wait: it takes a moment to bring them. */
const CLOSE_UPDATES = 1000;
const LOOK_AGAIN_MS = 50;
/** Operations wait for no longer. */
const HOLD_MS_MAX = 5000;

/**
 * Takes this node out of the record once another member has everything that is here, and resolves
 * with the number of writes that no other member was known to have, which is 0 unless it is forced.
 * Writing goes on until another member has nearly all; then operations wait until it has the rest.
 * @throws EnokiError `ENOKI_UNREPLICATED` if that takes too long, and writing goes on
 */
export async function leaveKeygroup(
  context: LeavingContext,
  name: KeygroupName,
  local: LocalReplica | undefined,
  { isForced = false, withinMs = WITHIN_MS, to }: LeaveOptions,
): Promise<number> {
  const { directory, node } = context;
  const replicator = local?.replicator;
  if (!replicator || !local?.isServing) {
    await directory.control.removeMember(name, node);
    return 0;
  }
  const leaver: Leaver = { name, local, replicator, to, endMs: performance.now() + withinMs };
  if (isForced) return leaveAtOnce(context, leaver);
  for (;;) {
    await untilOtherIsClose(context, leaver);
    if (await tryToLeave(context, leaver)) return 0;
    if (performance.now() >= leaver.endMs) throw unreplicated(leaver);
  }
}

async function leaveAtOnce(context: LeavingContext, leaver: Leaver): Promise<number> {
  const { directory, node } = context;
  const { name, local, replicator } = leaver;
  return stopped(context, leaver, async () => {
    const lost = replicator.unreplicated();
    await directory.control.removeMember(name, node);
    local.left = "forced";
    return lost;
  });
}

/** False if the rest could not be brought in time, or the members have changed meanwhile. */
async function tryToLeave(context: LeavingContext, leaver: Leaver): Promise<boolean> {
  const { directory, node } = context;
  const { name, local, replicator, to, endMs } = leaver;
  try {
    return await stopped(context, leaver, async () => {
      const leftMs = Math.max(0, endMs - performance.now());
      const { isCovered, epoch } = await replicator.leave(Math.min(leftMs, HOLD_MS_MAX), to);
      if (!isCovered) return false;
      await directory.control.removeMember(name, node, epoch);
      local.left = "covered";
      return true;
    });
  } catch (error) {
    const hasMoved = error instanceof EnokiError && error.code === "ENOKI_VERSION_CONFLICT";
    if (!hasMoved) throw error;
    return false;
  }
}

/** Works while operations wait and nothing is written here; it goes on unless the replica has left. */
async function stopped<T>(
  { hold }: LeavingContext,
  { name, local, replicator }: Leaver,
  work: () => Promise<T>,
): Promise<T> {
  const release = hold(name);
  try {
    await local.keygroup.stopWriting();
    return await work();
  } finally {
    if (local.left === undefined) replicator.stay();
    release();
  }
}

/** @throws EnokiError `ENOKI_UNREPLICATED` */
async function untilOtherIsClose({ timers }: LeavingContext, leaver: Leaver): Promise<void> {
  const { replicator, to, endMs } = leaver;
  // Who has no link here is brought the rest by those who have.
  const isClose = (): boolean => {
    const linked = replicator.metrics().peers.filter((peer) => peer.isLinked);
    const meant = linked.filter(({ node }) => node === to);
    return (meant.length > 0 ? meant : linked).some(
      ({ isServing, behindUpdates }) => isServing && behindUpdates <= CLOSE_UPDATES,
    );
  };
  while (!isClose()) {
    if (performance.now() >= endMs) throw unreplicated(leaver);
    await new Promise<void>((resolve) => {
      timers.after(LOOK_AGAIN_MS, resolve);
    });
  }
}

function unreplicated({ name, replicator }: Leaver): EnokiError {
  const missing = replicator.unreplicated();
  const writes = missing === 1 ? "1 write" : `${missing} writes`;
  const detail =
    missing === 0
      ? `no other member of keygroup "${name}" is linked and serves`
      : `no other member is known to have ${writes} of keygroup "${name}" on its disk`;
  return new EnokiError("ENOKI_UNREPLICATED", detail, { unreplicated: missing });
}
