import type { Directory } from "../../cluster/directory.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { LocalReplica } from "./local-replica.js";

/** How a member leaves. */
export interface LeaveOptions {
  /** Leaves at once, whatever is nowhere else. */
  readonly isForced?: boolean;
  readonly withinMs?: number;
}

const WITHIN_MS = 30_000;

/**
 * Takes this node out of the record once another member has everything that is here.
 * @throws EnokiError `ENOKI_UNREPLICATED` if that takes too long, and writing goes on
 */
export async function leaveKeygroup(
  { control }: Directory,
  node: NodeName,
  name: KeygroupName,
  local: LocalReplica | undefined,
  { isForced = false, withinMs = WITHIN_MS }: LeaveOptions,
): Promise<void> {
  const replicator = local?.replicator;
  if (isForced || !replicator || !local?.isServing) {
    await control.removeMember(name, node);
    return;
  }
  const endMs = performance.now() + withinMs;
  for (;;) {
    const { isCovered, epoch, unreplicated } = await replicator.leave(
      Math.max(0, endMs - performance.now()),
    );
    if (!isCovered) {
      const detail = `no other member has the last ${unreplicated} writes of keygroup "${name}" on its disk`;
      throw new EnokiError("ENOKI_UNREPLICATED", detail, { unreplicated });
    }
    try {
      await control.removeMember(name, node, epoch);
      return;
    } catch (error) {
      replicator.stay();
      const hasMoved = error instanceof EnokiError && error.code === "ENOKI_VERSION_CONFLICT";
      if (!hasMoved) throw error;
    }
  }
}
