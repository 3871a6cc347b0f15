import { decodeStaged, encodeStaged } from "../../src/core/catch-up.js";
import { ByteReader } from "../../src/core/codec.js";
import { decodeItem, encodeItem } from "../../src/core/item.js";
import {
  finalsWrite,
  floorWrite,
  formatWrite,
  identityWrite,
  joiningWrite,
  listedWrite,
  readFinals,
  readFloor,
  readIdentity,
  readJoining,
  readListed,
  readRecord,
  readState,
  recordWrite,
  stateWrite,
} from "../../src/core/meta.js";
import {
  expiryRowKey,
  garbageRowKey,
  indexRowKey,
  itemKeyOf,
  itemRowKey,
  parseDotRow,
  parseExpiryRow,
  parseStagingRow,
  PRESENT,
  ROW_PREFIX,
  stagingRowKey,
  type RowPair,
  type RowReader,
  type RowWrite,
} from "../../src/core/rows.js";

/** The row that this version writes for what a row of the core says. */
export function rowAgain(store: RowReader, row: RowPair): RowWrite {
  const { key, value } = row;
  switch (key[0]) {
    case ROW_PREFIX.meta:
      return metaAgain(store, Buffer.from(key).toString("latin1", 1));
    case ROW_PREFIX.item:
      return { key: itemRowKey(itemKeyOf(key)), value: encodeItem(decodeItem(value)) };
    case ROW_PREFIX.index:
    case ROW_PREFIX.garbage: {
      const { dot, key: itemKey } = parseDotRow(key);
      const rowKey = key[0] === ROW_PREFIX.index ? indexRowKey : garbageRowKey;
      return { key: rowKey(dot, itemKey), value: PRESENT };
    }
    case ROW_PREFIX.expiry: {
      const { dot, key: itemKey } = parseExpiryRow(key);
      const expiresAtMs = new ByteReader(key, 1).ordered();
      return { key: expiryRowKey(expiresAtMs, dot, itemKey), value: PRESENT };
    }
    case ROW_PREFIX.staging: {
      const { staging, key: itemKey } = parseStagingRow(key);
      const { live, at } = decodeStaged(value);
      const again = encodeStaged({ key: itemKey, live }, at);
      return { key: stagingRowKey(staging, itemKey), value: again };
    }
    default:
      throw new Error(`the core has no rows under ${key[0]}`);
  }
}

function metaAgain(store: RowReader, name: string): RowWrite {
  switch (name) {
    case "format":
      return formatWrite();
    case "identity":
      return identityWrite(readIdentity(store));
    case "state":
      return stateWrite(readState(store));
    case "floor":
      return floorWrite(readFloor(store));
    case "listed":
      return listedWrite(readListed(store));
    case "finals":
      return finalsWrite(readFinals(store));
    case "record":
      return recordWrite(readRecord(store));
    case "joining": {
      const progress = readJoining(store);
      if (progress) return joiningWrite(progress);
    }
  }
  throw new Error(`no meta row is ${name}`);
}
