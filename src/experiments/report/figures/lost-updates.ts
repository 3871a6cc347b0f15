import { count, percent } from "../../numbers.js";
import type { PooledPoint, ResultSet } from "../../results/result-set.js";
import { text, type Block } from "../blocks.js";

const WAYS: Readonly<Record<string, string>> = {
  "get-set": "Listing 1: `get`, then `set`",
  update: "`update`",
  counter: "a counter (CRDT)",
};

/** What of the calls of Listing 1 leaves nothing behind. */
export function lostUpdates(results: ResultSet): Block[] {
  return [
    text(
      "Calls that each add a line, or 1, to one value, at random times and so often several at once; policy `lww`. A call counts if it was " +
        "answered with success, and is lost if the value does not show it in the end.",
    ),
    {
      kind: "table",
      head: ["how", "nodes", "calls", "kept", "lost", "share lost", "in each repeat"],
      rows: results.points("lost-updates").map(rowOf),
    },
  ];
}

function rowOf(point: PooledPoint): string[] {
  const { way, nodes } = point.parameters;
  const [calls, kept, lost] = ["calls", "kept", "lost"].map((name) =>
    point.totals(name).reduce((sum, value) => sum + value, 0),
  ) as [number, number, number];
  return [
    WAYS[String(way)] ?? String(way),
    String(nodes),
    count(calls),
    count(kept),
    count(lost),
    calls > 0 ? percent(lost / calls) : "",
    point
      .totals("lost")
      .map((ofRepeat, at) => percent(ofRepeat / (point.totals("calls")[at] ?? 1)))
      .join(" · "),
  ];
}
