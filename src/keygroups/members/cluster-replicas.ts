import type { Directory } from "../../cluster/directory.js";
import { isToLeave, withoutMember } from "../../cluster/keygroup-changes.js";
import { type KeygroupRecord, memberOn } from "../../cluster/records.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName, NodeName } from "../../core/ids.js";
import type { PeerRequests } from "../../peers/requests.js";
import type {
  KeygroupPlaces,
  MemberDurability,
  Placement,
  RemoveReplicaOptions,
  ReplicasFacade,
  ReplicaState,
} from "../replicas-facade.js";
import type { ClusterKeygroups } from "./cluster-keygroups.js";
import { askToLeave, serveLeave } from "./leave-request.js";
import { askStatus } from "./replica-status.js";

/** What replicas of a cluster are managed with. */
export interface ClusterReplicasOptions {
  readonly node: NodeName;
  readonly directory: Directory;
  readonly keygroups: Pick<ClusterKeygroups, "local" | "withdraw">;
  readonly requests: Pick<PeerRequests, "request" | "serve">;
}

/** How long a node may take to say where its replica stands. */
const STATUS_MS = 1000;

/** The replicas of all nodes: what another node has to do, it is asked for. */
export class ClusterReplicas implements ReplicasFacade {
  readonly #options: ClusterReplicasOptions;

  /** Answers other nodes from now on. */
  constructor(options: ClusterReplicasOptions) {
    this.#options = options;
    const { requests, keygroups } = options;
    serveLeave(requests, (name, how) => keygroups.withdraw(name, how));
  }

  async show(name: KeygroupName): Promise<KeygroupPlaces> {
    return this.#show(this.#required(name));
  }

  async add(
    name: KeygroupName,
    node: NodeName,
    durability?: MemberDurability,
  ): Promise<KeygroupPlaces> {
    return this.#show(await this.#options.directory.control.addMember(name, node, durability));
  }

  async remove(
    name: KeygroupName,
    node: NodeName,
    options: RemoveReplicaOptions,
  ): Promise<{ lost: number | undefined; places: KeygroupPlaces }> {
    const record = this.#required(name);
    if (!memberOn(record, node)) {
      const detail = `"${node}" has no replica of keygroup "${name}"`;
      throw new EnokiError("ENOKI_REPLICA_NOT_FOUND", detail);
    }
    // What is refused in any case is refused before anybody waits.
    withoutMember(record, node);
    const lost = await this.#withdraw(name, node, options);
    return { lost, places: await this.show(name) };
  }

  async move(name: KeygroupName, placement: Placement): Promise<KeygroupPlaces> {
    return this.#show(await this.#options.directory.control.moveKeygroup(name, placement));
  }

  async refound(
    name: KeygroupName,
    node: NodeName,
    { isForced }: { readonly isForced: boolean },
  ): Promise<KeygroupPlaces> {
    const { directory } = this.#options;
    const record = this.#required(name);
    const { replicas } = await this.#show(record);
    const serving = replicas.find(({ state }) => state === "serving" || state === "leaving");
    if (serving && !isForced) {
      const detail = `"${serving.node}" serves keygroup "${name}", and its data would be dropped`;
      throw new EnokiError("ENOKI_REPLICA_SERVES", detail);
    }
    const { control } = directory;
    return this.#show(await control.refoundKeygroup(name, record.generation, node));
  }

  async #withdraw(
    name: KeygroupName,
    node: NodeName,
    options: RemoveReplicaOptions,
  ): Promise<number | undefined> {
    const { keygroups, requests, directory } = this.#options;
    if (node === this.#options.node) return keygroups.withdraw(name, options);
    try {
      return await askToLeave(requests, node, name, options);
    } catch (error) {
      const isSilent =
        error instanceof EnokiError &&
        (error.code === "ENOKI_PEER_UNREACHABLE" || error.code === "ENOKI_OUTCOME_UNKNOWN");
      if (!isSilent) throw error;
    }
    if (!options.isForced) throw this.#silent(name, node);
    await directory.control.removeMember(name, node);
    return undefined;
  }

  #silent(name: KeygroupName, node: NodeName): EnokiError {
    const isThere = this.#options.directory.view.isPresent(node);
    const why = isThere ? `is there, but cannot be asked from "${this.#options.node}"` : "is away";
    const detail = `"${node}" ${why}, so nobody knows which writes of keygroup "${name}" only it has`;
    return new EnokiError("ENOKI_UNREPLICATED", detail, { unreplicated: null });
  }

  async #show(record: KeygroupRecord): Promise<KeygroupPlaces> {
    const { name, settings, placement, members } = record;
    const replicas = members.map(async ({ node, durability }) => ({
      node,
      durability,
      state: await this.#stateOf(record, node),
    }));
    return { name, settings, placement, replicas: await Promise.all(replicas) };
  }

  async #stateOf(record: KeygroupRecord, node: NodeName): Promise<ReplicaState> {
    const { keygroups, directory, requests } = this.#options;
    const { name } = record;
    const isServing =
      node === this.#options.node
        ? keygroups.local(name)?.isServing === true
        : await askStatus(requests, node, name, STATUS_MS).then(
            (status) => status.isServing,
            (error: unknown) => (isWithout(error) ? false : undefined),
          );
    if (isServing === undefined) return directory.view.isPresent(node) ? "unknown" : "away";
    if (!isServing) return "joining";
    return isToLeave(record, node) ? "leaving" : "serving";
  }

  #required(name: KeygroupName): KeygroupRecord {
    const record = this.#options.directory.view.keygroup(name);
    if (record && !record.isDropped) return record;
    throw new EnokiError("ENOKI_KEYGROUP_NOT_FOUND", `there is no keygroup "${name}"`);
  }
}

function isWithout(error: unknown): boolean {
  return error instanceof EnokiError && error.code === "ENOKI_REPLICA_NOT_FOUND";
}
