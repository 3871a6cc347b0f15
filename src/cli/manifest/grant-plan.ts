import type { ManifestKeygroup } from "./manifest.js";
import type { ClusterState, PlannedChange } from "./plan.js";

/** Compares the grants on a keygroup: each that is named, then those that are there and are not. */
export function planGrants(
  { name, grants }: ManifestKeygroup,
  state: Pick<ClusterState, "grants">,
  prunes: boolean,
): PlannedChange[] {
  const known = state.grants.get(name) ?? [];
  const named = new Set(grants.map(({ to }) => to));
  const gone = known.filter(({ to }) => !named.has(to));
  return [
    ...grants.map(({ to, rights }): PlannedChange => {
      const now = known.find((grant) => grant.to === to);
      const [from, wanted] = [now && textOf(now.rights), textOf(rights)];
      const action = now === undefined ? "create" : from === wanted ? "none" : "change";
      const fields = action === "none" ? [] : [{ field: "rights", from: from ?? null, to: wanted }];
      return { kind: "grant", name, to, action, fields };
    }),
    ...gone.map(({ to }): PlannedChange => {
      const action = prunes ? "remove" : "leave";
      return { kind: "grant", name, to, action, fields: [] };
    }),
  ];
}

function textOf(rights: readonly string[]): string {
  return rights.toSorted().join(",");
}
