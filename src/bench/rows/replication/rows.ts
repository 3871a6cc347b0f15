import { hasEtcd } from "../../etcd.js";
import type { Row, RowContext } from "../context.js";
import { measureCatchUp, profiledCatchUp } from "./catch-up.js";
import { measureFollower, profiledFollower } from "./follower.js";
import { measureReplicatedSet, profiledReplicatedSet } from "./replicated-set.js";
import { measureVisibility } from "./visibility.js";

/** What nodes do for one another. They find each other by etcd; without it these rows are left out. */
export const REPLICATION_ROWS: readonly Row[] = [
  {
    name: "replicated-set",
    isSlow: false,
    measure: measureReplicatedSet,
    profiled: profiledReplicatedSet,
  },
  { name: "follower", isSlow: false, measure: measureFollower, profiled: profiledFollower },
  { name: "catch-up", isSlow: false, measure: measureCatchUp, profiled: profiledCatchUp },
  { name: "visibility", isSlow: false, measure: measureVisibility },
].map((row): Row => ({ ...row, measure: (context) => withEtcd(row, context) }));

async function withEtcd(row: Row, context: RowContext) {
  if (hasEtcd()) return await row.measure(context);
  context.progress(`${row.name}: left out, etcd is missing; npm run setup installs it`);
  return [];
}
