import type { Explanation } from "../client/types.js";
import { ago, table } from "./output.js";

type Replica = Explanation["replicas"][number];

const HAS: Readonly<Record<Replica["state"], string>> = {
  same: "this",
  newer: "a newer version",
  older: "an older version",
  missing: "nothing yet",
  concurrent: "another version, and not all of these",
  unknown: "?",
};

/** Where a value comes from, for people: its versions, then a row per replica if there are several. */
export function explanationText({ versions, replicas }: Explanation, nowMs: number): string {
  const rows = versions.map(({ version, at, node, invocation, type, expiresAt }) => [
    version,
    type,
    `${at} (${ago(at, nowMs)} ago)`,
    node ?? "a former member",
    invocation ?? "from outside",
    expiresAt ?? "-",
  ]);
  const headings = ["VERSION", "TYPE", "WRITTEN", "ON", "BY INVOCATION", "EXPIRES"];
  const written = table(headings, rows);
  if (replicas.length < 2) return written;
  const places = replicas.map((replica) => [replica.node, hasText(replica)]);
  return `${written}\n${table(["REPLICA", "HAS"], places)}`;
}

function hasText({ state, versions, reason }: Replica): string {
  if (state === "unknown") return `unknown: ${reason ?? "it did not answer"}`;
  if (state === "same") return HAS[state];
  if (state === "newer" && versions.length === 0) return "deleted it since";
  return versions.length === 0 ? HAS[state] : `${HAS[state]}: ${versions.join(", ")}`;
}
