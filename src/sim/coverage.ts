import type { Counts } from "./counts.js";
import { FAULT_KINDS } from "./plan.js";
import { LINK_SHAPES } from "./topology.js";

/**
 * What must happen at least once over the fixed seeds of `npm test`: each fault, change of members,
 * policy, way of a catch-up and branch of the core that the oracles are there for. A simulator in
 * which one of them no longer happens proves less than it says.
 */
export const MUST_HAPPEN: readonly string[] = [
  ...FAULT_KINDS.map((kind) => `fault.${kind}`),
  ...["lww", "siblings", "merge"].map((policy) => `policy.${policy}`),
  ...["relaxed", "strict"].map((durability) => `durability.${durability}`),
  ...["links", "raw"].map((mode) => `network.${mode}`),
  ...LINK_SHAPES.map((shape) => `links.${shape}`),
  ...["lost", "duplicated", "reordered"].map((what) => `message.${what}`),
  ...["up", "down", "full"].map((what) => `link.${what}`),
  // A power cut that loses something, a process that dies, a disk that is lost, a clean stop.
  ...["older", "power", "process", "disk", "stop"].map((how) => `crash.${how}`),
  ...["serving", "gaveUp", "left", "rejoin", "mustRejoin", "replaced", "stayed"].map(
    (what) => `member.${what}`,
  ),
  "record.ignored",
  // Direct updates: in order, too early, once more, too early and without room.
  ...["applied", "held", "ignored", "dropped"].map((outcome) => `update.${outcome}`),
  // Chunks: one of several, the last one, the last one of a join, one that came out of order, too many, a wrong one.
  ...["held", "applied", "joined", "ignored", "rejoin", "rejected"].map(
    (outcome) => `chunk.${outcome}`,
  ),
  ...["Begun", "Completed", "Broken", "Served"].map((what) => `host.catchUps${what}Total`),
  "host.refusalsReceivedTotal",
  "host.resetsReceivedTotal",
  "host.outboxesDroppedTotal",
  "host.strangersTotal",
  // Heartbeats that tell of others, and those that came after a lost one.
  "host.relayedSentTotal",
  "host.relayedReceivedTotal",
  "host.heartbeatsIncompleteTotal",
  // Garbage that may go, and garbage that must wait; dead origins that leave the vector.
  ...["some", "none"].map((what) => `collect.${what}`),
  "origin.retired",
  ...["excused", "unsynced"].map((what) => `write.${what}`),
  "client.read",
  "client.write",
  ...["waits", "reached"].map((what) => `session.${what}`),
  ...["stale", "current"].map((what) => `local.${what}`),
  // Operations at nodes without a replica, also those whose answer is lost.
  ...["read", "written", "refused", "unreachable", "unknown"].map((what) => `remote.${what}`),
  "call.lost",
  "staleness.some",
  "staleness.none",
  ...[
    "DISK_FULL",
    "DRAINING",
    "TYPE_MISMATCH",
    "VERSION_CONFLICT",
    "SESSION_LOST",
    "SESSION_NOT_REACHED",
  ].map((code) => `refused.ENOKI_${code}`),
];

/** Those of {@link MUST_HAPPEN} that did not. */
export function neverHappened(counts: Counts): string[] {
  return MUST_HAPPEN.filter((what) => counts.get(what) === 0);
}
