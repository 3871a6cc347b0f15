import { describe, expect, test } from "vitest";

import { AnswerReader } from "../../../src/experiments/load/answer-reader.js";

const bytes = (text: string) => Buffer.from(text);
const shown = (answer: ReturnType<AnswerReader["push"]>) =>
  answer && { ...answer, body: answer.body.toString() };

describe("a reader of answers", () => {
  test("gives an answer once it is whole, however it is cut", () => {
    const text = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nx: y\r\n\r\nhello";
    const reader = new AnswerReader();
    for (const letter of text.slice(0, -1)) expect(reader.push(bytes(letter))).toBeUndefined();
    const whole = { status: 201, body: "hello", isKept: true };
    expect(shown(reader.push(bytes("o")))).toEqual(whole);
    expect(shown(reader.push(bytes(text)))).toEqual(whole);
  });

  test("knows an answer without a body, and one that ends with its connection", () => {
    const reader = new AnswerReader();
    const empty = { status: 204, body: "", isKept: true };
    expect(shown(reader.push(bytes("HTTP/1.1 204 No Content\r\n\r\n")))).toEqual(empty);
    expect(reader.end()).toBeUndefined();
    expect(reader.push(bytes("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nso"))).toBeUndefined();
    expect(shown(reader.end())).toEqual({ status: 200, body: "so", isKept: false });
  });

  test("gives nothing for an answer that breaks off", () => {
    const reader = new AnswerReader();
    reader.push(bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"));
    expect(reader.end()).toBeUndefined();
  });

  test("joins an answer in chunks, however it is cut, and goes on behind it", () => {
    const text =
      "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    const reader = new AnswerReader();
    for (const letter of text.slice(0, -1)) expect(reader.push(bytes(letter))).toBeUndefined();
    const whole = { status: 500, body: "hello", isKept: true };
    expect(shown(reader.push(bytes("\n")))).toEqual(whole);
    expect(shown(reader.push(bytes(text)))).toEqual(whole);
  });

  test("gives nothing for chunks that are none", () => {
    const reader = new AnswerReader();
    reader.push(bytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhel\r\n"));
    expect(reader.end()).toBeUndefined();
  });
});
