import type { Prng } from "../../base/prng.js";
import { utf8Bytes } from "../../core/text.js";
import { TAG } from "../../core/value.js";
import type { WriteOperation } from "../../keygroups/types.js";
import type { Plan } from "../plan.js";

/** The keys of a run. The name says what is written there. */
export function keysOf(plan: Plan): string[] {
  const plain = Array.from({ length: plan.keys }, (_, at) => `k${at}`);
  return [...plain, "counter", "set", "map"];
}

/** Draws a write of a key; `text` is part of a plain value, so that no two are alike. */
export function drawWrite(random: Prng, key: string, text: string): WriteOperation {
  const number = random.below(1000);
  const kind = random.next();
  if (key === "counter" && kind < 0.8) return { op: "counter.add", key, n: number - 500 };
  const member = `m${number % 4}`;
  if (key === "set" && kind < 0.8) {
    return { op: kind < 0.5 ? "set.add" : "set.remove", key, member };
  }
  if (key === "map" && kind < 0.3) return { op: "map.set", key, field: member, value: number };
  if (key === "map" && kind < 0.6) return { op: "map.add", key, field: `n${number % 2}`, n: 1 };
  if (key === "map" && kind < 0.8) return { op: "map.remove", key, field: member };
  if (kind < 0.3) return { op: "delete", key };
  const value = { tag: TAG.str, bytes: utf8Bytes(`${text}.${number}`) };
  const ttlMs = random.next() < 0.2 ? 20 + random.below(500) : 0;
  return { op: "set", key, value, ttlMs };
}
