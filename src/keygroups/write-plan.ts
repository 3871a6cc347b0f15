import { EnokiError } from "../core/errors.js";
import { dotsOf, type Version } from "../core/item.js";
import { LIMITS } from "../core/limits.js";
import type { Replica } from "../core/replica.js";
import type { RowReader } from "../core/rows.js";
import { lastPerKey, type Mutation } from "../core/update.js";
import type { TypedValue } from "../core/value.js";
import { versionToken, visibleVersions } from "../core/visible.js";
import { applyCrdt, counterOf } from "./crdt-writes.js";
import { encodeKey } from "./keys.js";
import type { WriteKey, WriteOperation, WriteRequest } from "./types.js";

/** What a write sees of its keygroup, inside the transaction. */
export interface WriteContext {
  readonly replica: Replica;
  readonly reader: RowReader;
  readonly wallMs: number;
  /** Expiry of writes that name none; 0 = never. */
  readonly defaultTtlMs: number;
}

/** What one operation will have done once the plan is committed. */
export interface PlannedResult {
  readonly isDelete: boolean;
  readonly existed?: boolean;
  readonly value?: number;
}

/** The mutations of one commit, decided against one state. */
export interface WritePlan {
  readonly mutations: readonly Mutation[];
  readonly results: readonly PlannedResult[];
}

/** A key as the operations of one batch leave it, one after the other. */
interface StagedKey {
  readonly key: Buffer;
  /** The live versions before the batch, all of which it replaces or none. */
  readonly before: readonly Version[];
  /** What the batch has written so far; `before` while it has written nothing. */
  versions: readonly Version[];
  mutation: Mutation | undefined;
}

/**
 * Decides a write request: checks its conditions and turns its operations into mutations.
 * @throws EnokiError `ENOKI_VERSION_CONFLICT`, `ENOKI_INVALID_KEY`, `ENOKI_VALUE_TOO_LARGE`,
 * `ENOKI_TYPE_MISMATCH`, `ENOKI_INVALID_INPUT`; nothing has been written then
 */
export function planWrites(context: WriteContext, request: WriteRequest): WritePlan {
  if (request.writes.length > LIMITS.batchOperationsMax) {
    throw new EnokiError(
      "ENOKI_INVALID_INPUT",
      `a batch has at most ${LIMITS.batchOperationsMax} operations`,
    );
  }
  const nowMs = context.replica.nowMs(context.wallMs);
  for (const check of request.checks ?? []) {
    checkVersion(context, nowMs, toBytes(check.key), check.version);
  }
  if (request.writes.every(isSet)) return planSets(context, request.writes);
  const staged = new Map<string, StagedKey>();
  const results = request.writes.map((operation) => {
    const name = operation.key.toString();
    let entry = staged.get(name);
    if (!entry) {
      const key = toBytes(operation.key);
      const before = context.replica.read(context.reader, key);
      entry = { key, before, versions: before, mutation: undefined };
      staged.set(name, entry);
    }
    return stage(context, nowMs, entry, operation);
  });
  const mutations: Mutation[] = [];
  for (const { mutation } of staged.values()) if (mutation) mutations.push(mutation);
  return { mutations, results };
}

type SetOperation = Extract<WriteOperation, { op: "set" }>;

function isSet(operation: WriteOperation): operation is SetOperation {
  return operation.op === "set";
}

/** Plain writes, by far the most frequent requests: blind, so nothing has to be read for them. */
function planSets(context: WriteContext, operations: readonly SetOperation[]): WritePlan {
  const mutations = operations.map((operation) => setMutation(context, operation));
  return {
    mutations: mutations.length > 1 ? [...lastPerKey(mutations)] : mutations,
    results: operations.map(() => ({ isDelete: false })),
  };
}

function setMutation(context: WriteContext, operation: SetOperation): Mutation {
  const { value, expiresAtMs, ttlMs } = operation;
  checkValueSize(value);
  return {
    key: toBytes(operation.key),
    value,
    expiresAtMs: expiresAtMs ?? expiryOf(context, ttlMs),
    replaces: "all",
  };
}

/** @throws EnokiError `ENOKI_VERSION_CONFLICT` unless the key shows `version`; `null` = nothing */
export function checkVersion(
  context: WriteContext,
  nowMs: number,
  key: Uint8Array,
  version: string | null,
): void {
  const visible = visibleVersions(
    context.replica.policy,
    context.replica.read(context.reader, key),
    nowMs,
  );
  const current = visible.length === 0 ? null : versionToken(visible);
  if (current === version) return;
  throw new EnokiError(
    "ENOKI_VERSION_CONFLICT",
    current === null ? "the key does not exist" : `the key has version ${current}`,
    { version: current },
  );
}

function toBytes(key: WriteKey): Buffer {
  return typeof key === "string" ? encodeKey(key) : key;
}

/** Absolute expiry of a write; 0 = never. */
export function expiryOf(context: WriteContext, ttlMs: number | undefined): number {
  const chosenMs = ttlMs ?? context.defaultTtlMs;
  return chosenMs === 0 ? 0 : Math.round(context.wallMs + chosenMs);
}

/** @throws EnokiError `ENOKI_VALUE_TOO_LARGE` */
export function checkValueSize(value: TypedValue): void {
  if (value.bytes.length <= LIMITS.valueSizeBytesMax) return;
  throw new EnokiError("ENOKI_VALUE_TOO_LARGE", `the value has ${value.bytes.length} bytes`);
}

function stage(
  context: WriteContext,
  nowMs: number,
  entry: StagedKey,
  operation: WriteOperation,
): PlannedResult {
  const { policy } = context.replica;
  if (operation.op === "set") {
    checkValueSize(operation.value);
    mutate(
      context,
      entry,
      operation.value,
      operation.expiresAtMs ?? expiryOf(context, operation.ttlMs),
    );
    return { isDelete: false };
  }
  const visible = visibleVersions(policy, entry.versions, nowMs);
  if (operation.op === "delete") {
    // A delete of nothing writes nothing, unless the batch itself put something there before.
    if (visible.length > 0) mutate(context, entry, undefined, 0);
    return { isDelete: true, existed: visible.length > 0 };
  }
  const stamp = {
    dot: context.replica.nextDot(),
    hlc: context.replica.nextHlc(context.wallMs),
  };
  const { value, expiresAtMs } = applyCrdt(visible, operation, stamp);
  checkValueSize(value);
  mutate(context, entry, value, visible.length > 0 ? expiresAtMs : expiryOf(context, undefined));
  const counter = counterOf(value, operation);
  return counter === undefined ? { isDelete: false } : { isDelete: false, value: counter };
}

function mutate(
  context: WriteContext,
  entry: StagedKey,
  value: TypedValue | undefined,
  expiresAtMs: number,
): void {
  entry.mutation = { key: entry.key, value, expiresAtMs, replaces: dotsOf(entry.before) };
  entry.versions =
    value === undefined
      ? []
      : [
          {
            dot: context.replica.nextDot(),
            hlc: context.replica.nextHlc(context.wallMs),
            value,
            expiresAtMs,
            invocation: undefined,
            isPinned: false,
          },
        ];
}
