import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { frameMessage, MessageReader } from "../../../src/gateway/grpc/framing.js";
import { decodeRequest, encodeResponse } from "../../../src/gateway/grpc/messages.js";
import {
  encodeStatusMessage,
  parseGrpcTimeoutMs,
  STATUS,
  statusOf,
  statusOfError,
} from "../../../src/gateway/grpc/status.js";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("Data", () => {
  test("is read", () => {
    // Bytes that protoc makes of {functionIdentifier: "echo", data: "hé"}.
    const message = decodeRequest(hex("0a04 6563686f 1203 68c3a9"));
    expect(message).toEqual({ functionIdentifier: "echo", data: Buffer.from("hé") });
  });

  test("empty fields are left out on the wire, unknown ones are skipped, the last one wins", () => {
    expect(decodeRequest(Buffer.alloc(0))).toEqual({
      functionIdentifier: "",
      data: Buffer.alloc(0),
    });
    const unknown = "18ffffffffffffffffff01 210102030405060708 2d01020304 3a026162";
    expect(decodeRequest(hex(`0a0161 ${unknown} 0a0162`)).functionIdentifier).toBe("b");
  });

  test.each([
    ["a field that is cut", "0a05 61"],
    ["a number that is cut", "0a ff"],
    ["a number without an end", "0a ffffffffffffffffffffff"],
    ["a group", "0b"],
    ["a field of number 0", "0200"],
    ["a text that is a number", "0801"],
    ["a text that is not UTF-8", "1202 c328"],
    ["a name that is not UTF-8", "0a01 ff"],
    ["a fixed field that is cut", "2d0102"],
  ])("%s is refused", (_, text) => {
    expect(() => decodeRequest(hex(text))).toThrow(/no Data of tinyFaaS/);
  });

  test("no bytes make it fail otherwise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeRequest(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(EnokiError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("Response", () => {
  test("is written", () => {
    expect(encodeResponse(Buffer.from("hé"))).toEqual(hex("0a03 68c3a9"));
    expect(encodeResponse(Buffer.alloc(0))).toHaveLength(0);
    const long = encodeResponse(Buffer.alloc(300, "a"));
    expect(long.subarray(0, 3)).toEqual(hex("0a ac02"));
    expect(long).toHaveLength(303);
  });

  test("bytes that are no text are refused", () => {
    expect(() => encodeResponse(hex("ff"))).toThrow(/not UTF-8/);
  });
});

describe("framing", () => {
  test("a message is whole however it is cut", () => {
    const message = Buffer.from("some message");
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 12 }), (cuts) => {
        const reader = new MessageReader(100);
        let rest: Buffer = frameMessage(message);
        for (const cut of cuts) {
          if (rest.length > 0) reader.push(rest.subarray(0, cut));
          rest = rest.subarray(cut);
        }
        if (rest.length > 0) reader.push(rest);
        expect(reader.end()).toEqual(message);
      }),
    );
  });

  test("more, less, larger and compressed ones are refused", () => {
    const frame = frameMessage(Buffer.alloc(10));
    const pushed = (...chunks: Buffer[]) => {
      const reader = new MessageReader(10);
      for (const chunk of chunks) reader.push(chunk);
      return reader.end();
    };
    expect(pushed(frame)).toHaveLength(10);
    expect(() => pushed(frame, frame)).toThrow(/more than one/);
    expect(() => pushed(frame.subarray(0, 14))).toThrow(/ends before/);
    expect(() => pushed()).toThrow(/ends before/);
    expect(() => pushed(hex("00 0000000b"))).toThrow(/may have 10 bytes/);
    expect(() => pushed(hex("00 ffffffff"))).toThrow(/may have 10 bytes/);
    expect(() => pushed(hex("01 00000001 00"))).toThrow(/compressed/);
  });
});

test.each([
  ["100m", 100],
  ["2S", 2000],
  ["1M", 60_000],
  ["1H", 3_600_000],
  ["1500u", 2],
  ["1n", 1],
  ["0m", 1],
  ["", undefined],
  ["5", undefined],
  ["-1S", undefined],
  ["123456789m", undefined],
  ["1s", undefined],
])("the timeout %j is %j ms", (text, timeoutMs) => {
  expect(parseGrpcTimeoutMs(text)).toBe(timeoutMs);
});

test("errors and statuses have the codes that gRPC has for them", () => {
  const codes = ["ENOKI_FUNCTION_NOT_FOUND", "ENOKI_TIMEOUT", "ENOKI_FUNCTION_ERROR"] as const;
  expect(codes.map((code) => statusOfError(new EnokiError(code)))).toEqual([
    STATUS.notFound,
    STATUS.deadlineExceeded,
    STATUS.unknown,
  ]);
  expect(statusOfError(new EnokiError("ENOKI_QUEUE_FULL"))).toBe(STATUS.unavailable);
  expect(statusOfError(new EnokiError("ENOKI_UNAUTHORIZED"))).toBe(STATUS.unauthenticated);
  expect(statusOfError(new EnokiError("ENOKI_INTERNAL"))).toBe(STATUS.internal);
  expect([200, 204, 302, 404, 418, 599].map(statusOf)).toEqual([0, 0, 2, 5, 2, 2]);
});

test("a status message is percent-encoded", () => {
  expect(encodeStatusMessage("50% é\n")).toBe("50%25 %C3%A9%0A");
});
