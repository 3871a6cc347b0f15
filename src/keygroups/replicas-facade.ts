import type { KeygroupSettings, MemberDurability, Placement } from "../cluster/records.js";
import type { KeygroupName, NodeName } from "../core/ids.js";

export type { MemberDurability, Placement } from "../cluster/records.js";

/**
 * How a replica is, as far as the node that was asked knows: `away` = its node is; `unknown` = its
 * node is there and cannot be asked from here.
 */
export type ReplicaState = "serving" | "joining" | "leaving" | "away" | "unknown";

/** One replica of a keygroup. */
export interface ReplicaPlace {
  readonly node: NodeName;
  readonly durability: MemberDurability;
  readonly state: ReplicaState;
}

/** Where the data of a keygroup are to lie, and where they do. */
export interface KeygroupPlaces {
  readonly name: KeygroupName;
  readonly settings: KeygroupSettings;
  readonly placement: Placement;
  readonly replicas: readonly ReplicaPlace[];
}

/** How a replica is taken away. */
export interface RemoveReplicaOptions {
  /** Whatever is nowhere else. */
  readonly isForced: boolean;
  /** How long to wait until another member has everything. */
  readonly withinMs: number;
}

/**
 * Replicas and where they lie, changed from any node of the cluster. Each method throws `EnokiError`,
 * `ENOKI_KEYGROUP_NOT_FOUND` and `ENOKI_NAMING_UNAVAILABLE` among others.
 */
export interface ReplicasFacade {
  show(name: KeygroupName): Promise<KeygroupPlaces>;
  /** @throws EnokiError `ENOKI_NODE_NOT_FOUND`, `ENOKI_PLACEMENT_CONFLICT`, `ENOKI_UNSUPPORTED` */
  add(name: KeygroupName, node: NodeName, durability?: MemberDurability): Promise<KeygroupPlaces>;
  /**
   * Resolves with the number of writes that no other member was known to have; `undefined` = nobody
   * could be asked.
   * @throws EnokiError `ENOKI_UNREPLICATED` (`unreplicated`: their number, or null),
   * `ENOKI_LAST_REPLICA`, `ENOKI_REPLICA_NOT_FOUND`, `ENOKI_PLACEMENT_CONFLICT`
   */
  remove(
    name: KeygroupName,
    node: NodeName,
    options: RemoveReplicaOptions,
  ): Promise<{ readonly lost: number | undefined; readonly places: KeygroupPlaces }>;
  /** Resolves once it is decided; the data follow. @throws EnokiError `ENOKI_NODE_NOT_FOUND`, `ENOKI_UNSUPPORTED` */
  move(name: KeygroupName, placement: Placement): Promise<KeygroupPlaces>;
  /**
   * Begins anew and empty on a node, after all disks with the data were lost.
   * @throws EnokiError `ENOKI_REPLICA_SERVES` unless it is forced, `ENOKI_NODE_NOT_FOUND`
   */
  refound(
    name: KeygroupName,
    node: NodeName,
    options: { readonly isForced: boolean },
  ): Promise<KeygroupPlaces>;
}
