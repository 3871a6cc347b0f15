import { assert, property, string, uint8Array } from "fast-check";
import { describe, expect, test } from "vitest";

import {
  decodeTrace,
  encodeTrace,
  formatTraceparent,
  parseTraceparent,
  passTrace,
  traceOf,
  withTrace,
} from "../../../src/core/trace-context.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const PARENT = `00-${TRACE}-${SPAN}-01`;
const CONTEXT = { traceId: TRACE, spanId: SPAN, isSampled: true };
const OTHER = { traceId: "1".repeat(32), spanId: "2".repeat(16), isSampled: false };

describe("a traceparent", () => {
  test.each([
    [PARENT, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-fe`, false],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
  ])("%s is read, recorded: %s", (text, isSampled) => {
    expect(parseTraceparent(text)).toEqual({ ...CONTEXT, isSampled });
  });

  test.each([
    "",
    "nonsense",
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-1`,
    ` ${PARENT}`,
    `cc-${TRACE}-${SPAN}-01.more`,
  ])("%j is none", (text) => {
    expect(parseTraceparent(text)).toBe(undefined);
  });

  test("is written as it is read", () => {
    expect(formatTraceparent(CONTEXT)).toBe(PARENT);
    expect(parseTraceparent(formatTraceparent(OTHER))).toEqual(OTHER);
  });
});

describe("the trace of joined headers", () => {
  test.each([
    [`a\0b\0traceparent\0${PARENT}\0`, true],
    [`traceparent\0${PARENT}\0`, true],
    ["", false],
    [`a\0b\0`, false],
    ["traceparent\0nonsense\0", false],
    [`x-traceparent\0${PARENT}\0`, false],
    // The value of another header, and a name behind it.
    [`x\0traceparent\0${PARENT}\0y\0`, false],
    // Two of them are none.
    [`traceparent\0${PARENT}\0traceparent\0${PARENT}\0`, false],
    [`traceparent\0${PARENT}`, false],
  ])("%j: %s", (headers, hasTrace) => {
    expect(traceOf(headers)).toEqual(hasTrace ? CONTEXT : undefined);
  });

  test("is replaced; what others have noted stays with the same trace alone", () => {
    const headers = `a\0b\0traceparent\0${PARENT}\0tracestate\0v=1\0c\0d\0`;
    const below = { ...CONTEXT, spanId: "3".repeat(16) };
    expect(withTrace(headers, below)).toBe(
      `traceparent\0${formatTraceparent(below)}\0a\0b\0tracestate\0v=1\0c\0d\0`,
    );
    expect(withTrace(headers, OTHER)).toBe(
      `traceparent\0${formatTraceparent(OTHER)}\0a\0b\0c\0d\0`,
    );
    expect(withTrace("x\0traceparent\0y\0z\0", OTHER)).toBe(
      `traceparent\0${formatTraceparent(OTHER)}\0x\0traceparent\0y\0z\0`,
    );
  });

  test("goes on with what is asked for on behalf of a call", () => {
    const from = `tracestate\0v=1\0secret\0s\0traceparent\0${PARENT}\0`;
    const passed = `traceparent\0${PARENT}\0tracestate\0v=1\0`;
    expect(passTrace(from, "")).toBe(passed);
    expect(passTrace(from, `a\0b\0traceparent\0${formatTraceparent(OTHER)}\0`)).toBe(
      `${passed}a\0b\0`,
    );
    const own = `traceparent\0${formatTraceparent({ ...CONTEXT, spanId: "3".repeat(16) })}\0`;
    expect(passTrace(from, own)).toBe(own);
    expect(passTrace("a\0b\0", "c\0d\0")).toBe("c\0d\0");
    expect(passTrace("traceparent\0nonsense\0tracestate\0v=1\0", "")).toBe("");
  });

  test("is looked for in whatever there is", () => {
    assert(
      property(string({ maxLength: 40 }), (text) => {
        expect(traceOf(`traceparent\0${text}`)).toBe(undefined);
        expect(traceOf(withTrace(text, OTHER))).toEqual(OTHER);
      }),
    );
  });
});

test("ids of a trace are read from bytes as they were written, and none of zeros", () => {
  expect(decodeTrace(encodeTrace(CONTEXT))).toEqual(CONTEXT);
  expect(encodeTrace(CONTEXT)).toHaveLength(24);
  expect(decodeTrace(new Uint8Array(24))).toBe(undefined);
  assert(
    property(uint8Array({ minLength: 24, maxLength: 24 }), (bytes) => {
      const read = decodeTrace(bytes);
      if (read) expect([...encodeTrace(read)]).toEqual([...bytes]);
    }),
  );
});
