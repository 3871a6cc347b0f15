/** What the bearer of a token may do with a node. */
export const ROLES = ["admin", "deploy", "invoke", "read"] as const;
/** One of {@link ROLES}. */
export type Role = (typeof ROLES)[number];

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
