import { isUtf8 } from "node:buffer";

import { findJsonFault } from "../base/json-scan.js";
import { decodeBatch, type BatchRequest } from "../channel/batches.js";
import { decodeKeyOperation, decodeSet } from "../channel/operations.js";
import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import { TAG, type TypedValue } from "../core/value.js";
import type { Asker } from "./asker.js";
import { checkKey } from "./keys.js";
import type { WriteOperation, WriteRequest } from "./types.js";

/** The key of an operation on one. @throws EnokiError `ENOKI_INVALID_KEY` */
export function keyOf(payload: Buffer): Buffer {
  return checkKey(decodeKeyOperation(payload));
}

/** What a write says of the call that makes it. */
export function onBehalfOf(
  asker: Asker | undefined,
): Pick<WriteRequest, "writer" | "trace" | "origin"> {
  return { writer: asker?.idBytes, trace: asker?.trace, origin: asker?.origin };
}

/** A `delete` as it was asked for. @throws EnokiError `ENOKI_INVALID_KEY` */
export function deleteRequest(payload: Buffer, asker: Asker | undefined): WriteRequest {
  return { writes: [{ op: "delete", key: keyOf(payload) }], ...onBehalfOf(asker) };
}

/** A plain or conditional set of one key, the most frequent write: always an object of one shape. */
export function setRequest(payload: Buffer, asker: Asker | undefined): WriteRequest {
  const request = decodeSet(payload);
  const key = checkKey(request.key);
  if (request.ifVersion !== undefined && request.ifAbsent) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "ifVersion and ifAbsent exclude each other");
  }
  const ttlMs = checkTtl(request.ttlMs);
  const isPlain = request.ifVersion === undefined && !request.ifAbsent;
  return {
    writes: [{ op: "set", key, value: plainValue(request.tag, request.value), ttlMs }],
    checks: isPlain ? undefined : [{ key, version: request.ifVersion ?? null }],
    writer: asker?.idBytes,
    trace: asker?.trace,
    origin: asker?.origin,
  };
}

/** A `batch` as it was asked for. @throws EnokiError for whatever in it is not allowed */
export function batchRequest(payload: Buffer, asker: Asker | undefined): WriteRequest {
  const { checks, writes, sends, once } = decodeBatch(payload);
  const most = LIMITS.batchOperationsMax;
  if (Math.max(checks.length, writes.length, sends.length) > most) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `a batch has at most ${most} parts of a kind`);
  }
  return {
    checks: checks.map(({ key, version }) => ({ key: checkKey(key), version })),
    writes: writes.map(batchWrite),
    sends: sends.map(({ function: name, data, orderKey }) => ({
      function: name,
      data: plainValue(data.tag, data.bytes),
      orderKey: checkOrderKey(orderKey),
    })),
    ...(once !== null && { once }),
    ...onBehalfOf(asker),
  };
}

function batchWrite(write: BatchRequest["writes"][number]): WriteOperation {
  const key = checkKey(write.key);
  switch (write.op) {
    case "set": {
      const { tag, bytes } = write.value;
      return { op: "set", key, value: plainValue(tag, bytes), ttlMs: checkTtl(write.ttlMs) };
    }
    case "delete":
      return { op: "delete", key };
    case "increment":
      if (Number.isFinite(write.n)) return { op: "increment", key: key.toString(), n: write.n };
      throw new EnokiError("ENOKI_INVALID_INPUT", `${write.n} cannot be added`);
  }
}

function checkTtl(ttlMs: number | undefined): number | undefined {
  if (ttlMs === undefined || (ttlMs > 0 && Number.isFinite(ttlMs))) return ttlMs;
  throw new EnokiError("ENOKI_INVALID_INPUT", "a ttl is longer than nothing");
}

function checkOrderKey(orderKey: string | undefined): string | undefined {
  const most = LIMITS.idempotencyKeyBytesMax;
  if (orderKey === undefined || Buffer.byteLength(orderKey) <= most) return orderKey;
  throw new EnokiError("ENOKI_INVALID_INPUT", `an order key has at most ${most} bytes`);
}

/** @throws EnokiError `ENOKI_VALUE_UNSUPPORTED` for bytes or a tag that no reader could make sense of */
function plainValue(tag: number, bytes: Buffer): TypedValue {
  if (tag === TAG.bytes) return { tag, bytes };
  if (tag !== TAG.str && tag !== TAG.json) {
    throw new EnokiError("ENOKI_VALUE_UNSUPPORTED", `no plain value has the tag ${tag}`);
  }
  if (!isUtf8(bytes)) throw new EnokiError("ENOKI_VALUE_UNSUPPORTED", "the value is not UTF-8");
  const fault = tag === TAG.json ? findJsonFault(bytes, LIMITS.jsonDepthMax) : undefined;
  if (fault) {
    const why = fault.isTooDeep ? `nested deeper than ${LIMITS.jsonDepthMax}` : "not JSON";
    throw new EnokiError("ENOKI_VALUE_UNSUPPORTED", `the value is ${why}`);
  }
  return { tag, bytes };
}
