import { formatDot } from "../core/dot.js";
import type { KeygroupName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import type { RowWrite } from "../core/rows.js";
import { encodeTrace } from "../core/trace-context.js";
import type { Mutation, Update } from "../core/update.js";
import { TAG } from "../core/value.js";
import { visibleValue } from "../core/visible.js";
import { depthItemKey, onceItemKey } from "./keys.js";
import type { WriteOutcome, WriteRequest } from "./types.js";
import { type PlannedResult, planWrites, type WriteContext } from "./write-plan.js";

/** Sends of a request as local rows of its commit, and what begins once they are committed. */
export interface EncodedSends {
  readonly writes: readonly RowWrite[];
  readonly committed: () => void;
}

/** Turns the sends of a request to `keygroup` into rows. Throws an `EnokiError` to refuse. */
export type SendEncoder = (
  keygroup: KeygroupName,
  sends: NonNullable<WriteRequest["sends"]>,
  origin: WriteRequest["origin"],
) => EncodedSends;

/** A write request, decided: the rows to store with it. */
export interface AppliedWrite {
  readonly outcome: WriteOutcome;
  readonly writes: readonly RowWrite[];
  /** User keys that changed. */
  readonly touched: readonly Uint8Array[];
  /** To be called once it is committed. */
  readonly committed: () => void;
  /** What the other members are to be told; `undefined` if no item changed. */
  readonly update: Update | undefined;
}

const nothing = (): void => {};

/**
 * Decides a request inside the transaction of its turn: conditions, operations, sends and the
 * effect-once key become one commit with one dot, or nothing.
 */
export function applyWrite(
  context: WriteContext,
  request: WriteRequest,
  encodeSends: (sends: NonNullable<WriteRequest["sends"]>) => EncodedSends,
  keepsDepth?: (key: Uint8Array) => boolean,
): AppliedWrite {
  const onceKey = request.once === undefined ? undefined : onceItemKey(request.once);
  const earlier = onceKey && readOutcome(context, onceKey);
  if (earlier)
    return {
      outcome: { ...earlier, repeated: true },
      writes: [],
      touched: [],
      committed: nothing,
      update: undefined,
    };

  const plan = planWrites(context, request);
  const sends = request.sends?.length ? encodeSends(request.sends) : undefined;
  const version = formatDot(context.replica.nextDot());
  const outcome: WriteOutcome = {
    results: plan.results.map((result) => resultOf(result, version)),
    repeated: false,
  };
  const mutations = [...plan.mutations];
  const depth = request.origin?.depth ?? 0;
  if (keepsDepth && depth > 0) {
    for (const { key } of plan.mutations) {
      if (keepsDepth(key)) mutations.push(depthMutation(context, key, depth));
    }
  }
  if (onceKey) {
    mutations.push({
      key: onceKey,
      value: { tag: TAG.json, bytes: Buffer.from(JSON.stringify(outcome), "utf8") },
      expiresAtMs: context.wallMs + LIMITS.onceKeptMs,
      replaces: "all",
    });
  }
  if (mutations.length === 0) {
    return {
      outcome,
      writes: sends?.writes ?? [],
      touched: [],
      committed: sends?.committed ?? nothing,
      update: undefined,
    };
  }
  const effects = context.replica.commit(context.reader, mutations, {
    wallMs: context.wallMs,
    invocation: request.writer,
    trace: request.trace && encodeTrace(request.trace),
  });
  return {
    outcome,
    writes: sends ? [...effects.writes, ...sends.writes] : effects.writes,
    touched: plan.mutations.map((mutation) => mutation.key),
    committed: sends?.committed ?? nothing,
    update: effects.update,
  };
}

/** A plain set says no more than its version, and most writes are one. */
function resultOf(
  { isDelete, existed, value }: PlannedResult,
  version: string,
): WriteOutcome["results"][number] {
  const own = isDelete ? null : version;
  if (existed !== undefined) return { version: own, existed };
  return value === undefined ? { version: own } : { version: own, value };
}

function depthMutation(context: WriteContext, key: Uint8Array, depth: number): Mutation {
  return {
    key: depthItemKey(key),
    value: { tag: TAG.json, bytes: Buffer.from(String(depth), "utf8") },
    expiresAtMs: context.wallMs + LIMITS.triggerDepthKeptMs,
    replaces: "all",
  };
}

function readOutcome(context: WriteContext, onceKey: Uint8Array): WriteOutcome | undefined {
  const { replica, reader, wallMs } = context;
  const value = visibleValue(replica.policy, replica.read(reader, onceKey), replica.nowMs(wallMs));
  if (!value) return undefined;
  return JSON.parse(Buffer.from(value.bytes).toString("utf8")) as WriteOutcome;
}
