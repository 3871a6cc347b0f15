import { expect, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { CODE } from "../../../src/gateway/coap/codes.js";
import { Exchanges, type CoapResponse, type Peer } from "../../../src/gateway/coap/exchanges.js";
import {
  encodeEmpty,
  encodeMessage,
  parseDatagram,
  TYPE,
  type CoapMessage,
  type MessageType,
} from "../../../src/gateway/coap/message.js";
import { VirtualTime } from "../../../src/sim/cluster/virtual-time.js";

const PEER: Peer = { address: "192.0.2.1", port: 4000 };
const EMPTY = Buffer.alloc(0);
const RESPONSE: CoapResponse = { code: CODE.content, options: [], payload: Buffer.from("yes") };

/** An exchange layer on virtual time, with everything that it sent and handed on. */
function layer({ answers = true } = {}) {
  const time = new VirtualTime();
  const sent: CoapMessage[] = [];
  const requests: { message: CoapMessage; respond: (response: CoapResponse) => void }[] = [];
  const exchanges = new Exchanges({
    send: (datagram) => {
      const parsed = parseDatagram(datagram);
      if (parsed.kind !== "message") throw new Error("not a message");
      sent.push(parsed.message);
    },
    onRequest: (message, _peer, respond) => {
      requests.push({ message, respond });
      if (answers) respond(RESPONSE);
    },
    clock: { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs },
    timers: time,
    random: () => 0,
  });
  return { time, sent, requests, exchanges };
}

function request(messageId: number, options: Partial<CoapMessage> = {}): Buffer {
  const token = Buffer.from("t");
  return encodeMessage({
    type: TYPE.confirmable,
    code: 1,
    messageId,
    token,
    options: [],
    payload: EMPTY,
    ...options,
  });
}

const types = (messages: readonly CoapMessage[]): MessageType[] => messages.map(({ type }) => type);

test("an answer that comes soon travels in the acknowledgement", () => {
  const { exchanges, sent } = layer();
  exchanges.receive(request(7), PEER);
  expect(sent).toMatchObject([
    { type: TYPE.acknowledgement, code: CODE.content, messageId: 7, token: Buffer.from("t") },
  ]);
});

test("a repeat gets the same answer, and nothing runs again", () => {
  const { exchanges, sent, requests } = layer();
  for (let i = 0; i < 5; i++) exchanges.receive(request(7), PEER);
  expect(requests).toHaveLength(1);
  expect(sent).toHaveLength(5);
  expect(new Set(sent.map((message) => encodeMessage(message).toString("hex"))).size).toBe(1);
});

test("a repeat while the call runs is not answered, and not run again", () => {
  const { exchanges, sent, requests } = layer({ answers: false });
  exchanges.receive(request(7), PEER);
  exchanges.receive(request(7), PEER);
  expect([requests.length, sent.length]).toEqual([1, 0]);
  requests[0]?.respond(RESPONSE);
  expect(types(sent)).toEqual([TYPE.acknowledgement]);
});

test("the same id of another peer, or with another request in it, is another request", () => {
  const { exchanges, requests } = layer();
  exchanges.receive(request(7), PEER);
  exchanges.receive(request(7), { ...PEER, port: 4001 });
  exchanges.receive(request(7), { ...PEER, address: "192.0.2.2" });
  exchanges.receive(request(7, { payload: Buffer.from("another") }), PEER);
  expect(requests).toHaveLength(4);
});

test("a request is a new one when its lifetime is over", () => {
  const { exchanges, requests, time } = layer();
  exchanges.receive(request(7), PEER);
  time.nowMs += 246_999;
  exchanges.receive(request(7), PEER);
  expect(requests).toHaveLength(1);
  time.nowMs += 2;
  exchanges.receive(request(7), PEER);
  expect(requests).toHaveLength(2);
  expect(exchanges.size.exchanges).toBe(1);
});

test("non-confirmable requests are answered likewise, and repeats of them not at all", () => {
  const { exchanges, sent, requests } = layer();
  for (let i = 0; i < 3; i++) exchanges.receive(request(7, { type: TYPE.nonConfirmable }), PEER);
  expect(requests).toHaveLength(1);
  expect(types(sent)).toEqual([TYPE.nonConfirmable]);
});

/** Lets everything happen that is due in the next `ms`. */
async function pass(time: VirtualTime, ms: number): Promise<void> {
  await time.run(time.nowMs + ms);
}

test("a late answer follows an acknowledgement, in a message that is repeated", async () => {
  const { exchanges, sent, requests, time } = layer({ answers: false });
  exchanges.receive(request(7), PEER);
  await pass(time, 600);
  expect(sent).toMatchObject([{ type: TYPE.acknowledgement, code: 0, messageId: 7 }]);
  exchanges.receive(request(7), PEER);
  expect(types(sent)).toEqual([TYPE.acknowledgement, TYPE.acknowledgement]);
  requests[0]?.respond(RESPONSE);
  const late = sent[2] as CoapMessage;
  expect(late).toMatchObject({ type: TYPE.confirmable, code: CODE.content });
  await pass(time, 2100);
  expect(sent).toHaveLength(4);
  exchanges.receive(encodeEmpty(TYPE.acknowledgement, late.messageId), PEER);
  await pass(time, 300_000);
  expect(sent).toHaveLength(4);
  expect(exchanges.size.unacknowledged).toBe(0);
});

test.each(["never acknowledged", "reset"])("a late answer that is %s ends", async (what) => {
  const { exchanges, sent, requests, time } = layer({ answers: false });
  exchanges.receive(request(7), PEER);
  await pass(time, 600);
  requests[0]?.respond(RESPONSE);
  if (what === "reset") {
    exchanges.receive(encodeEmpty(TYPE.reset, sent[1]?.messageId ?? -1), PEER);
  }
  await pass(time, 300_000);
  expect(sent).toHaveLength(what === "reset" ? 2 : 6);
  expect(exchanges.size.unacknowledged).toBe(0);
});

test("a ping is reset, and so is what is malformed or no request; nothing else is answered", () => {
  const { exchanges, sent, requests } = layer();
  exchanges.receive(encodeEmpty(TYPE.confirmable, 1), PEER);
  exchanges.receive(Buffer.from("40010002ff", "hex"), PEER);
  exchanges.receive(request(3, { code: CODE.content }), PEER);
  expect(sent).toMatchObject([1, 2, 3].map((messageId) => ({ type: TYPE.reset, messageId })));
  exchanges.receive(encodeEmpty(TYPE.nonConfirmable, 4), PEER);
  exchanges.receive(Buffer.from("50010002ff", "hex"), PEER);
  exchanges.receive(request(3, { type: TYPE.nonConfirmable, code: CODE.content }), PEER);
  exchanges.receive(encodeEmpty(TYPE.acknowledgement, 9), PEER);
  exchanges.receive(Buffer.from("garbage"), PEER);
  expect([sent.length, requests.length]).toEqual([3, 0]);
});

test("what is remembered is bounded; those that still run are not forgotten", () => {
  const { exchanges, requests } = layer({ answers: false });
  const all = LIMITS.coapExchangesMax + 500;
  for (let id = 0; id < all; id++) {
    exchanges.receive(request(id), PEER);
    if (id > 0) requests[id]?.respond(RESPONSE);
  }
  expect(exchanges.size.exchanges).toBe(LIMITS.coapExchangesMax);
  exchanges.receive(request(0), PEER);
  exchanges.receive(request(all - 1), PEER);
  expect(requests).toHaveLength(all);
});

test("late answers that wait for their acknowledgement are bounded", async () => {
  const { exchanges, requests, sent, time } = layer({ answers: false });
  const all = LIMITS.coapUnacknowledgedMax + 3;
  for (let id = 0; id < all; id++) exchanges.receive(request(id), PEER);
  await pass(time, 600);
  for (const { respond } of requests) respond(RESPONSE);
  expect(exchanges.size.unacknowledged).toBe(LIMITS.coapUnacknowledgedMax);
  expect(types(sent.slice(-3))).toEqual(Array(3).fill(TYPE.nonConfirmable));
  exchanges.close();
  expect(exchanges.size).toEqual({ exchanges: 0, unacknowledged: 0 });
});
