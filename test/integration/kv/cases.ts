import { readFileSync } from "node:fs";

import { isSpecial } from "./drivers/values.js";
import type { Step } from "./drivers/driver.js";

/** A way to a keygroup that cases go through. */
export const DOORS = ["python", "aio", "node", "client", "rest", "cli"] as const;

/** One of {@link DOORS}. */
export type DoorName = (typeof DOORS)[number];

/** A sequence of steps that begins with an empty keygroup. */
export interface Case {
  readonly name: string;
  /** Doors that it concerns; all but `cli` unless said. */
  readonly doors?: readonly DoorName[];
  /** Goes through the command line too, as far as that has its steps. */
  readonly cli?: boolean;
  readonly steps: readonly Step[];
}

const READS_AND_WRITES = [
  "get",
  "entry",
  "set",
  "delete",
  "exists",
  "scan",
  "keys",
  "ends",
  "fill",
];

/** Steps that only test code has, and the increment that even the command line has. */
const EVERYWHERE = [...READS_AND_WRITES, "same", "untilMissing", "length", "increment"];

const CRDTS = ["counterAdd", "counterValue", "setAdd", "setRemove", "setValue"].concat([
  "mapSet",
  "mapAdd",
  "mapRemove",
  "mapValue",
]);

const OVER_HTTP = ["getMany", "getManyFilled", "batch", "batchFilled", "siblings"].concat(
  EVERYWHERE,
  CRDTS,
);

const LIBRARY = [...OVER_HTTP, "update", "keygroup", "nativeType"];

/** The steps that each door has; a case goes through those that have all of its steps. */
export const STEPS_OF: Readonly<Record<DoorName, ReadonlySet<string>>> = {
  python: new Set([...LIBRARY, "watch"]),
  aio: new Set([...LIBRARY, "watch"]),
  node: new Set([...LIBRARY, "watch", "batchTwice"]),
  // When a client's watch has begun cannot be seen; `rest` sees it.
  client: new Set(LIBRARY),
  rest: new Set([...OVER_HTTP, "watch"]),
  cli: new Set(EVERYWHERE),
};

const FILE = new URL("../../fixtures/kv-cases.json", import.meta.url);

/** All cases. */
export const CASES = (JSON.parse(readFileSync(FILE, "utf8")) as { cases: Case[] }).cases;

/** The cases that go through a door. */
export function casesOf(door: DoorName): Case[] {
  const isInLanguage = STEPS_OF[door].has("nativeType");
  const cases = isInLanguage ? CASES : CASES.map(withoutNativeTypes);
  return cases.filter((it) => {
    const isMeant = door === "cli" ? it.cli === true : (it.doors?.includes(door) ?? true);
    if (!isMeant || !it.steps.every((step) => STEPS_OF[door].has(step.op))) return false;
    return !["rest", "cli"].includes(door) || isSayable(it.steps);
  });
}

/** What type a value has in the language is a question to libraries only. */
function withoutNativeTypes(it: Case): Case {
  return { ...it, steps: it.steps.filter(({ op }) => op !== "nativeType") };
}

/** Things that only a program has, and no request can say. */
const UNSAYABLE = new Set([
  "intKeys",
  "unsupported",
  "nativeSet",
  "date",
  "tuple",
  "undefined",
  "circular",
]);

function isSayable(value: unknown, isMember = false): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (isSpecial(value)) {
    if (value.$ === "number") return !/nan|inf/.test(String(value["text"]));
    return !UNSAYABLE.has(value.$) && !(isMember && value.$ === "bytes");
  }
  if (Array.isArray(value)) return value.every((item) => isSayable(item, isMember));
  return Object.entries(value).every(([name, item]) =>
    name === "expect" ? true : isSayable(item, isMember || name === "member"),
  );
}
