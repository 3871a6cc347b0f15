import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  decodeBatch,
  decodeBatchReply,
  encodeBatch,
  encodeBatchReply,
} from "../../../src/channel/batches.js";
import { ChannelError } from "../../../src/channel/frames.js";
import { OPERATION_HEADER_BYTES } from "../../../src/channel/operations.js";
import { TAG } from "../../../src/core/value.js";
import { payloadOf } from "./payload-of.js";

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 100 });

describe("a batch", () => {
  it("carries its checks, writes and sends, and its reply the versions", () => {
    const value = fc.record({ tag: fc.nat(3), bytes: bytes.map((it) => Buffer.from(it)) });
    const ttlMs = fc.option(fc.double({ noNaN: true }), { nil: undefined });
    const write = fc.oneof(
      fc.record({ op: fc.constant("set" as const), key, value, ttlMs }),
      fc.record({ op: fc.constant("delete" as const), key }),
      fc.record({ op: fc.constant("increment" as const), key, n: fc.double({ noNaN: true }) }),
    );
    const batch = fc.record({
      checks: fc.array(fc.record({ key, version: fc.option(text) })),
      writes: fc.array(write),
      sends: fc.array(
        fc.record({ function: text, orderKey: fc.option(text, { nil: undefined }), data: value }),
      ),
      once: fc.option(text),
    });
    fc.assert(
      fc.property(batch, (sent) => {
        const got = decodeBatch(payloadOf((w) => encodeBatch(w, 1, 2, sent)));
        const named = <T extends { key: Buffer }>(it: T) => ({ ...it, key: it.key.toString() });
        expect({
          ...got,
          checks: got.checks.map(named),
          writes: got.writes.map(named),
        }).toEqual(sent);
      }),
    );
    const reply = fc.record({
      versions: fc.array(fc.option(fc.string({ minLength: 1 }))),
      repeated: fc.boolean(),
    });
    fc.assert(
      fc.property(reply, (sent) => {
        const payload = payloadOf((w) => encodeBatchReply(w, 1, sent));
        expect(decodeBatchReply(payload)).toEqual(sent);
      }),
    );
    const many = Array.from({ length: 0x10000 }, () => ({ op: "delete" as const, key: "k" }));
    const tooMany = { checks: [], writes: many, sends: [], once: null };
    expect(() => payloadOf((w) => encodeBatch(w, 1, 2, tooMany))).toThrow(ChannelError);
  });

  it("is refused when it was cut, is too long, or asks for what nobody knows", () => {
    const payload = payloadOf((w) =>
      encodeBatch(w, 1, 2, {
        checks: [{ key: "a", version: "v" }],
        writes: [
          { op: "set", key: "b", value: { tag: TAG.str, bytes: Buffer.from("x") }, ttlMs: 1 },
          { op: "increment", key: "c", n: 1 },
        ],
        sends: [{ function: "f", data: { tag: TAG.str, bytes: Buffer.from("x") } }],
        once: "o",
      }),
    );
    for (let n = OPERATION_HEADER_BYTES; n < payload.length; n++) {
      expect(() => decodeBatch(payload.subarray(0, n))).toThrow(ChannelError);
    }
    expect(() => decodeBatch(Buffer.concat([payload, Buffer.from("x")]))).toThrow(ChannelError);
    const unknown = Buffer.from("\0\0\0\0\x0d\0\0\x01\0\x05\x01\0k\0\0\0");
    expect(() => decodeBatch(unknown)).toThrow("unknown write 5");
  });
});
