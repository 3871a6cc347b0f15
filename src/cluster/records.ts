import type { FunctionName, KeygroupName, NodeName } from "../core/ids.js";
import type { Right, Role } from "../core/rights.js";

/** A node, under its lease: it is there while the record is. */
export interface NodeRecord {
  readonly name: NodeName;
  /** The disk that the node has now: what tells it from another node of the same name. */
  readonly disk: string;
  /** `HOST:PORT` of its links; none = it only dials out. */
  readonly addresses: readonly string[];
  /** Version of Enoki. */
  readonly version: string;
  /** As `linux-x64`. */
  readonly platform: string;
  /** Version of Python, where there is one. */
  readonly python?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Storage driver of its replicas; a `memory` one cannot be strict. */
  readonly storage: string;
}

/** One version of a function's code and configuration, the same on all its nodes. */
export interface RevisionRecord {
  readonly number: number;
  /** Names the deploy, so that one that is repeated makes no second revision. */
  readonly deploy: string;
  /** Content hash of the code as it was given. */
  readonly source: string;
  readonly runtime: string;
  /** What the functions layer makes of it; any JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly deployedOn: NodeName;
  readonly deployedAtMs: number;
}

/** Which nodes run a function: those named, and those that fit. */
export interface FunctionTargets {
  readonly nodes: readonly NodeName[];
  /** `NAME=VALUE` of labels, each good for itself. */
  readonly labels: readonly string[];
  readonly isAll: boolean;
}

/** A function in the cluster. One that was removed stays, so that no revision's number comes twice. */
export interface ClusterFunctionRecord {
  readonly name: FunctionName;
  /** Rises by one with each change of the record. */
  readonly serial: number;
  readonly isRemoved: boolean;
  /**
   * Tells it from functions of its name elsewhere: the same until it is removed. Absent until it is
   * deployed by a version that knows it.
   */
  readonly lineage?: string | undefined;
  /** Number of the revision that is to serve; 0 = removed. */
  readonly current: number;
  /** Greatest number that was ever given. */
  readonly last: number;
  /** Oldest first. */
  readonly revisions: readonly RevisionRecord[];
  readonly targets: FunctionTargets;
}

/** How far a function is on one node. */
export type FunctionNodeState = "pending" | "ready" | "failed";

/** What a node last said of a function. It outlives the node. */
export interface FunctionNodeRecord {
  readonly function: FunctionName;
  readonly node: NodeName;
  readonly state: FunctionNodeState;
  /** The revision that it is about. */
  readonly revision: number;
  /** The revision that serves there, which may be an older one; 0 = none. */
  readonly serving: number;
  readonly reason?: string | undefined;
}

/** As in the keygroup's configuration on one node. */
export type MemberDurability = "relaxed" | "strict";

/** One replica. It is named by the epoch at which it joined. */
export interface KeygroupMember {
  readonly node: NodeName;
  readonly epoch: number;
  /** It served from the start; all others first catch up. */
  readonly isFounder: boolean;
  readonly durability: MemberDurability;
  /** The disk that the replica lies on; absent until its node has taken it up. */
  readonly disk?: string | undefined;
}

/** What holds for the whole keygroup. */
export interface KeygroupSettings {
  readonly policy: "lww" | "siblings" | "merge";
  /** Expiry given to writes that name none; 0 = never. */
  readonly ttlMs: number;
}

/** Where the data are to lie: on every node that runs the function, or on one. */
export type Placement =
  | { readonly kind: "replicate" }
  | { readonly kind: "at"; readonly node: NodeName };

/** Who may have rights on a keygroup: a function by its name, or a token by its id. */
export interface Grantee {
  readonly kind: "function" | "token";
  readonly id: string;
}

/** The rights of a function on a keygroup that is not its own, or of a token. */
export interface Grant extends Grantee {
  readonly rights: readonly Right[];
}

/** A keygroup in the cluster. One that was dropped stays, so that no generation comes twice. */
export interface KeygroupRecord {
  readonly name: KeygroupName;
  /** Rises by one with each change of the record. */
  readonly serial: number;
  /** Rises with each creation. */
  readonly generation: number;
  /** Rises by one with each change of members; begins at 1 in each generation. */
  readonly epoch: number;
  readonly isDropped: boolean;
  readonly members: readonly KeygroupMember[];
  /** Epochs that name former members. */
  readonly past: readonly number[];
  readonly settings: KeygroupSettings;
  readonly placement: Placement;
  readonly grants: readonly Grant[];
}

/** A token, without its secret. One that was revoked stays, so that no view brings it back. */
export interface TokenRecord {
  /** 16 hexadecimal digits; a part of the token's text. */
  readonly id: string;
  /** Rises by one with each change of the record. */
  readonly serial: number;
  /** What people call it; another one may have had the name before. */
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token's text, in hexadecimal digits. */
  readonly hash: string;
  readonly createdAtMs: number;
  /** Absent = it does not expire. */
  readonly expiresAtMs?: number | undefined;
  readonly isRevoked: boolean;
}

/** What somebody was granted; nothing at all of a keygroup that is none. */
export function rightsIn(
  record: Pick<KeygroupRecord, "grants"> | undefined,
  { kind, id }: Grantee,
): readonly Right[] {
  const grant = record?.grants.find((one) => one.kind === kind && one.id === id);
  return grant?.rights ?? [];
}

/** The member that lies on a node. */
export function memberOn(record: KeygroupRecord, node: NodeName): KeygroupMember | undefined {
  return record.members.find((member) => member.node === node);
}
