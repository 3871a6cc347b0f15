import { ByteReader, ByteWriter } from "../codec.js";
import type { Dot } from "../dot.js";
import { utf8Bytes, utf8Text } from "../text.js";
import { Vector } from "../vector.js";
import { canonicalJson, type Json } from "./json.js";
import { joinTags, readTags, writeTags, type Tags } from "./tags.js";

/** An observed-remove set of JSON values: of a concurrent add and remove, the add wins. */
export interface SetState {
  /** The set's commits that this state has seen. */
  readonly context: Vector;
  /** Canonical JSON text of each member → the adds that put it there. */
  readonly members: ReadonlyMap<string, Tags>;
}

/** A set nobody has added to. */
export const EMPTY_SET: SetState = { context: new Vector(), members: new Map() };

/** Adds a member, in the commit named by `dot`. */
export function addToSet(state: SetState, member: Json, dot: Dot): SetState {
  const members = new Map(state.members);
  members.set(canonicalJson(member), [dot]);
  return { context: withDot(state.context, dot), members };
}

/** Removes the adds of a member that this state has seen. */
export function removeFromSet(state: SetState, member: Json, dot: Dot): SetState {
  const members = new Map(state.members);
  members.delete(canonicalJson(member));
  return { context: withDot(state.context, dot), members };
}

/** The state that holds both. */
export function joinSets(left: SetState, right: SetState): SetState {
  const members = new Map<string, Tags>();
  for (const text of new Set([...left.members.keys(), ...right.members.keys()])) {
    const tags = joinTags(
      { tags: left.members.get(text) ?? [], context: left.context },
      { tags: right.members.get(text) ?? [], context: right.context },
    );
    if (tags.length > 0) members.set(text, tags);
  }
  const context = left.context.clone();
  context.join(right.context);
  return { context, members };
}

/** The members as a JSON array, in the order of their canonical texts. */
export function setJson(state: SetState): string {
  return `[${[...state.members.keys()].sort().join(",")}]`;
}

/** Canonical bytes of the state. */
export function encodeSet(state: SetState): Uint8Array {
  const writer = new ByteWriter();
  state.context.encodeTo(writer);
  writer.varint(state.members.size);
  for (const text of [...state.members.keys()].sort()) {
    writer.sized(utf8Bytes(text));
    writeTags(writer, state.members.get(text) as Tags);
  }
  return writer.finish();
}

/** Reads what {@link encodeSet} wrote. */
export function decodeSet(bytes: Uint8Array): SetState {
  const reader = new ByteReader(bytes);
  const context = Vector.decode(reader);
  const members = new Map<string, Tags>();
  for (let left = reader.varint(); left > 0; left--) {
    const text = utf8Text(reader.take(reader.varint()));
    members.set(text, readTags(reader));
  }
  return { context, members };
}

function withDot(context: Vector, dot: Dot): Vector {
  const next = context.clone();
  next.raise(dot);
  return next;
}
