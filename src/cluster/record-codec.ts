import * as z from "zod";

import { EnokiError } from "../core/errors.js";
import { parseFunctionName, parseKeygroupName, parseNodeName } from "../core/ids.js";
import { isLabel } from "../core/labels.js";
import { LIMITS } from "../core/limits.js";
import { RIGHTS, ROLES } from "../core/rights.js";
import {
  functionKey,
  functionNodeKey,
  keygroupKey,
  nodeKey,
  parseRecordKey,
  TOKEN_ID,
  tokenKey,
} from "./record-keys.js";
import type {
  ClusterFunctionRecord,
  FunctionNodeRecord,
  KeygroupRecord,
  NodeRecord,
  TokenRecord,
} from "./records.js";

/** Format of all records. A record of a greater one was written by a newer Enoki. */
const RECORD_FORMAT = 1;

/** The records by their kinds. */
export interface RecordsByKind {
  readonly node: NodeRecord;
  readonly function: ClusterFunctionRecord;
  readonly "function-node": FunctionNodeRecord;
  readonly keygroup: KeygroupRecord;
  readonly token: TokenRecord;
}

/** A record of any kind. */
export type AnyRecord = {
  readonly [K in keyof RecordsByKind]: { readonly kind: K; readonly record: RecordsByKind[K] };
}[keyof RecordsByKind];

/** A record that is never deleted and counts its changes, so that it has an order of its own. */
export type LastingRecord = Extract<AnyRecord, { kind: "function" | "keygroup" | "token" }>;

/** True for records that are only lost, never deleted. */
export function isLasting(known: AnyRecord): known is LastingRecord {
  return known.kind === "function" || known.kind === "keygroup" || known.kind === "token";
}

function name<T>(parse: (text: unknown) => T): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue((error as Error).message);
      return z.NEVER;
    }
  });
}

const nodeName = name(parseNodeName);
const functionName = name(parseFunctionName);
const count = z.number().int().nonnegative();
const ordinal = z.number().int().positive();
const line = z.string().max(1024);
/** Unknown members stay: a node of an older version must not lose what a newer one wrote. */
const format = z.literal(RECORD_FORMAT);

const nodeSchema = z.looseObject({
  format,
  name: nodeName,
  disk: line.min(1),
  addresses: z.array(z.string().regex(/^[^\s]{1,255}:\d{1,5}$/, "expected HOST:PORT")).max(16),
  version: line,
  platform: line,
  python: line.optional(),
  labels: z
    .record(z.string(), z.string())
    .refine(
      (labels) => Object.entries(labels).every(([key, value]) => isLabel(`${key}=${value}`)),
      {
        error: "a label is NAME=VALUE of letters, digits, dots, hyphens and underscores",
      },
    ),
  storage: line,
});

const functionSchema = z
  .looseObject({
    format,
    name: functionName,
    serial: ordinal,
    isRemoved: z.boolean(),
    lineage: line.min(1).optional(),
    current: count,
    last: count,
    revisions: z
      .array(
        z.looseObject({
          number: ordinal,
          deploy: line.min(1),
          source: z.string().regex(/^[A-Za-z0-9:-]{1,128}$/, "expected a content hash"),
          runtime: line.min(1),
          config: z.record(z.string(), z.unknown()),
          deployedOn: nodeName,
          deployedAtMs: count,
        }),
      )
      .max(LIMITS.revisionsKeptMax),
    targets: z.looseObject({
      nodes: z.array(nodeName),
      labels: z.array(z.string().refine(isLabel, { error: "expected NAME=VALUE" })),
      isAll: z.boolean(),
    }),
  })
  .refine(
    ({ isRemoved, current, last, revisions }) =>
      isRemoved
        ? current === 0
        : revisions.some(({ number }) => number === current) &&
          revisions.every(({ number }) => number <= last),
    { error: "its current revision is not among its revisions" },
  );

const functionNodeSchema = z.looseObject({
  format,
  function: functionName,
  node: nodeName,
  state: z.enum(["pending", "ready", "failed"]),
  revision: count,
  serving: count,
  reason: z.string().optional(),
});

/** The grants of one keygroup: each grantee once, by a name that cannot be taken for another one. */
export const grantsSchema = z
  .array(
    z.looseObject({
      kind: z.enum(["function", "token"]),
      id: functionName,
      rights: z.array(z.enum(RIGHTS)).min(1),
    }),
  )
  .refine(
    (grants) => new Set(grants.map(({ kind, id }) => `${kind}:${id}`)).size === grants.length,
    {
      error: "a grantee stands there twice",
    },
  );

const keygroupSchema = z
  .looseObject({
    format,
    name: name(parseKeygroupName),
    serial: ordinal,
    generation: ordinal,
    epoch: ordinal,
    isDropped: z.boolean(),
    members: z.array(
      z.looseObject({
        node: nodeName,
        epoch: ordinal,
        isFounder: z.boolean(),
        durability: z.enum(["relaxed", "strict"]),
        disk: line.optional(),
      }),
    ),
    past: z.array(ordinal),
    settings: z.looseObject({ policy: z.enum(["lww", "siblings", "merge"]), ttlMs: count }),
    placement: z.union([
      z.strictObject({ kind: z.literal("replicate") }),
      z.strictObject({ kind: z.literal("at"), node: nodeName }),
    ]),
    grants: grantsSchema,
  })
  .refine(({ isDropped, members }) => isDropped === (members.length === 0), {
    error: "a keygroup has members unless it was dropped",
  })
  .refine(
    ({ epoch, members, past }) => {
      const epochs = [...members.map((member) => member.epoch), ...past];
      return new Set(epochs).size === epochs.length && epochs.every((joined) => joined <= epoch);
    },
    { error: "an epoch names two members, or lies ahead" },
  )
  .refine(({ members }) => new Set(members.map(({ node }) => node)).size === members.length, {
    error: "a node is a member twice",
  });

const tokenSchema = z.looseObject({
  format,
  id: z.string().regex(TOKEN_ID, "expected 16 hexadecimal digits"),
  serial: ordinal,
  name: functionName,
  role: z.enum(ROLES),
  hash: z.string().regex(/^[0-9a-f]{64}$/, "expected a SHA-256 hash"),
  createdAtMs: count,
  expiresAtMs: count.optional(),
  isRevoked: z.boolean(),
});

/**
 * Reads the record of a key.
 * @returns `undefined` if the key is none of ours
 * @throws EnokiError `ENOKI_NAMING_RECORD` saying what is wrong with it
 */
export function decodeRecord(key: string, value: string): AnyRecord | undefined {
  const parsed = parseRecordKey(key);
  if (parsed === undefined) return undefined;
  const { kind } = parsed;
  let json: unknown;
  try {
    json = JSON.parse(value);
  } catch {
    throw unreadable(key, "it is no JSON");
  }
  const written = (json as { format?: unknown } | null)?.format;
  if (typeof written === "number" && written > RECORD_FORMAT) {
    throw unreadable(key, `it has format ${written}; this version reads ${RECORD_FORMAT}`);
  }
  const result = SCHEMAS[kind].safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    const path = issue?.path.map(String).join(".");
    throw unreadable(key, [path, issue?.message].filter(Boolean).join(": "));
  }
  const { format: _format, ...record } = result.data;
  const any = { kind, record } as unknown as AnyRecord;
  if (keyOf(any) !== key) throw unreadable(key, "it is the record of another name");
  return any;
}

const SCHEMAS = {
  node: nodeSchema,
  function: functionSchema,
  "function-node": functionNodeSchema,
  keygroup: keygroupSchema,
  token: tokenSchema,
} as const;

/**
 * Writes a record, having checked it like one that is read.
 * @throws EnokiError `ENOKI_INVALID_INPUT` if it is too large or not a record that can be read again
 */
export function encodeRecord(any: AnyRecord): string {
  const key = keyOf(any);
  const text = JSON.stringify({ format: RECORD_FORMAT, ...any.record });
  if (sizeOf(text) > LIMITS.namingRecordBytesMax) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `the record ${key} would be larger than 256 KiB`);
  }
  try {
    decodeRecord(key, text);
  } catch (error) {
    throw new EnokiError("ENOKI_INVALID_INPUT", (error as Error).message);
  }
  return text;
}

/** Bytes of UTF-8, at most. */
function sizeOf(text: string): number {
  return text.length > LIMITS.namingRecordBytesMax
    ? text.length
    : new TextEncoder().encode(text).length;
}

/** The key of a record. */
export function keyOf(any: AnyRecord): string {
  switch (any.kind) {
    case "node":
      return nodeKey(any.record.name);
    case "function":
      return functionKey(any.record.name);
    case "function-node":
      return functionNodeKey(any.record.function, any.record.node);
    case "keygroup":
      return keygroupKey(any.record.name);
    case "token":
      return tokenKey(any.record.id);
  }
}

function unreadable(key: string, detail: string): EnokiError {
  return new EnokiError("ENOKI_NAMING_RECORD", `the record ${key}: ${detail}`);
}
