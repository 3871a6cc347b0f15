import { applyDelta, counterNumber, deltaTag, joinStates, type Delta } from "../core/crdt/index.js";
import type { Dot } from "../core/dot.js";
import { EnokiError } from "../core/errors.js";
import type { Version } from "../core/item.js";
import { isCrdt, type TypedValue } from "../core/value.js";
import type { WriteOperation } from "./types.js";

/** The operations that change a CRDT value instead of replacing what is there. */
export type CrdtOperation = Exclude<WriteOperation, { op: "set" | "delete" }>;

/**
 * Applies an operation to what a key shows: the join of its CRDT versions, or the empty state.
 * The expiry of what was there is kept.
 * @throws EnokiError `ENOKI_TYPE_MISMATCH` if the key shows a plain value or another CRDT type
 */
export function applyCrdt(
  visible: readonly Version[],
  operation: CrdtOperation,
  at: { readonly dot: Dot; readonly hlc: number },
): { value: TypedValue; expiresAtMs: number } {
  const delta = deltaOf(operation);
  const tag = deltaTag(delta);
  const same = visible.filter((version) => version.value.tag === tag);
  if (same.length < visible.length) {
    const other = visible.find((version) => version.value.tag !== tag) as Version;
    throw new EnokiError(
      "ENOKI_TYPE_MISMATCH",
      `${operation.op} needs another type: the key holds ${isCrdt(other.value.tag) ? "another CRDT" : "a plain value"}`,
    );
  }
  let expiresAtMs = same.length === 0 ? 0 : Number.POSITIVE_INFINITY;
  for (const version of same) {
    expiresAtMs = Math.min(expiresAtMs, version.expiresAtMs || Number.POSITIVE_INFINITY);
  }
  return {
    value: applyDelta(joinStates(tag, visible), delta, at),
    expiresAtMs: Number.isFinite(expiresAtMs) ? expiresAtMs : 0,
  };
}

/** The number that the written counter shows; `undefined` for what is no counter. */
export function counterOf(state: TypedValue, operation: CrdtOperation): number | undefined {
  if (operation.op === "increment" || operation.op === "counter.add") return counterNumber(state);
  if (operation.op === "map.add") return counterNumber(state, operation.field);
  return undefined;
}

function deltaOf(operation: CrdtOperation): Delta {
  switch (operation.op) {
    case "increment":
    case "counter.add":
      return { type: "counter.add", n: integer(operation.n) };
    case "set.add":
    case "set.remove":
      return { type: operation.op, member: operation.member as never };
    case "map.set":
      return { type: "map.set", field: operation.field, value: operation.value as never };
    case "map.add":
      return { type: "map.add", field: operation.field, n: integer(operation.n) };
    case "map.remove":
      return { type: "map.remove", field: operation.field };
  }
}

function integer(n: number): number {
  if (Number.isSafeInteger(n)) return n;
  throw new EnokiError("ENOKI_VALUE_UNSUPPORTED", "a counter takes integers within ±(2^53−1)");
}
