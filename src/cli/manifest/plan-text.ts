import { table } from "../output.js";
import type { FieldChange, PlannedChange } from "./plan.js";

const SIGNS = { create: "+", change: "~", none: "=", remove: "-", leave: "!" } as const;

/** A plan for people: a line for each function and keygroup. */
export function planText(application: string, plan: readonly PlannedChange[]): string {
  const rows = plan.map((change) => [
    `${SIGNS[change.action]} ${change.kind}`,
    change.to === undefined ? change.name : `${change.name} for ${change.to}`,
    whatHappens(change),
  ]);
  return table([application, "name", "what"], rows);
}

/** What was done, in one line. */
export function doneText(plan: readonly PlannedChange[]): string {
  const count = (...actions: PlannedChange["action"][]): number =>
    plan.filter(({ action }) => actions.includes(action)).length;
  const counts = [
    [count("create"), "created"],
    [count("change"), "changed"],
    [count("remove"), "removed"],
    [count("none"), "unchanged"],
  ] as const;
  const shown = counts.filter(([many]) => many > 0).map(([many, what]) => `${many} ${what}`);
  return `${shown.join(", ") || "nothing to do"}\n`;
}

function whatHappens({ kind, action, fields }: PlannedChange): string {
  switch (action) {
    case "create":
      return ["create", ...fields.map(({ field, to }) => `${field} ${to}`)].join("  ");
    case "change":
      return fields.map(fieldText).join("; ");
    case "none":
      return "as it is";
    case "remove":
      return kind === "grant" ? "remove" : "remove; its data stay";
    case "leave":
      return "no longer named; --prune removes it";
  }
}

function fieldText({ field, from, to }: FieldChange): string {
  return `${field}: ${from ?? "none"} → ${to ?? "none"}`;
}
