import { formatSizeBytes } from "../base/size.js";
import type { KeygroupInfo, KeygroupMember, KeygroupReplication } from "../client/types.js";
import { ago, fields, table } from "./output.js";

/** A keygroup for people, with a row per member where it has been asked how these are doing. */
export function keygroupText(keygroup: KeygroupInfo, nowMs: number): string {
  const { replication } = keygroup;
  const shown = fields([
    ["name", keygroup.name],
    ["policy", keygroup.policy],
    ["durability", keygroup.durability],
    ["ttl", keygroup.ttl ?? "none"],
    ["storage", keygroup.storage],
    ["keys", String(keygroup.keys)],
    ["size", formatSizeBytes(keygroup.sizeBytes)],
    ["members", keygroup.members.join(", ")],
    ["grants", keygroup.grants?.map(({ to, rights }) => `${to} ${rights.join(",")}`).join("; ")],
    ...(replication ? replicationFields(replication) : []),
  ]);
  if (!replication) return shown;
  const rows = replication.members.map((member) => memberRow(member, nowMs));
  const headings = ["NODE", "STATE", "DURABILITY", "NOT THERE", "NOT HERE", "OUTBOX", "STALENESS"];
  return `${shown}\n${table(headings, rows)}`;
}

function replicationFields(replication: KeygroupReplication): [string, string][] {
  const { everywhere, unreplicated, updatesApplied, conflictsResolved } = replication;
  const missing = `${counted(unreplicated, "write")} of this node on no other disk for certain`;
  const where = unreplicated === 0 ? "no" : `no, ${missing}`;
  return [
    ["epoch", `${replication.epoch} of generation ${replication.generation}`],
    ["everywhere", everywhere ? "yes" : where],
    ["staleness", stalenessText(replication.stalenessMs)],
    ["applied", `${counted(updatesApplied, "update")} of others`],
    ["conflicts", `${conflictsResolved} resolved here`],
  ];
}

function memberRow(member: KeygroupMember, nowMs: number): string[] {
  const { node, durability, peer } = member;
  const state = stateText(member, nowMs);
  if (member.here) return [node, `${state} (asked)`, durability];
  if (!peer) return [node, state, durability];
  // What an absent member has told is forgotten with its link: nothing is known then.
  const isKnown = member.state !== "away";
  return [
    node,
    state,
    durability,
    isKnown ? String(peer.behindUpdates) : "?",
    isKnown ? String(peer.lagUpdates) : "?",
    formatSizeBytes(peer.outboxBytes),
    stalenessText(peer.stalenessMs),
  ];
}

/** A member's state in words. */
export function stateText(member: KeygroupMember, nowMs: number): string {
  const { state, progress, since, present } = member;
  if (state === "joining" && progress) {
    const { share, items, sizeBytes, from } = progress;
    const got = `${items} keys, ${formatSizeBytes(sizeBytes)}`;
    return `joining: ${Math.floor(share * 100)} %, ${got} from ${from}`;
  }
  if (state !== "away") return state;
  const how = present ? "no link" : "away";
  return since === undefined ? how : `${how} since ${since} (${ago(since, nowMs)})`;
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function stalenessText(stalenessMs: number | null): string {
  return stalenessMs === null ? "unknown" : `at most ${stalenessMs} ms`;
}
