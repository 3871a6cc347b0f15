import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { CODE, codeOf } from "../../../src/gateway/coap/codes.js";
import { TYPE, type CoapMessage } from "../../../src/gateway/coap/message.js";
import { blockOf, blockOption, numberOf, OPTION } from "../../../src/gateway/coap/options.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { COAP_CLIENT, coapClient, CoapSocket } from "./clients.js";
import { deployForClients } from "./functions.js";
import { authorizationsOn } from "./tokens.js";

const EMPTY = Buffer.alloc(0);
const GET = 1;
const POST = 2;

let running: RunningNode;
let base: string;

beforeAll(async () => {
  running = await startNode({ ...PROCESS_ISOLATION, coapPort: 0 });
  base = running.node.addresses.coap ?? "";
  await deployForClients(running);
});
afterAll(() => running?.remove());

/** Runs `use` with a socket of its own. */
async function withSocket<T>(use: (socket: CoapSocket) => Promise<T>): Promise<T> {
  const socket = await CoapSocket.open(base);
  try {
    return await use(socket);
  } finally {
    socket.close();
  }
}

const ask = (path: string, options?: Partial<CoapMessage>): Promise<CoapMessage> =>
  withSocket((socket) => socket.ask(path, options));

const text = (number: number, value: string) => ({ number, value: Buffer.from(value) });

describe("an answer", () => {
  test("is 2.05 Content as text, and not for caches", async () => {
    const answer = await ask("/echo", { payload: Buffer.from("x"), token: Buffer.from("tok") });
    expect(answer).toMatchObject({
      code: codeOf(2, 5),
      token: Buffer.from("tok"),
      payload: Buffer.from("x"),
    });
    expect(numberOf(answer, OPTION.contentFormat)).toBe(0);
    expect(numberOf(answer, OPTION.maxAge)).toBe(0);
  });

  test("has the function's own type where it is asked for, and is 4.06 for another", async () => {
    const accept = (format: number) => ({
      options: [{ number: OPTION.accept, value: Buffer.of(format) }],
    });
    const json = await ask("/asked", accept(50));
    expect([json.code, numberOf(json, OPTION.contentFormat)]).toEqual([CODE.content, 50]);
    expect((await ask("/asked", accept(60))).code).toBe(CODE.notAcceptable);
    expect((await ask("/bytes")).payload).toEqual(Buffer.of(255, 0, 1));
  });

  test("to the root says how to call", async () => {
    expect((await ask("")).payload.toString()).toContain("call a function");
  });

  test.each([
    ["/_enoki/invocations/1", {}, codeOf(4, 4)],
    ["/echo", { code: 31 }, codeOf(4, 5)],
    ["/echo", { options: [text(9, "oscore")] }, codeOf(4, 2)],
    ["/echo", { options: [text(OPTION.proxyUri, "coap://elsewhere/")] }, codeOf(5, 5)],
    ["/echo", { options: [{ number: OPTION.uriPath, value: Buffer.of(255) }] }, codeOf(4, 0)],
    ["/echo", { options: [{ number: OPTION.block1, value: Buffer.of(7) }] }, codeOf(4, 0)],
    ["/slow", { payload: Buffer.from("9000") }, codeOf(5, 4)],
  ] as const)("to %s with %j is an error that fits", async (path, options, code) => {
    const answered = await ask(path, options as Partial<CoapMessage>);
    expect(answered.code).toBe(code);
    expect(answered.payload.length).toBeLessThanOrEqual(200);
  });
});

/** How often a function was called. */
async function callsOf(name: string): Promise<number> {
  return (await running.client.functions.get(name)).status.invocationsTotal;
}

describe("a duplicate", () => {
  test("runs nothing, and gets the first answer", async () => {
    await withSocket(async (socket) => {
      const request = socket.request("/counted");
      socket.send(request);
      const first = await socket.nextAnswer();
      for (let i = 0; i < 20; i++) socket.send(request);
      for (const message of await socket.ping()) {
        if (message.code !== 0) expect(message).toEqual(first);
      }
      const after = await socket.ask("/counted");
      expect(Number(after.payload.toString())).toBe(Number(first.payload.toString()) + 1);
    });
  });

  test("that arrives while the call runs is one call", async () => {
    const before = await callsOf("slow");
    await withSocket(async (socket) => {
      const request = socket.request("/slow", { payload: Buffer.from("100") });
      for (let i = 0; i < 5; i++) socket.send(request);
      expect((await socket.nextAnswer()).payload.toString()).toBe("done");
      const more = await socket.ping();
      expect(more.filter(({ code }) => code !== 0)).toEqual([]);
    });
    expect(await callsOf("slow")).toBe(before + 1);
  });
});

/** Datagrams of up to 80 bytes that are the same in each run, in portions that a socket's buffer holds. */
function* garbage(seed: number): Generator<Buffer[]> {
  let state = seed;
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) % 256;
  for (let i = 0; i < 10; i++) {
    yield Array.from({ length: 50 }, () =>
      Buffer.from(Array.from({ length: random() % 80 }, random)),
    );
  }
}

describe("garbage", () => {
  test("that is no message is not answered; pings are reset", async () => {
    await withSocket(async (socket) => {
      for (const portion of garbage(1)) {
        for (const bytes of portion) {
          if (bytes.length > 0) bytes[0] = (bytes[0] as number) & 0x3f;
          socket.send(bytes);
        }
        expect(await socket.ping()).toEqual([]);
      }
      socket.send(Buffer.from("49011267", "hex"));
      expect(await socket.next()).toMatchObject({ type: TYPE.reset, messageId: 0x1267 });
    });
    expect((await ask("/echo")).code).toBe(CODE.content);
  });

  test("in messages gets errors and resets, one for one at most", async () => {
    await withSocket(async (socket) => {
      for (const portion of garbage(7)) {
        for (const bytes of portion) {
          const head = Buffer.of(0x40 | ((bytes[0] ?? 0) & 0x0f));
          socket.send(Buffer.concat([head, bytes]));
        }
        const answers = await socket.ping();
        expect(answers.length).toBeLessThanOrEqual(portion.length);
        for (const { type, payload } of answers) {
          expect([TYPE.acknowledgement, TYPE.reset]).toContain(type);
          expect(payload.length).toBeLessThan(300);
        }
      }
    });
    expect((await ask("/echo")).code).toBe(CODE.content);
  });
});

describe("blocks", () => {
  const first = (isMore: boolean) =>
    blockOption(OPTION.block1, { number: 0, isMore, sizeBytes: 16 });

  test("of an answer are asked for without running the function again", async () => {
    await withSocket(async (socket) => {
      const answer = await socket.ask("/large", { payload: Buffer.from("4000") });
      expect(numberOf(answer, OPTION.size2)).toBe(4000);
      let body = answer.payload;
      for (let number = 1; number < 4; number++) {
        const block = { number, isMore: false, sizeBytes: 1024 };
        const next = await socket.ask("/large", { options: [blockOption(OPTION.block2, block)] });
        expect(blockOf(next, OPTION.block2)).toMatchObject({ number, isMore: number < 3 });
        body = Buffer.concat([body, next.payload]);
      }
      expect(body.toString()).toBe("abcdefgh".repeat(500));
      const beyond = blockOption(OPTION.block2, { number: 4, isMore: false, sizeBytes: 1024 });
      expect((await socket.ask("/large", { options: [beyond] })).code).toBe(CODE.badRequest);
    });
    expect(await callsOf("large")).toBe(1);
  });

  test("of an answer that is not kept are refused", async () => {
    const block = blockOption(OPTION.block2, { number: 3, isMore: false, sizeBytes: 16 });
    expect((await ask("/large", { options: [block] })).code).toBe(CODE.requestIncomplete);
  });

  test("of a body go on in order, or are refused with 4.08", async () => {
    await withSocket(async (socket) => {
      const payload = Buffer.alloc(16, "a");
      const begun = await socket.ask("/echo", { code: POST, options: [first(true)], payload });
      expect(begun.code).toBe(CODE.continue);
      const third = blockOption(OPTION.block1, { number: 2, isMore: false, sizeBytes: 16 });
      const refused = await socket.ask("/echo", { code: POST, options: [third], payload });
      expect(refused.code).toBe(CODE.requestIncomplete);
    });
  });

  test("for nobody are refused before anything is kept", async () => {
    const payload = Buffer.alloc(16);
    const refused = await ask("/nobody", { code: POST, options: [first(true)], payload });
    expect(refused.code).toBe(codeOf(4, 4));
  });

  test("that announce too much are refused with 4.13 and the limit", async () => {
    const size = { number: OPTION.size1, value: Buffer.from("7fffffff", "hex") };
    const options = [first(true), size];
    const refused = await ask("/echo", { code: POST, options, payload: Buffer.alloc(16) });
    expect(refused.code).toBe(CODE.requestTooLarge);
    expect(numberOf(refused, OPTION.size1)).toBe(16 * 1024 * 1024);
  });
});

test("a datagram as large as UDP has them is a call", async () => {
  const payload = Buffer.alloc(60_000, "x");
  const answer = await ask("/echo", { code: POST, payload });
  expect(answer.payload).toEqual(payload.subarray(0, 1024));
  expect(numberOf(answer, OPTION.size2)).toBe(60_000);
});

test("many calls at once are all answered", async () => {
  await withSocket(async (socket) => {
    for (let i = 0; i < 200; i++) {
      // A socket's buffer holds some 250 datagrams.
      const token = Buffer.from([i]);
      socket.send(socket.request("/echo", { code: GET, token, payload: Buffer.from(`${i}`) }));
    }
    const answers = new Map<number, string>();
    while (answers.size < 200) {
      const { token, payload } = await socket.nextAnswer();
      answers.set(token.readUInt8(0), payload.toString());
    }
    for (const [token, payload] of answers) expect(payload).toBe(`${token}`);
  });
});

describe("where calls need a token", () => {
  let guarded: RunningNode;
  const address = (): string => guarded.node.addresses.coap ?? "";

  beforeAll(async () => {
    const token = { adminToken: "secret", functionsNeedToken: true };
    guarded = await startNode({ ...PROCESS_ISOLATION, coapPort: 0 });
    await deployForClients(guarded, ["asked", "echo"]);
    guarded = await guarded.restart(token);
  });
  afterAll(() => guarded?.remove());

  test("an option carries it, and nothing is told without", async () => {
    const socket = await CoapSocket.open(address());
    const sent = (value: string) => ({ options: [text(OPTION.authorization, value)] });
    expect((await socket.ask("/asked")).code).toBe(codeOf(4, 1));
    expect((await socket.ask("/nobody")).code).toBe(codeOf(4, 1));
    expect((await socket.ask("/asked", sent("Bearer wrong"))).code).toBe(codeOf(4, 1));
    const answer = await socket.ask("/asked", sent("Bearer secret"));
    expect(answer.code).toBe(CODE.content);
    expect(answer.payload.toString()).not.toContain("secret");
    socket.close();
  });

  test("one that is wrong or expired is 4.01, and one of a role that may not call 4.03", async () => {
    const { wrong, expired, reader, caller } = await authorizationsOn(guarded, "secret");
    const socket = await CoapSocket.open(address());
    const asked = async (value: string) => {
      const options = [text(OPTION.authorization, value)];
      const { code, payload } = await socket.ask("/echo", { options, payload: Buffer.from("x") });
      return [code, payload.toString()];
    };
    expect(await asked(caller)).toEqual([CODE.content, "x"]);
    const [unauthorized, forbidden] = [codeOf(4, 1), codeOf(4, 3)];
    const saying = (words: string) => expect.stringContaining(words) as string;
    expect(await asked(wrong)).toEqual([unauthorized, saying("the token is wrong")]);
    expect(await asked("Basic eDp5")).toEqual([unauthorized, saying("ENOKI_UNAUTHORIZED")]);
    expect(await asked(expired)).toEqual([unauthorized, saying("expired at")]);
    expect(await asked(reader)).toEqual([forbidden, saying("the role invoke")]);
    socket.close();
  });

  test.skipIf(COAP_CLIENT === undefined)("libcoap's client can send it", async () => {
    const option = `${OPTION.authorization},Bearer secret`;
    const { stdout } = await coapClient(
      "-O",
      option,
      "-e",
      "hi",
      "-m",
      "post",
      `${address()}/echo`,
    );
    expect(stdout.trim()).toBe("hi");
  });
});

test("a node that drains lets the call end, and the answer leave", async () => {
  const draining = await startNode({ ...PROCESS_ISOLATION, coapPort: 0 });
  await deployForClients(draining, ["slow"]);
  const socket = await CoapSocket.open(draining.node.addresses.coap ?? "");
  socket.send(socket.request("/slow", { payload: Buffer.from("1500") }));
  expect((await socket.next()).code).toBe(0);
  const closed = draining.node.close();
  const refused = await socket.ask("/slow", { payload: EMPTY });
  expect(refused.code).toBe(CODE.unavailable);
  expect(numberOf(refused, OPTION.maxAge)).toBe(1);
  expect((await socket.nextAnswer()).payload.toString()).toBe("done");
  await closed;
  socket.close();
  await draining.remove();
});
