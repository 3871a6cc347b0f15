import type { NamingChange, NamingEntry } from "../../ports/naming.js";
import { EtcdFailure } from "./failure.js";

/** etcd's JSON: bytes are base64, 64-bit numbers are text, and what is zero is left out. */
export interface WireHeader {
  readonly cluster_id?: string;
  readonly revision?: string;
}

/** One stored key. */
interface WireKeyValue {
  readonly key?: string;
  readonly value?: string;
  readonly mod_revision?: string;
  readonly lease?: string;
}

/** Answer to a range. */
export interface WireRange {
  readonly header?: WireHeader;
  readonly kvs?: readonly WireKeyValue[];
}

/** Answer to a transaction. */
export interface WireTransaction {
  readonly succeeded?: boolean;
  readonly responses?: readonly { readonly response_range?: WireRange }[];
}

/** One line of a watch. */
export interface WireWatch {
  readonly result?: {
    readonly header?: WireHeader;
    readonly created?: boolean;
    readonly canceled?: boolean;
    readonly compact_revision?: string;
    readonly cancel_reason?: string;
    readonly events?: readonly { readonly type?: string; readonly kv?: WireKeyValue }[];
  };
  readonly error?: { readonly message?: string; readonly grpc_code?: number };
}

/** Text as base64 of its UTF-8. */
export function encodeText(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

function decodeText(text: string | undefined): string {
  return Buffer.from(text ?? "", "base64").toString("utf8");
}

/** The keys that begin with `prefix`, which must not be empty. */
export function rangeOf(prefix: string): { readonly key: string; readonly range_end: string } {
  const end = Buffer.from(prefix, "utf8");
  // The last byte of UTF-8 is never 0xff.
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return { key: encodeText(prefix), range_end: end.toString("base64") };
}

/** A revision; `0` where there is none. */
export function revisionOf(text: string | undefined): number {
  const revision = Number(text ?? 0);
  if (Number.isSafeInteger(revision)) return revision;
  throw new EtcdFailure("refused", "etcd sends a revision that is no number");
}

/** Reads one JSON text of an answer. @throws EtcdFailure */
export function parseWire<T extends object>(text: string): T {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) return parsed as T;
  } catch {
    // Said below.
  }
  throw new EtcdFailure("refused", "the answer is no JSON of etcd's");
}

/** A stored key as an entry, its name without `root`. */
export function entryOf(root: string, wire: WireKeyValue): NamingEntry {
  return {
    key: decodeText(wire.key).slice(root.length),
    value: decodeText(wire.value),
    revision: revisionOf(wire.mod_revision),
  };
}

/** The events of one line of a watch by their transactions, in order. */
export function transactionsOf(root: string, wire: WireWatch): NamingChange[][] {
  const transactions: NamingChange[][] = [];
  for (const { type, kv = {} } of wire.result?.events ?? []) {
    const entry = entryOf(root, kv);
    const change = type === "DELETE" ? { ...entry, value: undefined } : entry;
    const last = transactions.at(-1);
    if (last?.[0]?.revision === change.revision) last.push(change);
    else transactions.push([change]);
  }
  return transactions;
}
