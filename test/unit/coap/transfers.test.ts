import { expect, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { Transfers } from "../../../src/gateway/coap/transfers.js";

const MIB = 1024 * 1024;

function transfers(bodyBytesMax = 16 * MIB) {
  let nowMs = 0;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  return {
    all: new Transfers({ clock, bodyBytesMax }),
    pass: (ms: number) => void (nowMs += ms),
  };
}

const block = (number: number, isMore: boolean, sizeBytes = 16) => ({ number, isMore, sizeBytes });
const bytes = (sizeBytes: number, fill = "x") => Buffer.alloc(sizeBytes, fill);

test("a body is put together from its blocks, whatever sizes they have", () => {
  const { all } = transfers();
  expect(all.receive("a", block(0, true, 32), bytes(32, "1"))).toEqual({ state: "continue" });
  expect(all.receive("b", block(0, true), bytes(16, "2"))).toEqual({ state: "continue" });
  expect(all.receive("a", block(2, true), bytes(16, "3"))).toEqual({ state: "continue" });
  expect(all.receive("a", block(3, false), bytes(5, "4"))).toEqual({
    state: "complete",
    body: Buffer.concat([bytes(32, "1"), bytes(16, "3"), bytes(5, "4")]),
  });
  expect(all.receive("b", block(1, false), bytes(0)).state).toBe("complete");
  expect(all.size).toEqual({ transfers: 0, bytes: 0 });
});

test("the first block begins anew", () => {
  const { all } = transfers();
  all.receive("a", block(0, true), bytes(16, "old"));
  all.receive("a", block(0, true), bytes(16, "n"));
  const received = all.receive("a", block(1, false), bytes(1, "n"));
  expect(received).toEqual({ state: "complete", body: bytes(17, "n") });
});

test.each([
  ["a block that was skipped", block(2, true), bytes(16)],
  ["a block that comes again", block(0, true, 32), bytes(16)],
  ["a block that is short", block(1, true), bytes(15)],
  ["a block that is long", block(1, true), bytes(17)],
  ["a last block that is long", block(1, false), bytes(17)],
])("%s is refused, and the body with it", (_, wrong, payload) => {
  const { all } = transfers();
  all.receive("a", block(0, true), bytes(16));
  expect(all.receive("a", wrong, payload)).toEqual({ state: "incomplete" });
  expect(all.receive("a", block(1, false), bytes(1))).toEqual({ state: "incomplete" });
  expect(all.size).toEqual({ transfers: 0, bytes: 0 });
});

test("a body that is too large is refused at the block that makes it so", () => {
  const { all } = transfers(20);
  all.receive("a", block(0, true), bytes(16));
  expect(all.receive("a", block(1, false), bytes(5))).toEqual({ state: "too-large" });
});

test("what stands still is given up, and an answer is kept while its blocks are fetched", () => {
  const { all, pass } = transfers();
  const answer = { body: bytes(40), contentFormat: 0, code: 69, etag: bytes(4) };
  all.receive("a", block(0, true), bytes(16));
  all.keep("b", answer);
  pass(LIMITS.coapTransferIdleMs - 1);
  expect(all.kept("b")).toBe(answer);
  pass(1);
  expect(all.receive("a", block(1, false), bytes(1))).toEqual({ state: "incomplete" });
  expect(all.kept("b")).toBe(answer);
  pass(LIMITS.coapTransferIdleMs);
  expect(all.kept("b")).toBeUndefined();
});

test("their number and their bytes are bounded: the one that stood still longest goes", () => {
  const { all } = transfers();
  for (let i = 0; i <= LIMITS.coapTransfersMax; i++) {
    all.receive(`${i}`, block(0, true), bytes(16));
  }
  expect(all.size.transfers).toBe(LIMITS.coapTransfersMax);
  expect(all.receive("0", block(1, false), bytes(1)).state).toBe("incomplete");
  expect(all.receive("1", block(1, false), bytes(1)).state).toBe("complete");
  const large = { body: bytes(15 * MIB), contentFormat: 0, code: 69, etag: bytes(4) };
  for (const name of ["v", "w", "x", "y", "z"]) all.keep(name, large);
  expect(all.size.bytes).toBeLessThanOrEqual(LIMITS.coapTransferBytesMax);
  expect(all.kept("z")).toBe(large);
  expect(all.kept("v")).toBeUndefined();
});
