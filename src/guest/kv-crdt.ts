import { EnokiError } from "../core/errors.js";
import { decodeJsonReply } from "../channel/replies.js";
import { checkAmount, checkJsonMember, refuseFresh } from "./kv-values.js";
import type { OperationPort } from "./operations.js";
import type { Counter, Json, MapOf, SetOf } from "./types.js";

/** Reads `{"value": number}`. */
export function decodeNumber(payload: Buffer): number {
  return decodeJsonReply(payload)["value"] as number;
}

function decodeAny<T>(payload: Buffer): T {
  return decodeJsonReply(payload)["value"] as T;
}

function decodeNothing(): undefined {
  return undefined;
}

/** The counter under `key`. */
export function counterOf(operations: OperationPort, key: string): Counter {
  return {
    add: async (n = 1) =>
      operations.json({ op: "counter.add", key, n: checkAmount(n) }, decodeNumber),
    value: async (options?: unknown) => {
      refuseFresh("value()", options);
      return operations.json({ op: "counter.value", key }, decodeNumber);
    },
  };
}

/** The set under `key`. */
export function setOf<T extends Json>(operations: OperationPort, key: string): SetOf<T> {
  return {
    add: async (member) =>
      operations.json({ op: "set.add", key, member: checkJsonMember(member) }, decodeNothing),
    remove: async (member) =>
      operations.json({ op: "set.remove", key, member: checkJsonMember(member) }, decodeNothing),
    value: async (options?: unknown) => {
      refuseFresh("value()", options);
      return operations.json({ op: "set.value", key }, decodeAny<T[]>);
    },
  };
}

/** The map under `key`. */
export function mapOf(operations: OperationPort, key: string): MapOf {
  return {
    set: async (field, value) =>
      operations.json(
        { op: "map.set", key, field: checkField(field), value: checkJsonMember(value) },
        decodeNothing,
      ),
    add: async (field, n = 1) =>
      operations.json(
        { op: "map.add", key, field: checkField(field), n: checkAmount(n) },
        decodeNumber,
      ),
    remove: async (field) =>
      operations.json({ op: "map.remove", key, field: checkField(field) }, decodeNothing),
    value: async (options?: unknown) => {
      refuseFresh("value()", options);
      return operations.json({ op: "map.value", key }, decodeAny<Record<string, Json>>);
    },
  };
}

function checkField(field: unknown): string {
  if (typeof field === "string" && field.isWellFormed()) return field;
  throw new EnokiError("ENOKI_VALUE_UNSUPPORTED", "a field of a map is named by a string");
}
