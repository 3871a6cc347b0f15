import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../../../src/core/codec.js";
import { EnokiError } from "../../../../src/core/errors.js";
import { Vector } from "../../../../src/core/vector.js";
import {
  decodeMessage,
  encodeMessage,
  joinUpdates,
  type Envelope,
  type KeygroupMessage,
} from "../../../../src/core/wire/messages.js";
import { encodeUpdate } from "../../../../src/core/wire/update.js";
import { message, update } from "./arbitraries.js";

const generation = fc.maxSafeNat();

function encode({ generation, message }: Envelope): Uint8Array {
  if (message.type !== "updates") return encodeMessage(generation, message);
  return joinUpdates(generation, message.updates.map(encodeUpdate));
}

const encoded: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    generation,
    fc.oneof<fc.Arbitrary<KeygroupMessage>[]>(
      message,
      fc
        .array(update, { minLength: 1, maxLength: 3 })
        .map((updates) => ({ type: "updates", updates })),
    ),
  )
  .map(([generation, message]) => encode({ generation, message }));

/** What decoding comes to; anything but a value or the one error is thrown on. */
function decoded(bytes: Uint8Array): Envelope | undefined {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof EnokiError && error.code === "ENOKI_PROTOCOL") return undefined;
    throw error;
  }
}

/** Vectors as what they say, for a comparison by value. */
function plain(value: unknown): unknown {
  if (value instanceof Vector) return { epoch: value.epoch, entries: value.entries() };
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}

describe("messages of a keygroup", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(generation, message, (generation, message) => {
        const envelope = { generation, message };
        expect(plain(decodeMessage(encode(envelope)))).toEqual(plain(envelope));
      }),
    );
  });

  it("carry any number of updates, each encoded once for all members", () => {
    fc.assert(
      fc.property(generation, fc.array(update, { minLength: 1 }), (generation, updates) => {
        const bytes = joinUpdates(generation, updates.map(encodeUpdate));
        const message = { type: "updates", updates };
        expect(plain(decodeMessage(bytes))).toEqual(plain({ generation, message }));
      }),
    );
  });

  it("that are cut short or prolonged are refused with the one error", () => {
    fc.assert(
      fc.property(encoded, fc.nat(), (bytes, at) => {
        expect(decoded(bytes.subarray(0, at % bytes.length))).toBeUndefined();
        expect(
          decoded(
            new ByteWriter()
              .raw(bytes)
              .byte(at % 256)
              .finish(),
          ),
        ).toBeUndefined();
      }),
    );
  });

  it("that are changed anywhere are refused, or mean exactly what their bytes say", () => {
    fc.assert(
      fc.property(encoded, fc.nat(), fc.nat(255), (bytes, at, byte) => {
        const changed = bytes.slice();
        changed[at % bytes.length] = byte;
        const envelope = decoded(changed);
        if (envelope) expect(encode(envelope)).toEqual(changed);
      }),
      { numRuns: 500 },
    );
  });

  it("made of any bytes are refused, or mean exactly what their bytes say", () => {
    const first = fc.integer({ min: 0x21, max: 0x28 });
    fc.assert(
      fc.property(first, fc.uint8Array({ maxLength: 60 }), (type, rest) => {
        const bytes = Uint8Array.of(type, ...rest);
        const envelope = decoded(bytes);
        if (envelope) expect(encode(envelope)).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["another version of the protocol", [0x11, 0], /version/],
    ["an unknown type", [0x2f, 0, 0], /type/],
    ["a list that is longer than the message", [0x21, 0, 0xff, 0xff, 0xff, 0xff, 0x7f], /longer/],
    ["a number beyond the exact ones", [0x26, 0, ...Array(7).fill(0xff), 0x1f], /too long/],
    ["a number that is written in too many bytes", [0x26, 0, 0x81, 0x00], /too long/],
    ["a generation without an end", [0x21, ...Array(12).fill(0xff)], /too long/],
    ["an epoch beyond the last", [0x23, 0, 0, 1, ...Array(5).fill(0xff), 0x01, 0, 0], /epoch/],
    ["a vector out of order", [0x27, 0, 0, 9, 2, 3, 0, 1, 2, 0, 1], /order/],
    ["a vector that lists a later member", [0x27, 0, 0, 2, 1, 3, 0, 1], /after its epoch/],
    ["too many restarts", [0x27, 0, 0, 9, 1, 1, 0x80, 0x80, 0x40, 1], /range/],
    ["a commit with the number 0", [0x21, 0, 1, 1, 0, 0, 0, 5, 0, 1, 1, 1, 65, 0, 0], /commit/],
    ["an empty update", [0x21, 0, 1, 1, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0], /no entry/],
    ["a key without bytes", [0x21, 0, 1, 1, 0, 1, 0, 5, 0, 1, 1, 0, 0, 0, 0], /key/],
    ["a value of an unknown type", [0x21, 0, 1, 1, 0, 1, 0, 5, 0, 1, 7, 1, 65, 0, 0], /type/],
    [
      "a tombstone with a value",
      [0x21, 0, 1, 1, 0, 1, 0, 5, 0, 1, 0, 1, 65, 0, 1, 65],
      /tombstone/,
    ],
    ["a broken counter", [0x21, 0, 1, 1, 0, 1, 0, 5, 0, 1, 4, 1, 65, 0, 1, 9], /CRDT/],
    ["a time in the far future", [0x21, 0, 1, 1, 0, 1, 0, ...Array(7).fill(0xff), 0x0f], /time/],
  ])("that hold %s are refused", (_, bytes, problem) => {
    const padded = bytes[0] === 0x21 ? [...bytes, ...Array(20).fill(0)] : bytes;
    const attempt = () => decodeMessage(Uint8Array.from(padded));
    expect(attempt).toThrow(problem);
    expect(decoded(Uint8Array.from(padded))).toBeUndefined();
  });

  it("read a large value as a view of the bytes that came", () => {
    const value = { tag: 2 as const, bytes: new Uint8Array(100_000).fill(7) };
    const entry = { key: Uint8Array.of(1), value, expiresAtMs: 0, replaces: [], isPinned: false };
    const dot = { epoch: 1, restart: 0, counter: 1 };
    const one = { dot, hlc: 1, deps: [], invocation: undefined, entries: [entry] };
    const bytes = joinUpdates(1, [encodeUpdate(one)]);
    const { message } = decodeMessage(bytes);
    const read = message.type === "updates" && message.updates[0]?.entries[0]?.value.bytes;
    expect(read && read.buffer).toBe(bytes.buffer);
  });

  it("carry a trace in 24 bytes where there is one, and nothing of it where there is none", () => {
    const value = { tag: 2 as const, bytes: Uint8Array.of(1) };
    const entry = { key: Uint8Array.of(1), value, expiresAtMs: 0, replaces: [], isPinned: false };
    const dot = { epoch: 1, restart: 0, counter: 1 };
    const one = { dot, hlc: 1, deps: [], invocation: new Uint8Array(16), entries: [entry] };
    const trace = Uint8Array.from({ length: 24 }, (_, at) => at + 1);
    const [without, traced] = [encodeUpdate(one), encodeUpdate({ ...one, trace })];
    expect(traced.length - without.length).toBe(trace.length);
    const { message } = decodeMessage(joinUpdates(1, [traced]));
    expect(message).toMatchObject({ type: "updates", updates: [{ ...one, trace }] });
  });
});
