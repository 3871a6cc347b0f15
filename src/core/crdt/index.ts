import { assert } from "../../base/assert.js";
import { equalBytes } from "../../base/bytes.js";
import { compareDots, type Dot } from "../dot.js";
import type { Version } from "../item.js";
import { utf8Bytes, utf8Text } from "../text.js";
import { TAG, type Tag, type TypedValue } from "../value.js";
import type { Json } from "./json.js";
import * as counters from "./counter.js";
import * as maps from "./map.js";
import * as sets from "./or-set.js";

/**
 * The CRDT types as stored values. A write reads the live versions in its transaction, joins the
 * visible ones of its type ({@link joinStates}), applies its change, and replaces all it has read.
 *
 * Deletes: a delete replaces the state it has seen. An update that is concurrent with the delete
 * survives with its whole state, also with the parts that the delete had seen. An update that has
 * seen the delete starts from the empty state.
 */

/** One change of a CRDT value. */
export type Delta =
  | { readonly type: "counter.add"; readonly n: number }
  | { readonly type: "set.add" | "set.remove"; readonly member: Json }
  | { readonly type: "map.set"; readonly field: string; readonly value: Json }
  | { readonly type: "map.add"; readonly field: string; readonly n: number }
  | { readonly type: "map.remove"; readonly field: string };

/** The type of value that a delta changes. */
export function deltaTag(delta: Delta): Tag {
  if (delta.type === "counter.add") return TAG.counter;
  return delta.type.startsWith("set.") ? TAG.set : TAG.map;
}

/**
 * The join of all versions of the type `tag`, folded in the order of dots; the empty state if there
 * is none.
 */
export function joinStates(tag: Tag, versions: readonly Version[]): TypedValue {
  const states = versions
    .filter((version) => version.value.tag === tag)
    .sort((left, right) => compareDots(left.dot, right.dot))
    .map((version) => version.value.bytes);
  const only = states[0];
  if (states.length === 1 && only) return { tag, bytes: only };
  return { tag, bytes: joinBytes(tag, states) };
}

function joinBytes(tag: Tag, states: readonly Uint8Array[]): Uint8Array {
  switch (tag) {
    case TAG.counter: {
      const joined = states.map(counters.decodeCounter);
      return counters.encodeCounter(joined.reduce(counters.joinCounters, counters.EMPTY_COUNTER));
    }
    case TAG.set:
      return sets.encodeSet(states.map(sets.decodeSet).reduce(sets.joinSets, sets.EMPTY_SET));
    default:
      assert(tag === TAG.map, "only CRDT values can be joined");
      return maps.encodeMap(states.map(maps.decodeMap).reduce(maps.joinMaps, maps.EMPTY_MAP));
  }
}

/**
 * Applies `delta` to a state of its type, as the commit with that dot and hybrid time
 * (`Replica.nextDot`, `Replica.nextHlc`).
 * @throws EnokiError `ENOKI_VALUE_UNSUPPORTED` for a counter beyond ±(2^53−1) or what is no JSON
 */
export function applyDelta(
  state: TypedValue,
  delta: Delta,
  at: { readonly dot: Dot; readonly hlc: number },
): TypedValue {
  assert(state.tag === deltaTag(delta), "a delta must meet a state of its type");
  return { tag: state.tag, bytes: applyToBytes(state.bytes, delta, at) };
}

function applyToBytes(
  bytes: Uint8Array,
  delta: Delta,
  at: { readonly dot: Dot; readonly hlc: number },
): Uint8Array {
  const { dot } = at;
  switch (delta.type) {
    case "counter.add":
      return counters.encodeCounter(
        counters.addToCounter(counters.decodeCounter(bytes), delta.n, dot),
      );
    case "set.add":
      return sets.encodeSet(sets.addToSet(sets.decodeSet(bytes), delta.member, dot));
    case "set.remove":
      return sets.encodeSet(sets.removeFromSet(sets.decodeSet(bytes), delta.member, dot));
    case "map.set":
      return maps.encodeMap(maps.setField(maps.decodeMap(bytes), delta.field, delta.value, at));
    case "map.add":
      return maps.encodeMap(maps.addToField(maps.decodeMap(bytes), delta.field, delta.n, at));
    case "map.remove":
      return maps.encodeMap(maps.removeField(maps.decodeMap(bytes), delta.field, dot));
  }
}

/** What readers are shown of a CRDT value: JSON text in UTF-8. */
export function crdtJson(state: TypedValue): Uint8Array {
  switch (state.tag) {
    case TAG.counter:
      return utf8Bytes(String(counters.counterValue(counters.decodeCounter(state.bytes))));
    case TAG.set:
      return utf8Bytes(sets.setJson(sets.decodeSet(state.bytes)));
    default:
      assert(state.tag === TAG.map, "only CRDT values are shown as JSON");
      return utf8Bytes(maps.mapJson(maps.decodeMap(state.bytes)));
  }
}

/**
 * True when `state` is one of ours: canonical, and shown as JSON. Bytes of a peer must be asked
 * before anything else here meets them, for these functions take a broken state for a bug.
 */
export function isCrdtState(state: TypedValue): boolean {
  try {
    const recoded = joinBytes(state.tag, [state.bytes]);
    JSON.parse(utf8Text(crdtJson(state)));
    return equalBytes(recoded, state.bytes);
  } catch {
    return false;
  }
}

/** The number that a counter shows, or a counter field of a map; `undefined` if there is none. */
export function counterNumber(state: TypedValue, field?: string): number | undefined {
  if (field === undefined) return counters.counterValue(counters.decodeCounter(state.bytes));
  return maps.fieldCounterValue(maps.decodeMap(state.bytes), field);
}
