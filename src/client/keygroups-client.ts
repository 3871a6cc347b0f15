import { parseKeygroupName } from "../core/ids.js";
import type { Transport } from "./transport.js";
import type { KeygroupInfo, KeygroupSettings } from "./types.js";

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
  async create(name: string, settings: KeygroupSettings = {}): Promise<KeygroupInfo> {
    return await this.#admin.json(PATH, { method: "POST", json: { name, ...settings } });
  }

  /** Changes what is named in `settings`. @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  async configure(name: string, settings: KeygroupSettings): Promise<KeygroupInfo> {
    const path = `${PATH}/${parseKeygroupName(name)}`;
    return await this.#admin.json(path, { method: "PATCH", json: settings });
  }

  /** Removes a keygroup with all its data. @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  async remove(name: string): Promise<void> {
    await this.#admin.request(`${PATH}/${parseKeygroupName(name)}`, { method: "DELETE" });
  }
}
