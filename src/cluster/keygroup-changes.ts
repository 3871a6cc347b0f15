import { EnokiError } from "../core/errors.js";
import type { KeygroupName, NodeName } from "../core/ids.js";
import type { Right } from "../core/rights.js";
import {
  type Grantee,
  type KeygroupMember,
  type KeygroupRecord,
  type KeygroupSettings,
  type MemberDurability,
  memberOn,
  type Placement,
} from "./records.js";

/** What a keygroup is made with, where it is made. */
export interface KeygroupDefaults {
  readonly settings: KeygroupSettings;
  readonly placement: Placement;
  readonly durability: MemberDurability;
}

/** A node with the disk that it has now: a lost disk comes back as another one. */
export interface Place {
  readonly node: NodeName;
  readonly disk: string;
}

/** What may change of a keygroup's configuration. Absent = as it is. */
export interface KeygroupConfiguration {
  readonly policy?: KeygroupSettings["policy"];
  readonly ttlMs?: number;
  /** Of all members. */
  readonly durability?: MemberDurability;
  /** Of single members; goes before `durability`. */
  readonly memberDurability?: Readonly<Record<string, MemberDurability>>;
}

/** A record before its change, `undefined` if there is none; the serial is for the caller to raise. */
type Before = KeygroupRecord | undefined;

/** The record of a keygroup that has just been made; its number of generation never repeats. */
export function founded(
  before: Before,
  name: KeygroupName,
  { node, disk }: Place,
  defaults: KeygroupDefaults,
): KeygroupRecord {
  const { placement } = defaults;
  const isElsewhere = placement.kind === "at" && placement.node !== node;
  return {
    ...before,
    name,
    serial: before?.serial ?? 0,
    generation: (before?.generation ?? 0) + 1,
    epoch: 1,
    isDropped: false,
    members: [
      {
        node: isElsewhere ? placement.node : node,
        epoch: 1,
        isFounder: true,
        durability: defaults.durability,
        disk: isElsewhere ? undefined : disk,
      },
    ],
    past: [],
    settings: defaults.settings,
    placement,
    grants: [],
  };
}

/**
 * Makes a node a member on the disk that it has now. Nothing changes if it is one already; a member
 * whose disk is another one was lost with it, and comes back under a new name.
 */
export function joined(
  before: KeygroupRecord,
  place: Place,
  durability: MemberDurability,
): KeygroupRecord {
  const mine = memberOn(before, place.node);
  if (mine === undefined) {
    const isElsewhere = before.placement.kind === "at" && before.placement.node !== place.node;
    return isElsewhere ? before : withMember(before, place, durability);
  }
  if (mine.disk === place.disk) return before;
  if (mine.disk !== undefined) return replaced(before, mine, place);
  const members = before.members.map((member) =>
    member === mine ? { ...member, disk: place.disk } : member,
  );
  return { ...before, members };
}

/** Replaces a member that lost its data by a new one on the same node; unchanged if that was done. */
export function rejoined(before: KeygroupRecord, lostEpoch: number, place: Place): KeygroupRecord {
  const mine = memberOn(before, place.node);
  return mine?.epoch === lostEpoch ? replaced(before, mine, place) : before;
}

/** Adds a member on another node, which takes it up when it sees the record. */
export function withMember(
  before: KeygroupRecord,
  { node, disk }: { readonly node: NodeName; readonly disk?: string },
  durability: MemberDurability,
): KeygroupRecord {
  if (memberOn(before, node) !== undefined) return before;
  const epoch = before.epoch + 1;
  const member: KeygroupMember = { node, epoch, isFounder: false, durability, disk };
  return { ...before, epoch, members: [...before.members, member] };
}

/**
 * Takes a member out.
 * @throws EnokiError `ENOKI_LAST_REPLICA`, `ENOKI_PLACEMENT_CONFLICT` where the data are to lie there
 */
export function withoutMember(before: KeygroupRecord, node: NodeName): KeygroupRecord {
  const leaving = memberOn(before, node);
  if (leaving === undefined) return before;
  if (before.members.length === 1) {
    const detail = `"${node}" holds the only replica of keygroup "${before.name}"`;
    throw new EnokiError("ENOKI_LAST_REPLICA", detail);
  }
  if (before.placement.kind === "at" && before.placement.node === node) {
    const detail = `keygroup "${before.name}" is placed at "${node}": move it elsewhere first`;
    throw new EnokiError("ENOKI_PLACEMENT_CONFLICT", detail);
  }
  return {
    ...before,
    epoch: before.epoch + 1,
    members: before.members.filter((member) => member !== leaving),
    past: [...before.past, leaving.epoch],
  };
}

/** A node that is to become a member. */
export interface Joining {
  readonly node: NodeName;
  readonly durability: MemberDurability;
}

/** Places the data anew, on members that are there and those that join. */
export function moved(
  before: KeygroupRecord,
  placement: Placement,
  joining: readonly Joining[],
): KeygroupRecord {
  return withMembers({ ...before, placement }, joining);
}

/**
 * Adds a member beside those that are there.
 * @throws EnokiError `ENOKI_PLACEMENT_CONFLICT` where the data are to lie on one other node
 */
export function replicated(before: KeygroupRecord, { node, durability }: Joining): KeygroupRecord {
  const { placement } = before;
  if (placement.kind === "at" && placement.node !== node) {
    const detail = `keygroup "${before.name}" is placed at "${placement.node}" and nowhere else`;
    throw new EnokiError("ENOKI_PLACEMENT_CONFLICT", detail);
  }
  return withMember(before, { node }, durability);
}

/** True if the data are to lie elsewhere than on that node, which is a member still. */
export function isToLeave({ placement, members }: KeygroupRecord, node: NodeName): boolean {
  const isElsewhere = placement.kind === "at" && placement.node !== node;
  return isElsewhere && members.some((member) => member.node === placement.node);
}

/** @throws EnokiError `ENOKI_INVALID_INPUT` for a durability of a node that is no member */
export function configured(before: KeygroupRecord, change: KeygroupConfiguration): KeygroupRecord {
  const ofMembers = change.memberDurability ?? {};
  for (const node of Object.keys(ofMembers)) {
    if (before.members.every((member) => member.node !== node)) {
      const detail = `"${node}" is no member of keygroup "${before.name}"`;
      throw new EnokiError("ENOKI_INVALID_INPUT", detail);
    }
  }
  return {
    ...before,
    settings: {
      ...before.settings,
      policy: change.policy ?? before.settings.policy,
      ttlMs: change.ttlMs ?? before.settings.ttlMs,
    },
    members: before.members.map((member) => ({
      ...member,
      durability: ofMembers[member.node] ?? change.durability ?? member.durability,
    })),
  };
}

/** Gives a function or a token exactly those rights; without any it has no more part in it. */
export function granted<R extends Pick<KeygroupRecord, "grants">>(
  before: R,
  { kind, id }: Grantee,
  rights: readonly Right[],
): R {
  const others = before.grants.filter((grant) => grant.kind !== kind || grant.id !== id);
  const grants = rights.length === 0 ? others : [...others, { kind, id, rights }];
  return { ...before, grants };
}

/** Ends a keygroup with its data and all rights on it. */
export function dropped(before: KeygroupRecord): KeygroupRecord {
  return {
    ...before,
    epoch: before.epoch + 1,
    isDropped: true,
    members: [],
    past: [],
    grants: [],
  };
}

/**
 * Names a new founder after every disk with the data was lost: a new generation, which begins empty
 * and which the others join. Unchanged if the lost generation is not the current one.
 */
export function refounded(
  before: KeygroupRecord,
  lostGeneration: number,
  place: Place,
  joining: readonly Joining[],
): KeygroupRecord {
  if (before.generation !== lostGeneration) return before;
  const durability = memberOn(before, place.node)?.durability ?? "relaxed";
  const isElsewhere = before.placement.kind === "at" && before.placement.node !== place.node;
  const record: KeygroupRecord = {
    ...before,
    generation: before.generation + 1,
    epoch: 1,
    members: [{ ...place, epoch: 1, isFounder: true, durability }],
    past: [],
    placement: isElsewhere ? { kind: "at", node: place.node } : before.placement,
  };
  return withMembers(record, joining);
}

function withMembers(before: KeygroupRecord, joining: readonly Joining[]): KeygroupRecord {
  return joining.reduce(
    (record, { node, durability }) => withMember(record, { node }, durability),
    before,
  );
}

function replaced(
  before: KeygroupRecord,
  lost: KeygroupMember,
  { node, disk }: Place,
): KeygroupRecord {
  const epoch = before.epoch + 1;
  const member = { ...lost, node, disk, epoch, isFounder: false };
  return {
    ...before,
    epoch,
    members: before.members.map((other) => (other === lost ? member : other)),
    past: [...before.past, lost.epoch],
  };
}
