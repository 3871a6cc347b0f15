/** What the bearer of a token may do with a node. */
export const ROLES = ["admin", "deploy", "invoke", "read"] as const;
/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

/** What a function or a token may do with one keygroup that is not its own. */
export const RIGHTS = ["read", "write", "replicas", "triggers", "admin"] as const;
/** One of {@link RIGHTS}. */
export type Right = (typeof RIGHTS)[number];

/** `admin` is all of them; who deploys also calls and looks at what was deployed. */
const ROLES_WITHIN: Readonly<Record<Role, readonly Role[]>> = {
  admin: ROLES,
  deploy: ["deploy", "invoke", "read"],
  invoke: ["invoke"],
  read: ["read"],
};

/** True if a bearer of `role` may do what `needed` stands for. */
export function includesRole(role: Role, needed: Role): boolean {
  return ROLES_WITHIN[role].includes(needed);
}

/** True if `rights` contain `needed`; `admin` contains all. */
export function includesRight(rights: readonly Right[], needed: Right): boolean {
  return rights.includes(needed) || rights.includes("admin");
}
