import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  encodeEmpty,
  encodeMessage,
  parseDatagram,
  TYPE,
  type CoapMessage,
  type MessageType,
} from "../../../src/gateway/coap/message.js";
import {
  blockOf,
  blockOption,
  numberOf,
  numberOption,
  OPTION,
  textsOf,
  unknownCritical,
} from "../../../src/gateway/coap/options.js";

const EMPTY = Buffer.alloc(0);

function messageWith(...options: CoapMessage["options"]): CoapMessage {
  return { type: TYPE.confirmable, code: 1, messageId: 1, token: EMPTY, options, payload: EMPTY };
}

test("the bytes of a request are those of RFC 7252's own example", () => {
  const bytes = Buffer.from("40017d34bb74656d7065726174757265", "hex");
  const options = [{ number: OPTION.uriPath, value: Buffer.from("temperature") }];
  const message = { ...messageWith(...options), messageId: 0x7d34 };
  expect(encodeMessage(message)).toEqual(bytes);
  expect(parseDatagram(bytes)).toEqual({ kind: "message", message });
});

const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const anyMessage = fc
  .record({
    type: fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<MessageType>,
    code: fc.integer({ min: 1, max: 255 }),
    messageId: fc.integer({ min: 0, max: 65_535 }),
    token: bytes(8),
    options: fc.array(
      fc.record({ number: fc.integer({ min: 0, max: 65_535 }), value: bytes(400) }),
      { maxLength: 20 },
    ),
    payload: bytes(50),
  })
  .map((message) => ({
    ...message,
    options: message.options.toSorted((a, b) => a.number - b.number),
  }));

test("what is written is read again", () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      expect(parseDatagram(encodeMessage(message))).toEqual({ kind: "message", message });
    }),
  );
});

test("no datagram throws, and what is read can be written", () => {
  fc.assert(
    fc.property(bytes(120), fc.boolean(), (datagram, isOurs) => {
      if (isOurs && datagram.length > 0) datagram[0] = ((datagram[0] as number) & 0x3f) | 0x40;
      const parsed = parseDatagram(datagram);
      if (parsed.kind === "message") encodeMessage(parsed.message);
    }),
    { numRuns: 2000 },
  );
});

describe("what is no message", () => {
  test.each(["", "40", "400100", "80017d34", "00000000", "c0017d34"])("%j is foreign", (hex) => {
    expect(parseDatagram(Buffer.from(hex, "hex")).kind).toBe("foreign");
  });

  test.each([
    ["a token of 9 bytes", "49017d34000000000000000000"],
    ["a token that is cut", "44017d34aabb"],
    ["an empty message with more", "40007d3401"],
    ["a marker without a payload", "40017d34ff"],
    ["an option that is cut", "40017d34b5aa"],
    ["a delta of 15", "40017d34f0"],
    ["a length of 15", "40017d340f"],
    ["an extension that is cut", "40017d34d0"],
    ["a number beyond 65,535", "40017d34e0ffff"],
  ])("%s is malformed and named by its id", (_, hex) => {
    expect(parseDatagram(Buffer.from(hex, "hex"))).toEqual({
      kind: "malformed",
      type: TYPE.confirmable,
      messageId: 0x7d34,
    });
  });

  test("129 options are malformed", () => {
    const options = Array.from({ length: 129 }, () => ({ number: 11, value: EMPTY }));
    expect(parseDatagram(encodeMessage(messageWith(...options))).kind).toBe("malformed");
    expect(parseDatagram(encodeMessage(messageWith(...options.slice(1)))).kind).toBe("message");
  });
});

test("an empty message has four bytes", () => {
  expect(encodeEmpty(TYPE.reset, 258)).toEqual(Buffer.from("70000102", "hex"));
});

describe("options", () => {
  test.each([0, 1, 255, 256, 65_535, 65_536, 2 ** 24, 2 ** 32 - 1])("the number %i", (number) => {
    const option = numberOption(OPTION.size1, number);
    expect(numberOf(messageWith(option), OPTION.size1)).toBe(number);
    expect(option.value[0]).not.toBe(0);
  });

  test("blocks of every size are read as they were written", () => {
    for (const sizeBytes of [16, 32, 64, 128, 256, 512, 1024]) {
      for (const number of [0, 1, 15, 16, 2 ** 20 - 1]) {
        const block = { number, isMore: number % 2 === 0, sizeBytes };
        expect(blockOf(messageWith(blockOption(OPTION.block1, block)), OPTION.block1)).toEqual(
          block,
        );
      }
    }
  });

  test.each(["07", "0f", "01000000"])("a block of %j is refused", (hex) => {
    const message = messageWith({ number: OPTION.block2, value: Buffer.from(hex, "hex") });
    expect(() => blockOf(message, OPTION.block2)).toThrow(/16 to 1,024/);
  });

  test("a number of five bytes and a text that is none are refused", () => {
    const value = Buffer.from("ff00000000", "hex");
    expect(() => numberOf(messageWith({ number: 60, value }), 60)).toThrow(/too long/);
    expect(() => textsOf(messageWith({ number: 11, value }), 11)).toThrow(/UTF-8/);
  });

  test("critical options that nobody knows are found, elective ones are not minded", () => {
    expect(unknownCritical(messageWith({ number: 258, value: EMPTY }))).toBeUndefined();
    expect(unknownCritical(messageWith({ number: 9, value: EMPTY }))).toBe(9);
    expect(unknownCritical(messageWith({ number: OPTION.block1, value: EMPTY }))).toBeUndefined();
  });
});
