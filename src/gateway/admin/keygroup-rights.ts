import { requireRole, type Caller } from "../../access/access.js";
import { EnokiError } from "../../core/errors.js";
import type { KeygroupName } from "../../core/ids.js";
import { includesRight, includesRole, type Right, type Role } from "../../core/rights.js";
import type { Grants } from "../../keygroups/grants.js";

/**
 * Lets those pass who have the role, or whose token was granted the rights on the keygroup.
 * @throws EnokiError `ENOKI_FORBIDDEN` that names what is missing
 */
export function requireRight(
  grants: Pick<Grants, "rightsOf">,
  caller: Caller,
  role: Role,
  keygroup: KeygroupName,
  needed: readonly Right[],
): void {
  if (includesRole(caller.role, role)) return;
  const { tokenId } = caller;
  if (tokenId === undefined) return requireRole(caller, role);
  const rights = grants.rightsOf(keygroup, { kind: "token", id: tokenId });
  const missing = needed.filter((right) => !includesRight(rights, right));
  if (missing.length === 0) return;
  const what = missing.join(" and ");
  const detail = `this needs a token with the role ${role}, or the right ${what} on keygroup "${keygroup}"; "${caller.name}" has neither`;
  throw new EnokiError("ENOKI_FORBIDDEN", detail, { role, rights: missing });
}
