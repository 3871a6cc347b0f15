import { ByteReader, ByteWriter } from "../codec.js";
import { compareDots, readDot, type Dot } from "../dot.js";
import { utf8Bytes, utf8Text } from "../text.js";
import { Vector } from "../vector.js";
import { addToCells, joinCells, readCells, sumOf, writeCells, type Cells } from "./cells.js";
import { canonicalJson, type Json } from "./json.js";
import { joinTags, readTags, writeTags, type Tags } from "./tags.js";

/** When and by which commit a part of a field was last written. */
interface Written {
  readonly hlc: number;
  readonly dot: Dot;
}

/** A field that was set: the latest value wins. */
interface Register extends Written {
  /** JSON text. */
  readonly text: string;
}

/** A field that was added to. */
interface FieldCounter extends Written {
  readonly cells: Cells;
}

/** One field. Concurrent `set` and `add` keep both parts; the one written last is shown. */
interface Field {
  readonly tags: Tags;
  readonly register?: Register;
  readonly counter?: FieldCounter;
}

/** A map whose fields are registers or counters; of a concurrent update and removal, the update wins. */
export interface MapState {
  /** The map's commits that this state has seen. */
  readonly context: Vector;
  readonly fields: ReadonlyMap<string, Field>;
}

/** A map nobody has written to. */
export const EMPTY_MAP: MapState = { context: new Vector(), fields: new Map() };

/** Sets a field, in the commit named by `dot`. */
export function setField(
  state: MapState,
  field: string,
  value: Json,
  at: { readonly dot: Dot; readonly hlc: number },
): MapState {
  const { dot, hlc } = at;
  const register = { dot, hlc, text: canonicalJson(value) };
  return withField(state, field, { tags: [dot], register }, dot);
}

/**
 * Adds `n` to a field. A field that shows another kind of value starts from 0.
 * @throws EnokiError `ENOKI_VALUE_UNSUPPORTED` beyond ±(2^53−1)
 */
export function addToField(
  state: MapState,
  field: string,
  n: number,
  at: { readonly dot: Dot; readonly hlc: number },
): MapState {
  const { dot, hlc } = at;
  const known = state.fields.get(field);
  const isCounter = known?.counter !== undefined && shownPart(known) === known.counter;
  const cells = addToCells(isCounter ? (known.counter as FieldCounter).cells : [], n, dot);
  return withField(state, field, { tags: [dot], counter: { dot, hlc, cells } }, dot);
}

/** Removes what this state has seen of a field. */
export function removeField(state: MapState, field: string, dot: Dot): MapState {
  return withField(state, field, undefined, dot);
}

/** The number that a counter field shows; `undefined` if the field is absent or a register. */
export function fieldCounterValue(state: MapState, field: string): number | undefined {
  const known = state.fields.get(field);
  if (!known?.counter || shownPart(known) !== known.counter) return undefined;
  return sumOf(known.counter.cells);
}

/** The state that holds both. */
export function joinMaps(left: MapState, right: MapState): MapState {
  const fields = new Map<string, Field>();
  for (const name of new Set([...left.fields.keys(), ...right.fields.keys()])) {
    const field = joinField(
      { field: left.fields.get(name), context: left.context },
      { field: right.fields.get(name), context: right.context },
    );
    if (field) fields.set(name, field);
  }
  const context = left.context.clone();
  context.join(right.context);
  return { context, fields };
}

interface FieldSide {
  readonly field: Field | undefined;
  readonly context: Vector;
}

function joinField(left: FieldSide, right: FieldSide): Field | undefined {
  const tags = joinTags(
    { tags: left.field?.tags ?? [], context: left.context },
    { tags: right.field?.tags ?? [], context: right.context },
  );
  if (tags.length === 0) return undefined;
  // A side whose every tag was removed by the other has nothing left to say about the content.
  const sides = [left.field, right.field].filter((field) =>
    field?.tags.some((tag) => tags.some((kept) => compareDots(kept, tag) === 0)),
  ) as Field[];
  return sides.reduce((a, b) => joinParts(tags, a, b), { tags });
}

function joinParts(tags: Tags, a: Field, b: Field): Field {
  const register = later(a.register, b.register);
  const counter = later(a.counter, b.counter);
  const cells = joinCells(a.counter?.cells ?? [], b.counter?.cells ?? []);
  return {
    tags,
    ...(register && { register }),
    ...(counter && { counter: { dot: counter.dot, hlc: counter.hlc, cells } }),
  };
}

function later<T extends Written>(left: T | undefined, right: T | undefined): T | undefined {
  if (!left || !right) return left ?? right;
  const order = left.hlc - right.hlc || compareDots(left.dot, right.dot);
  return order >= 0 ? left : right;
}

function shownPart(field: Field): Register | FieldCounter | undefined {
  return later<Register | FieldCounter>(field.register, field.counter);
}

/** The fields as a JSON object, in the order of their names. */
export function mapJson(state: MapState): string {
  const members = [...state.fields.keys()].sort().map((name) => {
    const part = shownPart(state.fields.get(name) as Field) as Register | FieldCounter;
    const text = "text" in part ? part.text : JSON.stringify(sumOf(part.cells));
    return `${JSON.stringify(name)}:${text}`;
  });
  return `{${members.join(",")}}`;
}

/** Canonical bytes of the state. */
export function encodeMap(state: MapState): Uint8Array {
  const writer = new ByteWriter();
  state.context.encodeTo(writer);
  writer.varint(state.fields.size);
  for (const name of [...state.fields.keys()].sort()) {
    const { tags, register, counter } = state.fields.get(name) as Field;
    writer.sized(utf8Bytes(name));
    writeTags(writer, tags);
    writer.byte((register ? 1 : 0) | (counter ? 2 : 0));
    if (register) writeWritten(writer, register).sized(utf8Bytes(register.text));
    if (counter) writeCells(writeWritten(writer, counter), counter.cells);
  }
  return writer.finish();
}

/** Reads what {@link encodeMap} wrote. */
export function decodeMap(bytes: Uint8Array): MapState {
  const reader = new ByteReader(bytes);
  const context = Vector.decode(reader);
  const fields = new Map<string, Field>();
  for (let left = reader.varint(); left > 0; left--) {
    const name = utf8Text(reader.take(reader.varint()));
    const tags = readTags(reader);
    const parts = reader.byte();
    const register =
      parts & 1
        ? { ...readWritten(reader), text: utf8Text(reader.take(reader.varint())) }
        : undefined;
    const counter = parts & 2 ? { ...readWritten(reader), cells: readCells(reader) } : undefined;
    fields.set(name, { tags, ...(register && { register }), ...(counter && { counter }) });
  }
  return { context, fields };
}

function writeWritten(writer: ByteWriter, { hlc, dot }: Written): ByteWriter {
  return writer.varint(hlc).varint(dot.epoch).varint(dot.restart).varint(dot.counter);
}

function readWritten(reader: ByteReader): Written {
  return { hlc: reader.varint(), dot: readDot(reader) };
}

function withField(state: MapState, name: string, field: Field | undefined, dot: Dot): MapState {
  const fields = new Map(state.fields);
  if (field) fields.set(name, field);
  else fields.delete(name);
  const context = state.context.clone();
  context.raise(dot);
  return { context, fields };
}
