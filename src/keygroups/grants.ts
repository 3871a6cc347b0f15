import type { Grant, Grantee } from "../cluster/records.js";
import type { KeygroupName } from "../core/ids.js";
import type { Right } from "../core/rights.js";

/** Who may do what with keygroups that are not their own. What is known is looked up without waiting. */
export interface Grants {
  /** Nothing at all for a keygroup that is none. */
  rightsOf(name: KeygroupName, grantee: Grantee): readonly Right[];
  /** @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  list(name: KeygroupName): readonly Grant[];
  /**
   * Gives exactly those rights, in place of what was granted before; none takes them away.
   * @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND`, `ENOKI_NAMING_UNAVAILABLE`
   */
  set(name: KeygroupName, grantee: Grantee, rights: readonly Right[]): Promise<readonly Grant[]>;
  /** Tells when rights on a keygroup may have changed; the returned function ends it. */
  subscribe(changed: (name: KeygroupName) => void): () => void;
}
