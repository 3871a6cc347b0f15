import type { Directory } from "../../cluster/directory.js";
import { rightsIn, type Grant, type Grantee } from "../../cluster/records.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName } from "../../core/ids.js";
import type { Right } from "../../core/rights.js";
import type { Grants } from "../grants.js";

/** The grants of a cluster, a part of each keygroup's record, as this node's view has them. */
export class ClusterGrants implements Grants {
  readonly #directory: Pick<Directory, "view" | "control" | "subscribe">;

  constructor(directory: Pick<Directory, "view" | "control" | "subscribe">) {
    this.#directory = directory;
  }

  rightsOf(name: KeygroupName, grantee: Grantee): readonly Right[] {
    return rightsIn(this.#directory.view.keygroup(name), grantee);
  }

  list(name: KeygroupName): readonly Grant[] {
    const record = this.#directory.view.keygroup(name);
    if (record && !record.isDropped) return record.grants;
    throw new EnokiError("ENOKI_KEYGROUP_NOT_FOUND", `there is no keygroup "${name}"`);
  }

  async set(
    name: KeygroupName,
    grantee: Grantee,
    rights: readonly Right[],
  ): Promise<readonly Grant[]> {
    return (await this.#directory.control.grant(name, grantee, rights)).grants;
  }

  subscribe(changed: (name: KeygroupName) => void): () => void {
    return this.#directory.subscribe({ keygroupChanged: changed });
  }
}
