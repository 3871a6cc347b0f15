import { ByteReader } from "../../src/core/codec.js";
import { decodeStaged } from "../../src/core/catch-up.js";
import { crdtJson } from "../../src/core/crdt/index.js";
import { formatDot } from "../../src/core/dot.js";
import { decodeItem, type Version } from "../../src/core/item.js";
import {
  META_ROW,
  readFinals,
  readFloor,
  readIdentity,
  readJoining,
  readListed,
  readRecord,
  readState,
} from "../../src/core/meta.js";
import {
  parseDotRow,
  parseExpiryRow,
  parseStagingRow,
  ROW_PREFIX,
  type RowPair,
} from "../../src/core/rows.js";
import { isCrdt } from "../../src/core/value.js";
import type { Vector } from "../../src/core/vector.js";
import type { RowStore } from "./row-store.js";

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Bytes of hexadecimal digits. */
export function unhex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

function describeVersion({ dot, hlc, value, expiresAtMs, invocation, isPinned }: Version) {
  return {
    dot: formatDot(dot),
    hlc,
    tag: value.tag,
    value: hex(value.bytes),
    ...(isCrdt(value.tag) && { shown: Buffer.from(crdtJson(value)).toString("utf8") }),
    expiresAtMs,
    invocation: invocation ? hex(invocation) : null,
    isPinned,
  };
}

function describeVector(vector: Vector): string[] {
  return vector.entries().map(formatDot);
}

function describeMeta(store: RowStore, name: string): unknown {
  switch (name) {
    case "identity":
      return readIdentity(store);
    case "state": {
      const { hlcBound, vector } = readState(store);
      return { hlcBound, vector: describeVector(vector) };
    }
    case "floor":
      return describeVector(readFloor(store));
    case "record":
      return readRecord(store);
    case "listed":
      return readListed(store);
    case "finals":
      return describeVector(readFinals(store));
    case "joining": {
      const progress = readJoining(store);
      if (!progress) return undefined;
      const { at, position } = progress;
      return { epoch: at.epoch, at: describeVector(at), position: describeVector(position) };
    }
    default:
      return Buffer.from(store.get(META_ROW.format) ?? []).toString("latin1");
  }
}

/** What one row says, in words that JSON can keep. */
export function describeRow(store: RowStore, { key, value }: RowPair): unknown {
  switch (key[0]) {
    case ROW_PREFIX.meta: {
      const name = Buffer.from(key.subarray(1)).toString("latin1");
      return { row: `meta ${name}`, says: describeMeta(store, name) };
    }
    case ROW_PREFIX.item:
      return {
        row: "item",
        key: hex(key.subarray(1)),
        live: decodeItem(value).map(describeVersion),
      };
    case ROW_PREFIX.index:
    case ROW_PREFIX.garbage: {
      const { dot, key: itemKey } = parseDotRow(key);
      const row = key[0] === ROW_PREFIX.index ? "index" : "garbage";
      return { row, dot: formatDot(dot), key: hex(itemKey) };
    }
    case ROW_PREFIX.expiry: {
      const { dot, key: itemKey } = parseExpiryRow(key);
      const expiresAtMs = new ByteReader(key, 1).ordered();
      return { row: "expiry", expiresAtMs, dot: formatDot(dot), key: hex(itemKey) };
    }
    case ROW_PREFIX.staging: {
      const { staging, key: itemKey } = parseStagingRow(key);
      const { live, at } = decodeStaged(value);
      const entries = live.map(({ dot, version }) =>
        version ? describeVersion(version) : { dot: formatDot(dot) },
      );
      const said = { row: "staging", staging, key: hex(itemKey), at: describeVector(at) };
      return { ...said, ...(at.epoch > 0 && { epoch: at.epoch }), live: entries };
    }
    default:
      return { row: "local" };
  }
}
