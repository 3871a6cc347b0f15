import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChannelError, OPERATION } from "../../../src/channel/frames.js";
import {
  decodeResult,
  encodeInvoke,
  encodeResult,
  InvokeView,
  joinHeaders,
  splitHeaders,
} from "../../../src/channel/invoke.js";
import * as operations from "../../../src/channel/operations.js";
import * as replies from "../../../src/channel/replies.js";
import { fromJsonValue, toJsonValue } from "../../../src/channel/values.js";
import { TAG } from "../../../src/core/value.js";
import { payloadOf } from "./payload-of.js";

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 100 });
const same = (left: Uint8Array, right: Uint8Array): void =>
  expect(Buffer.from(left).equals(Buffer.from(right))).toBe(true);

describe("INVOKE and RESULT", () => {
  it("carry every member of a call", () => {
    const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const call = fc.record({
      method: text,
      path: text,
      query: text,
      contentType: text,
      idempotencyKey: text,
      headers: fc.array(fc.tuple(key, text)).map((pairs) => joinHeaders(pairs.flat())),
      body: fc.option(bytes, { nil: undefined }),
    });
    fc.assert(
      fc.property(call, fc.nat(0xffffffff), id, (sent, timeoutMs, idBytes) => {
        const view = new InvokeView(
          payloadOf((writer) => encodeInvoke(writer, 7, timeoutMs, idBytes, sent)),
        );
        expect(view.timeoutMs).toBe(timeoutMs);
        expect(view.invocationId).toBe(Buffer.from(idBytes).toString("hex"));
        const { body, ...texts } = sent;
        for (const name of Object.keys(texts) as (keyof typeof texts)[]) {
          expect(view[name]).toEqual(texts[name]);
        }
        same(view.body, body ?? new Uint8Array());
        expect(view.hasBody).toBe((body?.length ?? 0) > 0);
      }),
    );
  });

  it("carry every member of a result", () => {
    fc.assert(
      fc.property(fc.nat(999), text, text, fc.oneof(text, bytes), (status, type, headers, body) => {
        const view = decodeResult(
          payloadOf((writer) => encodeResult(writer, 1, status, type, headers, body)),
        );
        expect([view.status, view.contentType, view.headers]).toEqual([status, type, headers]);
        same(view.body, Buffer.from(body as string));
      }),
    );
  });

  it("keep headers as pairs with lower-case names", () => {
    expect(splitHeaders(joinHeaders(["X-A", "1", "x-b", ""]))).toEqual(["x-a", "1", "x-b", ""]);
    expect(splitHeaders("")).toEqual([]);
    expect(() => splitHeaders("x\0")).toThrow(ChannelError);
  });

  it("are refused when they were cut anywhere in front of the body", () => {
    const call = {
      method: "POST",
      path: "/a",
      query: "b=c",
      contentType: "text/plain",
      idempotencyKey: "k",
      headers: "a\0b\0",
      body: undefined,
    };
    const invoke = payloadOf((writer) => encodeInvoke(writer, 1, 1, Buffer.alloc(16), call));
    for (let n = 0; n < invoke.length; n++) {
      expect(() => new InvokeView(invoke.subarray(0, n))).toThrow(ChannelError);
    }
    const result = payloadOf((writer) => encodeResult(writer, 1, 200, "t", "h\0v\0", ""));
    for (let n = 0; n < result.length; n++) {
      expect(() => decodeResult(result.subarray(0, n))).toThrow(ChannelError);
    }
  });
});

describe("operations", () => {
  it("on one key carry call, kind and key", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.constantFrom(1, 2, 4, 5), key, (callId, kind, k) => {
        const payload = payloadOf((w) => operations.encodeKeyOperation(w, 1, callId, kind, k));
        expect(operations.operationCallId(payload)).toBe(callId);
        expect(operations.operationKind(payload)).toBe(kind);
        expect(operations.decodeKeyOperation(payload).toString()).toBe(k);
      }),
    );
  });

  it("set carries its condition, its time to live and its value", () => {
    const request = fc.record({
      key,
      tag: fc.nat(3),
      value: fc.oneof(text, bytes),
      ifVersion: fc.option(text, { nil: undefined }),
      ifAbsent: fc.boolean(),
      ttlMs: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(request, (sent) => {
        const got = operations.decodeSet(payloadOf((w) => operations.encodeSet(w, 1, 2, sent)));
        expect({ ...got, key: got.key.toString(), value: null }).toEqual({ ...sent, value: null });
        same(got.value, Buffer.from(sent.value as string));
      }),
    );
  });

  it("getMany and scan carry their keys", () => {
    fc.assert(
      fc.property(fc.array(key), (keys) => {
        const payload = payloadOf((w) => operations.encodeGetMany(w, 1, 2, keys));
        expect(operations.decodeGetMany(payload).map(String)).toEqual(keys);
      }),
    );
    const page = fc.record({
      start: text,
      end: fc.option(text, { nil: undefined }),
      prefix: fc.option(text, { nil: undefined }),
      limit: fc.nat(0xffffffff),
      keysOnly: fc.boolean(),
      reverse: fc.boolean(),
      after: fc.boolean(),
    });
    fc.assert(
      fc.property(page, (sent) => {
        const got = operations.decodeScan(payloadOf((w) => operations.encodeScan(w, 1, 2, sent)));
        const { start, end, prefix, ...rest } = got;
        expect({
          ...rest,
          start: String(start),
          end: end && String(end),
          prefix: prefix && String(prefix),
        }).toEqual(sent);
      }),
    );
  });

  it("are refused when they were cut or are too long", () => {
    const requests: [Buffer, (payload: Buffer) => unknown][] = [
      [
        payloadOf((w) => operations.encodeKeyOperation(w, 1, 2, OPERATION.get, "key")),
        operations.decodeKeyOperation,
      ],
      [payloadOf((w) => operations.encodeGetMany(w, 1, 2, ["a", "b"])), operations.decodeGetMany],
      [
        payloadOf((w) =>
          operations.encodeScan(w, 1, 2, {
            start: "a",
            end: "b",
            prefix: "c",
            limit: 1,
            keysOnly: false,
            reverse: false,
            after: false,
          }),
        ),
        operations.decodeScan,
      ],
      [
        payloadOf((w) => operations.encodeJsonOperation(w, 1, 2, { op: "x" })),
        operations.decodeJsonOperation,
      ],
    ];
    for (const [payload, decode] of requests) {
      expect(() => decode(payload)).not.toThrow();
      for (let n = operations.OPERATION_HEADER_BYTES; n < payload.length; n++) {
        expect(() => decode(payload.subarray(0, n))).toThrow(ChannelError);
      }
      expect(() => decode(Buffer.concat([payload, Buffer.from("x")]))).toThrow(ChannelError);
    }
    expect(() => operations.operationKind(Buffer.alloc(4))).toThrow(ChannelError);
    const json = Buffer.from("\0\0\0\0\x08null");
    expect(() => operations.decodeJsonOperation(json)).toThrow(ChannelError);
  });
});

describe("replies", () => {
  const cut = (tag: number, payload: Buffer, from: number, to: number): number[] => [
    tag,
    ...payload.subarray(from, to),
  ];
  const value = fc.record({ tag: fc.nat(3), bytes });

  it("carry values, entries and pages", () => {
    fc.assert(
      fc.property(fc.array(fc.option(value, { nil: undefined })), (values) => {
        const first = values[0];
        const got = replies.decodeGetReply(
          payloadOf((w) => replies.encodeGetReply(w, 1, first)),
          cut,
          undefined,
        );
        expect(got).toEqual(first && [first.tag, ...first.bytes]);
        const many = replies.decodeGetManyReply(
          payloadOf((w) => replies.encodeGetManyReply(w, 1, values)),
          values.length,
        );
        expect(many.map((v) => v && [v.tag, ...v.bytes])).toEqual(
          values.map((v) => v && [v.tag, ...v.bytes]),
        );
      }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, value)),
        fc.boolean(),
        fc.boolean(),
        (pairs, more, keysOnly) => {
          const page = {
            more,
            keys: pairs.map(([k]) => Buffer.from(k)),
            values: pairs.map(([, v]) => v),
          };
          const got = replies.decodeScanReply(
            payloadOf((w) => replies.encodeScanReply(w, 1, page, keysOnly)),
            keysOnly,
            cut,
          );
          expect(got.more).toBe(more);
          expect(got.keys).toEqual(pairs.map(([k]) => k));
          expect(got.values).toEqual(keysOnly ? [] : pairs.map(([, v]) => [v.tag, ...v.bytes]));
        },
      ),
    );
    const entry = { version: "3.a", expiresAtMs: 1.5e12, tag: 3, bytes: Buffer.from("[1]") };
    expect(
      replies.decodeEntryReply(payloadOf((w) => replies.encodeEntryReply(w, 1, entry))),
    ).toEqual(entry);
    expect(
      replies.decodeEntryReply(payloadOf((w) => replies.encodeEntryReply(w, 1, undefined))),
    ).toBeUndefined();
  });

  it("tell a refusal from an answer", () => {
    const refusal = payloadOf((w) =>
      replies.encodeErrorReply(w, 1, { code: "ENOKI_DISK_FULL", message: "full", extra: 1 }),
    );
    expect(replies.isErrorReply(refusal)).toBe(true);
    expect(replies.decodeErrorReply(refusal)).toEqual({
      code: "ENOKI_DISK_FULL",
      message: "full",
      extra: 1,
    });
    const answer = payloadOf((w) => replies.encodeFlagReply(w, 1, true));
    expect(replies.isErrorReply(answer)).toBe(false);
    expect(replies.decodeFlagReply(answer)).toBe(true);
    expect(replies.decodeSetReply(payloadOf((w) => replies.encodeSetReply(w, 1, "v1")))).toBe("v1");
    expect(
      replies.decodeJsonReply(payloadOf((w) => replies.encodeJsonReply(w, 1, { a: 1 }))),
    ).toEqual({ a: 1 });
    expect(() => replies.isErrorReply(Buffer.alloc(0))).toThrow(ChannelError);
  });

  it("are refused when they were cut", () => {
    const page = {
      more: false,
      keys: [Buffer.from("k")],
      values: [{ tag: 1, bytes: Buffer.from("v") }],
    };
    const whole: [Buffer, (payload: Buffer) => unknown][] = [
      [payloadOf((w) => replies.encodeFlagReply(w, 1, false)), replies.decodeFlagReply],
      [
        payloadOf((w) => replies.encodeGetManyReply(w, 1, page.values)),
        (p) => replies.decodeGetManyReply(p, 1),
      ],
      [
        payloadOf((w) => replies.encodeScanReply(w, 1, page, false)),
        (p) => replies.decodeScanReply(p, false, cut),
      ],
      [Buffer.from([0, 1, 1]), (p) => replies.decodeGetReply(p, cut, undefined)],
    ];
    for (const [payload, decode] of whole) {
      for (let n = 1; n < payload.length; n++) {
        expect(() => decode(payload.subarray(0, n))).toThrow(ChannelError);
      }
    }
  });
});

describe("values inside JSON", () => {
  it("come back with their type", () => {
    fc.assert(
      fc.property(bytes, (value) => {
        same(fromJsonValue(toJsonValue({ tag: TAG.bytes, bytes: value })).bytes, value);
      }),
    );
    const str = { tag: TAG.str, bytes: Buffer.from("grün") };
    expect(fromJsonValue(toJsonValue(str))).toEqual(str);
    expect(
      toJsonValue({ tag: TAG.json, bytes: new Uint8Array(Buffer.from('{"a":[null]}')) }),
    ).toEqual({
      t: "json",
      v: { a: [null] },
    });
    expect(fromJsonValue({ t: "json", v: null }).bytes.toString()).toBe("null");
  });

  it("are refused without a known type", () => {
    for (const bad of [
      null,
      1,
      {},
      { t: "str" },
      { t: "str", v: 1 },
      { t: "json" },
      { t: "x", v: "" },
    ]) {
      expect(() => fromJsonValue(bad)).toThrow(ChannelError);
    }
    expect(() => toJsonValue({ tag: TAG.counter, bytes: new Uint8Array() })).toThrow(ChannelError);
  });
});
