import * as z from "zod";

import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import type { TraceContext } from "../core/trace-context.js";
import type { TypedValue } from "../core/value.js";
import { parseInput } from "../input/parse-input.js";
import type { SendOrigin } from "./asker.js";
import { readJsonValue, showJsonValue } from "./json-values.js";
import type { KeygroupFacade, WriteOperation, WriteOutcome, WriteRequest } from "./types.js";

/** A plain value inside JSON. */
export const jsonValueSchema = z
  .discriminatedUnion("t", [
    z.strictObject({ t: z.literal("str"), v: z.string() }),
    z.strictObject({ t: z.literal("bytes"), v: z.string().describe("base64") }),
    z.strictObject({ t: z.literal("json"), v: z.unknown() }),
  ])
  .meta({ id: "Value" });

const key = z.string();
const field = z.string();
const n = z.number();
const batchPart = { max: LIMITS.batchOperationsMax } as const;

const batchWriteSchema = z.discriminatedUnion("op", [
  z.strictObject({
    op: z.literal("set"),
    key,
    value: jsonValueSchema,
    ttlMs: z.number().positive().optional(),
  }),
  z.strictObject({ op: z.literal("delete"), key }),
  z.strictObject({ op: z.literal("increment"), key, n }),
]);

const batchSchema = z.strictObject({
  op: z.literal("batch"),
  checks: z
    .array(z.strictObject({ key, version: z.string().nullable() }))
    .max(batchPart.max)
    .optional(),
  writes: z.array(batchWriteSchema).max(batchPart.max).optional(),
  sends: z
    .array(
      z.strictObject({
        function: z.string(),
        data: jsonValueSchema,
        orderKey: z
          .string()
          .max(LIMITS.idempotencyKeyBytesMax)
          .refine((text) => Buffer.byteLength(text) <= LIMITS.idempotencyKeyBytesMax, {
            error: `an order key has at most ${LIMITS.idempotencyKeyBytesMax} bytes`,
          })
          .optional(),
      }),
    )
    .max(batchPart.max)
    .optional(),
  once: z.string().nullable().optional(),
});

/** The JSON operations of `docs/internals/function-channel.md`, but for `watch` and `unwatch`. */
export const jsonOperationSchema = z
  .discriminatedUnion("op", [
    z.strictObject({ op: z.literal(["get", "entry", "exists", "siblings"]), key }),
    z.strictObject({ op: z.literal("getMany"), keys: z.array(key).max(LIMITS.scanPageItemsMax) }),
    z.strictObject({ op: z.literal(["increment", "counter.add"]), key, n }),
    z.strictObject({ op: z.literal(["counter.value", "set.value", "map.value"]), key }),
    z.strictObject({ op: z.literal(["set.add", "set.remove"]), key, member: z.unknown() }),
    z.strictObject({ op: z.literal("map.set"), key, field, value: z.unknown() }),
    z.strictObject({ op: z.literal("map.add"), key, field, n }),
    z.strictObject({ op: z.literal("map.remove"), key, field }),
    batchSchema,
  ])
  .meta({ id: "Operation" });

/** A checked request. */
export type JsonOperation = z.output<typeof jsonOperationSchema>;

/** What an operation needs to know beyond its own request. */
export interface OperationContext {
  /** 16 bytes of the invocation that asks, if one does. */
  readonly writer?: Uint8Array | undefined;
  readonly trace?: TraceContext | undefined;
  /** What goes along with what that sends. */
  readonly origin?: SendOrigin | undefined;
}

/**
 * Runs one JSON operation on a keygroup and resolves with its reply, ready to be written as JSON.
 * `watch` and `unwatch` belong to a channel and are not served here.
 * @throws EnokiError `ENOKI_INVALID_INPUT` for a malformed request, else what the keygroup throws
 */
export async function executeJsonOperation(
  keygroup: KeygroupFacade,
  request: unknown,
  context: OperationContext,
): Promise<unknown> {
  const operation = parseJsonOperation(request);
  return readJsonReply(keygroup, operation) ?? writeJsonReply(keygroup, operation, context);
}

/** Checks a request. @throws EnokiError `ENOKI_INVALID_INPUT` */
export function parseJsonOperation(request: unknown): JsonOperation {
  return parseInput(jsonOperationSchema, request);
}

/** The reply to an operation that only reads, at once; `undefined` for one that writes. */
export function readJsonReply(keygroup: KeygroupFacade, operation: JsonOperation): unknown {
  switch (operation.op) {
    case "get":
    case "entry":
    case "exists":
    case "siblings":
    case "getMany":
      return read(keygroup, operation);
    case "counter.value":
      return { value: crdtValue(keygroup, operation.key, 0) };
    case "set.value":
      return { value: crdtValue(keygroup, operation.key, []) };
    case "map.value":
      return { value: crdtValue(keygroup, operation.key, {}) };
    default:
      return undefined;
  }
}

/** Runs an operation for which {@link readJsonReply} has no reply. */
export async function writeJsonReply(
  keygroup: KeygroupFacade,
  operation: JsonOperation,
  context: OperationContext,
): Promise<unknown> {
  if (operation.op === "batch") return commitBatch(keygroup, operation, context);
  return change(keygroup, operation as ChangeOperation, context);
}

type ReadOperation = Extract<
  JsonOperation,
  { op: "get" | "entry" | "exists" | "siblings" | "getMany" }
>;

function read(keygroup: KeygroupFacade, operation: ReadOperation): unknown {
  if (operation.op === "getMany") {
    return { values: getMany(operation.keys, (key) => keygroup.get(key)).map(shownValue) };
  }
  switch (operation.op) {
    case "get":
      return { value: shownValue(keygroup.get(operation.key)) };
    case "exists":
      return { exists: keygroup.get(operation.key) !== undefined };
    case "siblings":
      return { values: keygroup.siblings(operation.key).map(showJsonValue) };
    case "entry": {
      const entry = keygroup.entry(operation.key);
      if (entry === undefined) return { entry: null };
      const { value, version, expiresAtMs } = entry;
      return { entry: { value: showJsonValue(value), version, expiresAtMs } };
    }
  }
}

function shownValue(value: TypedValue | undefined): unknown {
  return value === undefined ? null : showJsonValue(value);
}

/**
 * The values of several keys.
 * @throws EnokiError `ENOKI_VALUE_TOO_LARGE` as soon as they cannot be in one reply: a key may be
 * named many times
 */
export function getMany<Key, Value extends { readonly bytes: Uint8Array }>(
  keys: readonly Key[],
  get: (key: Key) => Value | undefined,
): (Value | undefined)[] {
  let sizeBytes = 0;
  return keys.map((key) => {
    const value = get(key);
    sizeBytes += value?.bytes.length ?? 0;
    if (sizeBytes > LIMITS.frameBytesMax) throw replyTooLarge();
    return value;
  });
}

/** A reply that no frame holds. */
export function replyTooLarge(): EnokiError {
  const limit = `${LIMITS.frameBytesMax / (1024 * 1024)} MiB`;
  return new EnokiError("ENOKI_VALUE_TOO_LARGE", `a message to a function has at most ${limit}`);
}

/** What the CRDT at `key` shows, or `absent`; its kind is told by the kind of `absent`. */
function crdtValue(keygroup: KeygroupFacade, key: string, absent: unknown): unknown {
  const stored = keygroup.get(key);
  if (stored === undefined) return absent;
  const shown = showJsonValue(stored);
  if (shown.t === "json" && kindOf(shown.v) === kindOf(absent)) return shown.v;
  throw new EnokiError("ENOKI_TYPE_MISMATCH", `${JSON.stringify(key)} holds no such type`);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

type ChangeOperation = Extract<
  JsonOperation,
  {
    op:
      | "increment"
      | "counter.add"
      | "set.add"
      | "set.remove"
      | "map.set"
      | "map.add"
      | "map.remove";
  }
>;

async function change(
  keygroup: KeygroupFacade,
  operation: ChangeOperation,
  context: OperationContext,
): Promise<unknown> {
  // why: members and fields are checked like any JSON that is to be stored.
  if ("member" in operation) readJsonValue({ t: "json", v: operation.member });
  if ("field" in operation) readJsonValue({ t: "str", v: operation.field });
  if (operation.op === "map.set") readJsonValue({ t: "json", v: operation.value });
  const outcome = await keygroup.write({ writes: [operation], ...context });
  const result = outcome.results[0] as WriteOutcome["results"][number];
  switch (operation.op) {
    case "increment":
      return { value: result.value, version: result.version };
    case "counter.add":
    case "map.add":
      return { value: result.value };
    default:
      return {};
  }
}

async function commitBatch(
  keygroup: KeygroupFacade,
  batch: z.output<typeof batchSchema>,
  context: OperationContext,
): Promise<unknown> {
  const request: WriteRequest = {
    checks: batch.checks ?? [],
    writes: (batch.writes ?? []).map(readBatchWrite),
    sends: (batch.sends ?? []).map((send) => ({
      function: send.function,
      data: readJsonValue(send.data),
      ...(send.orderKey !== undefined && { orderKey: send.orderKey }),
    })),
    ...(batch.once != null ? { once: batch.once } : {}),
    ...context,
  };
  const outcome = await keygroup.write(request);
  return {
    versions: outcome.results.map((result) => result.version),
    repeated: outcome.repeated,
  };
}

function readBatchWrite(write: z.output<typeof batchWriteSchema>): WriteOperation {
  if (write.op !== "set") return write;
  const { op, key, ttlMs } = write;
  const value = readJsonValue(write.value);
  return { op, key, value, ttlMs };
}
