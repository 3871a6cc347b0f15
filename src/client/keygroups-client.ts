import { parseKeygroupName, parseNodeName } from "../core/ids.js";
import { query, segment } from "./options.js";
import type { Transport } from "./transport.js";
import type {
  GrantInfo,
  KeygroupInfo,
  KeygroupPlaces,
  KeygroupSettings,
  RemovedReplica,
} from "./types.js";

const PATH = "/v1/keygroups";

/** Manages the keygroups of a node. */
export class KeygroupsClient {
  readonly #admin: Transport;

  constructor(admin: Transport) {
    this.#admin = admin;
  }

  /** All keygroups, by name. */
  async list(): Promise<readonly KeygroupInfo[]> {
    return (await this.#admin.json<{ keygroups: KeygroupInfo[] }>(PATH)).keygroups;
  }

  /** One keygroup. @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  async get(name: string): Promise<KeygroupInfo> {
    return await this.#admin.json(`${PATH}/${parseKeygroupName(name)}`);
  }

  /** Makes a keygroup. @throws EnokiError `ENOKI_KEYGROUP_EXISTS` */
  async create(
    name: string,
    settings: KeygroupSettings & {
      /** Where its data are to lie: `replicate`, or `at:NODE`. */
      readonly data?: string;
    } = {},
  ): Promise<KeygroupInfo> {
    return await this.#admin.json(PATH, { method: "POST", json: { name, ...settings } });
  }

  /** Changes what is named in `settings`. @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  async configure(name: string, settings: KeygroupSettings): Promise<KeygroupInfo> {
    const path = `${PATH}/${parseKeygroupName(name)}`;
    return await this.#admin.json(path, { method: "PATCH", json: settings });
  }

  /** Where its data lie. @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  async replicas(name: string): Promise<KeygroupPlaces> {
    return await this.#admin.json(`${PATH}/${parseKeygroupName(name)}/replicas`);
  }

  /**
   * Adds a replica on a node, which serves once it has caught up, as {@link replicas} tells.
   * @throws EnokiError `ENOKI_NODE_NOT_FOUND`, `ENOKI_PLACEMENT_CONFLICT`
   */
  async addReplica(
    name: string,
    node: string,
    options: { readonly durability?: "relaxed" | "strict" } = {},
  ): Promise<KeygroupPlaces> {
    return await this.#admin.json(replicaPath(name, node), { method: "PUT", json: options });
  }

  /**
   * Takes a replica away once another one has everything, for which it waits 30 s or `wait`; with
   * `force` at once.
   * @throws EnokiError `ENOKI_UNREPLICATED` with their number in `extra.unreplicated`,
   * `ENOKI_LAST_REPLICA`
   */
  async removeReplica(
    name: string,
    node: string,
    options: { readonly force?: boolean; readonly wait?: string } = {},
  ): Promise<RemovedReplica> {
    const asked = query({ force: options.force || undefined, wait: options.wait });
    return await this.#admin.json(replicaPath(name, node) + asked, {
      method: "DELETE",
      timeoutMs: 0,
    });
  }

  /**
   * Places the data anew, `replicate` or `at:NODE`, while functions go on; {@link replicas} tells how
   * far it is.
   */
  async move(name: string, data: string): Promise<KeygroupPlaces> {
    const path = `${PATH}/${parseKeygroupName(name)}/move`;
    return await this.#admin.json(path, { method: "POST", json: { data } });
  }

  /**
   * Begins anew and empty on a node, after all disks with the data were lost.
   * @throws EnokiError `ENOKI_REPLICA_SERVES` unless `force`
   */
  async refound(
    name: string,
    node: string,
    options: { readonly force?: boolean } = {},
  ): Promise<KeygroupPlaces> {
    const path = `${PATH}/${parseKeygroupName(name)}/refound`;
    return await this.#admin.json(path, { method: "POST", json: { node, ...options } });
  }

  /** Who but its function may use it, and how. */
  async grants(name: string): Promise<readonly GrantInfo[]> {
    return (await this.#admin.json<{ grants: GrantInfo[] }>(grantsPath(name))).grants;
  }

  /**
   * Gives `function:NAME` or `token:NAME` exactly these rights, in place of what it had.
   * @throws EnokiError `ENOKI_TOKEN_NOT_FOUND`
   */
  async grant(
    name: string,
    to: string,
    rights: readonly GrantInfo["rights"][number][],
  ): Promise<readonly GrantInfo[]> {
    const request = { method: "PUT", json: { to, rights } };
    return (await this.#admin.json<{ grants: GrantInfo[] }>(grantsPath(name), request)).grants;
  }

  /** Takes all rights from `function:NAME` or `token:NAME`. */
  async revoke(name: string, to: string): Promise<readonly GrantInfo[]> {
    const path = `${grantsPath(name)}/${segment(to)}`;
    return (await this.#admin.json<{ grants: GrantInfo[] }>(path, { method: "DELETE" })).grants;
  }

  /** Removes a keygroup with all its data. @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  async remove(name: string): Promise<void> {
    await this.#admin.request(`${PATH}/${parseKeygroupName(name)}`, { method: "DELETE" });
  }
}

function grantsPath(keygroup: string): string {
  return `${PATH}/${parseKeygroupName(keygroup)}/grants`;
}

function replicaPath(keygroup: string, node: string): string {
  return `${PATH}/${parseKeygroupName(keygroup)}/replicas/${parseNodeName(node)}`;
}
