import { ByteReader, ByteWriter } from "../../core/codec.js";
import type { Replica } from "../../core/replica.js";
import type { RowReader } from "../../core/rows.js";
import { TAG, type TypedValue } from "../../core/value.js";
import { Vector } from "../../core/vector.js";
import { handledItemKey } from "../../keygroups/keys.js";

/**
 * What has been handled of a trigger that one member takes up for all: the changes of every commit that
 * the vector covers have ended, or were superseded. It is an item of the keygroup, so whoever has it has
 * everything that its writer had when it was written.
 */
export function readHandled(replica: Replica, reader: RowReader, id: string): Vector {
  const handled = new Vector();
  for (const { value } of replica.read(reader, handledItemKey(id))) {
    if (value.tag === TAG.bytes) handled.join(decode(value.bytes));
  }
  return handled;
}

/** The item that says so. */
export function handledItem(id: string, vector: Vector) {
  return { key: handledItemKey(id), value: encode(vector), expiresAtMs: 0 };
}

function encode(vector: Vector): TypedValue {
  const writer = new ByteWriter();
  vector.encodeTo(writer);
  writer.varint(vector.epoch);
  return { tag: TAG.bytes, bytes: writer.finish() };
}

function decode(bytes: Uint8Array): Vector {
  const reader = new ByteReader(bytes);
  const vector = Vector.decode(reader);
  vector.listMembers([], reader.varint());
  return vector;
}
