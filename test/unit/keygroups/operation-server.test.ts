import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";

import {
  decodeBatchReply,
  encodeBatch,
  type BatchOperation,
} from "../../../src/channel/batches.js";
import { FRAME, FrameReader, FrameWriter, OPERATION } from "../../../src/channel/frames.js";
import * as operations from "../../../src/channel/operations.js";
import { decodeErrorReply, decodeJsonReply, isErrorReply } from "../../../src/channel/replies.js";
import { LIMITS } from "../../../src/core/limits.js";
import { TAG } from "../../../src/core/value.js";
import { KeygroupOperations } from "../../../src/keygroups/operation-server.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { openTestKeygroup, str, textOf, type TestKeygroup } from "../../helpers/memory-keygroup.js";

/** An operation that watches everything. */
const WATCH = Buffer.concat([
  Buffer.from([0, 0, 0, 0, OPERATION.json]),
  Buffer.from(JSON.stringify({ op: "watch" })),
]);

/** What the guest was sent. */
interface Received {
  readonly type: number;
  readonly id: number;
  readonly payload: Buffer;
}

let kg: TestKeygroup;
let server: KeygroupOperations;
let received: Received[];
/** What the guest has not read: a test makes it slow with this. */
let unreadBytes: number;
let writer: FrameWriter;

beforeEach(async () => {
  kg = await openTestKeygroup();
  server = new KeygroupOperations(kg.keygroup, silentLogger);
  received = [];
  unreadBytes = 0;
  const reader = new FrameReader();
  const sink = {
    write: (chunk: Uint8Array) =>
      reader.push(Buffer.from(chunk), (type, id, payload) => received.push({ type, id, payload })),
    get writableLength(): number {
      return unreadBytes;
    },
  };
  writer = new FrameWriter(sink, { schedule: (flush) => flush() });
});
afterEach(() => kg.keygroup.close());

/** Sends what `encode` writes and gives what came back at once or by the end of the turn. */
async function ask(encode: (guest: FrameWriter) => void): Promise<Received | undefined> {
  const before = received.length;
  const reader = new FrameReader();
  const sink = {
    write: (chunk: Uint8Array) =>
      reader.push(Buffer.from(chunk), (_type, id, payload) =>
        server.serve(writer, id, undefined, payload),
      ),
    writableLength: 0,
  };
  const guest = new FrameWriter(sink, { schedule: (flush) => flush() });
  encode(guest);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  return received[before];
}

const json = (id: number, request: unknown): Promise<Received | undefined> =>
  ask((guest) => operations.encodeJsonOperation(guest, id, 0, request));

const codeOf = (reply: Received | undefined): unknown =>
  reply && isErrorReply(reply.payload) ? decodeErrorReply(reply.payload)["code"] : "ok";

const eventOf = (frame: Received | undefined): unknown =>
  JSON.parse(frame?.payload.toString() ?? "null");

const events = (): Received[] => received.filter(({ type }) => type === FRAME.event);

const write = (key: string, text: string): Promise<unknown> =>
  kg.keygroup.write({ writes: [{ op: "set", key, value: str(text) }] });

describe("a guest that reads slowly", () => {
  test("loses its watch with ENOKI_SLOW_READER, once, and may watch again", async () => {
    expect(codeOf(await json(7, { op: "watch", prefix: "" }))).toBe("ok");
    await write("k", "1");
    unreadBytes = LIMITS.channelBacklogBytesMax + 1;
    await write("k", "2");
    await write("k", "3");
    unreadBytes = 0;
    await write("k", "4");
    expect(events().map(eventOf)).toMatchObject([
      { key: "k", value: { t: "str", v: "1" } },
      { error: { code: "ENOKI_SLOW_READER" } },
    ]);
    expect(codeOf(await json(7, { op: "watch", prefix: "" }))).toBe("ok");
    await write("k", "5");
    expect(eventOf(events().at(-1))).toMatchObject({ value: { v: "5" } });
  });
});

describe("many keys at once", () => {
  test("are refused as soon as their values cannot be in one reply", async () => {
    await write("k", "x".repeat(1024 * 1024));
    const keys = Array.from({ length: 1000 }, () => "k");
    let gets = 0;
    const { reads } = kg.keygroup;
    const getBytes = reads.getBytes.bind(reads);
    reads.getBytes = (key) => {
      gets += 1;
      return getBytes(key);
    };
    const binary = await ask((guest) => operations.encodeGetMany(guest, 1, 0, keys));
    expect(codeOf(binary)).toBe("ENOKI_VALUE_TOO_LARGE");
    expect(gets).toBeLessThan(30);
    expect(codeOf(await json(2, { op: "getMany", keys }))).toBe("ENOKI_VALUE_TOO_LARGE");
    expect(codeOf(await json(3, { op: "getMany", keys: ["k", "k"] }))).toBe("ok");
  });
});

test("what only reads is answered at once, so that its size counts before the next operation", async () => {
  await write("k", "v");
  const payload = Buffer.concat([
    Buffer.from([0, 0, 0, 0, OPERATION.json]),
    Buffer.from(JSON.stringify({ op: "get", key: "k" })),
  ]);
  server.serve(writer, 1, undefined, payload);
  expect(decodeJsonReply((received[0] as Received).payload)).toEqual({
    value: { t: "str", v: "v" },
  });
});

describe("watches", () => {
  test("have an id each: one that is live is refused, and goes on", async () => {
    await json(7, { op: "watch", prefix: "a" });
    expect(codeOf(await json(7, { op: "watch", prefix: "b" }))).toBe("ENOKI_INVALID_INPUT");
    await write("a", "1");
    await write("b", "1");
    expect(events().map(eventOf)).toMatchObject([{ key: "a" }]);
    await json(8, { op: "unwatch", watch: 7 });
    await write("a", "2");
    expect(events()).toHaveLength(1);
    expect(codeOf(await json(7, { op: "watch", prefix: "b" }))).toBe("ok");
  });

  test("are so many at most, and their bounds are no longer than a key", async () => {
    for (let id = 1; id <= LIMITS.watchesPerInstanceMax; id++) {
      server.serve(writer, id, undefined, WATCH);
    }
    expect(received.map(codeOf)).not.toContain("ENOKI_INVALID_INPUT");
    expect(codeOf(await json(5000, { op: "watch" }))).toBe("ENOKI_INVALID_INPUT");
    await json(5001, { op: "unwatch", watch: 1 });
    const prefix = "x".repeat(LIMITS.keySizeBytesMax + 1);
    expect(codeOf(await json(5002, { op: "watch", prefix }))).toBe("ENOKI_INVALID_KEY");
    expect(codeOf(await json(5003, { op: "watch", prefix: "" }))).toBe("ok");
  });

  test("do not begin once the instance is gone", async () => {
    server.close();
    server.serve(writer, 1, undefined, WATCH);
    await write("k", "1");
    expect(received).toEqual([]);
  });
});

describe("a value that is set", () => {
  test.each([
    [TAG.json, '{"a":[1,"é"]}', "ok"],
    [TAG.json, '{"a":', "ENOKI_VALUE_UNSUPPORTED"],
    [TAG.json, "", "ENOKI_VALUE_UNSUPPORTED"],
    [TAG.json, Buffer.from([0x22, 0xff, 0x22]), "ENOKI_VALUE_UNSUPPORTED"],
    [TAG.str, "é", "ok"],
    [TAG.str, Buffer.from([0xff]), "ENOKI_VALUE_UNSUPPORTED"],
    [TAG.bytes, Buffer.from([0xff]), "ok"],
    [TAG.counter, "", "ENOKI_VALUE_UNSUPPORTED"],
  ])("with the tag %j and the bytes %j: %s", async (tag, value, expected) => {
    const reply = await ask((guest) => operations.encodeSet(guest, 1, 0, { key: "k", tag, value }));
    expect(codeOf(reply)).toBe(expected);
    expect(kg.keygroup.get("k") === undefined).toBe(expected !== "ok");
  });
});

describe("a batch", () => {
  const NOTHING = { checks: [], writes: [], sends: [], once: null };
  const value = { tag: TAG.str, bytes: Buffer.from("v") };
  const set = { op: "set", key: "k", value } as const;
  const send = (batch: Partial<BatchOperation>) =>
    ask((guest) => encodeBatch(guest, 1, 0, { ...NOTHING, ...batch }));

  test("takes effect as a whole, and answers with a version per write", async () => {
    const writes = [
      set,
      { ...set, key: "t", ttlMs: 60_000 },
      { op: "increment", key: "n", n: 2 } as const,
      { op: "delete", key: "gone" } as const,
    ];
    const reply = await send({ checks: [{ key: "k", version: null }], writes, once: "o" });
    const { versions, repeated } = decodeBatchReply(reply!.payload);
    expect(versions).toEqual([versions[0], versions[0], versions[0], null]);
    expect(versions[0]).not.toBeNull();
    expect(repeated).toBe(false);
    expect(kg.keygroup.entry("t")?.expiresAtMs).toBe(kg.clock.wallMs + 60_000);
    expect(Buffer.from(kg.keygroup.get("n")!.bytes).toString()).toBe("2");
    const again = await send({ writes, once: "o" });
    expect(decodeBatchReply(again!.payload)).toEqual({ versions, repeated: true });
  });

  test.each([2, 20])(
    "sets a key once, and tells of it once, however often it names it (%i writes)",
    async (count) => {
      const told: (string | undefined)[] = [];
      kg.keygroup.watch({}, ({ value }) => told.push(textOf(value)));
      const texts = Array.from({ length: count }, (_, at) => String(at));
      const valueOf = (text: string) => ({ tag: TAG.str, bytes: Buffer.from(text) });
      const reply = await send({ writes: texts.map((text) => ({ ...set, value: valueOf(text) })) });
      const { versions } = decodeBatchReply(reply!.payload);
      expect(versions).toEqual(texts.map(() => versions[0]));
      expect(told).toEqual(texts.slice(-1));
      expect(textOf(kg.keygroup.get("k"))).toBe(texts.at(-1));
    },
  );

  test.each<[string, Partial<BatchOperation>, string]>([
    ["a check that fails", { checks: [{ key: "k", version: "1" }] }, "ENOKI_VERSION_CONFLICT"],
    ["an empty key", { writes: [{ ...set, key: "" }] }, "ENOKI_INVALID_KEY"],
    ["an empty key to check", { checks: [{ key: "", version: null }] }, "ENOKI_INVALID_KEY"],
    ["no ttl at all", { writes: [{ ...set, ttlMs: 0 }] }, "ENOKI_INVALID_INPUT"],
    [
      "a number that is none",
      { writes: [{ op: "increment", key: "k", n: NaN }] },
      "ENOKI_INVALID_INPUT",
    ],
    [
      "an unknown tag",
      { writes: [{ ...set, value: { ...value, tag: 9 } }] },
      "ENOKI_VALUE_UNSUPPORTED",
    ],
    [
      "data that are no value",
      { sends: [{ function: "f", data: { ...value, tag: 9 } }] },
      "ENOKI_VALUE_UNSUPPORTED",
    ],
    [
      "an order key that is too long",
      { sends: [{ function: "f", data: value, orderKey: "é".repeat(129) }] },
      "ENOKI_INVALID_INPUT",
    ],
    ["an empty once key", { once: "" }, "ENOKI_INVALID_INPUT"],
    [
      "more than 1,000 checks",
      { checks: Array.from({ length: 1001 }, () => ({ key: "k", version: null })) },
      "ENOKI_INVALID_INPUT",
    ],
    [
      "more than 1,000 writes",
      { writes: Array.from({ length: 1001 }, () => set) },
      "ENOKI_INVALID_INPUT",
    ],
  ])("is refused as a whole for %s", async (_what, part, code) => {
    const reply = await send({
      ...part,
      writes: [{ ...set, key: "other" }, ...(part.writes ?? [])],
    });
    expect(codeOf(reply)).toBe(code);
    expect(kg.keygroup.get("other")).toBeUndefined();
  });
});

test("a value of 16 MiB is judged without being built, and deep nesting is refused", async () => {
  const brackets = LIMITS.valueSizeBytesMax / 2;
  const set = (text: string) =>
    ask((guest) =>
      operations.encodeSet(guest, 1, 0, {
        key: "k",
        tag: TAG.json,
        value: text,
        ttlMs: undefined,
        ifVersion: undefined,
        ifAbsent: false,
      }),
    );
  const parse = vi.spyOn(JSON, "parse");
  onTestFinished(() => parse.mockRestore());
  const deep = await set("[".repeat(brackets) + "]".repeat(brackets));
  expect(deep && decodeErrorReply(deep.payload)).toMatchObject({
    code: "ENOKI_VALUE_UNSUPPORTED",
    message: `the value is nested deeper than ${LIMITS.jsonDepthMax}`,
  });
  const broken = await set("[1,]");
  expect(broken && decodeErrorReply(broken.payload)).toMatchObject({
    code: "ENOKI_VALUE_UNSUPPORTED",
    message: "the value is not JSON",
  });
  const wide = await set(`[${"[],".repeat(LIMITS.valueSizeBytesMax / 4)}1]`);
  expect(wide && isErrorReply(wide.payload)).toBe(false);
  expect(parse.mock.calls.filter(([text]) => text.length > 1000)).toEqual([]);
});

test("a JSON operation that a parser would be busy with for seconds is refused before", async () => {
  const brackets = LIMITS.frameBytesMax / 4;
  for (const v of [
    `[${"0,".repeat(LIMITS.jsonPartsMax)}0]`,
    "[".repeat(brackets) + "]".repeat(brackets),
  ]) {
    const json = `{"op":"set","key":"k","value":{"t":"json","v":${v}}}`;
    const head = Buffer.from([0, 0, 0, 0, OPERATION.json]);
    server.serve(writer, 1, undefined, Buffer.concat([head, Buffer.from(json)]));
    expect(decodeErrorReply(received.at(-1)?.payload as Buffer)).toMatchObject({
      code: "ENOKI_INVALID_INPUT",
      message: expect.stringMatching(/^too much JSON: /) as string,
    });
  }
});
