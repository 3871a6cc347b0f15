// Why so long: everything that a guest may send to its instance, each with the same two ends of a channel.

import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { FRAME, FrameReader, FrameWriter, OPERATION } from "../../../src/channel/frames.js";
import { encodeGetReply } from "../../../src/channel/replies.js";
import { ERRORS, EnokiError } from "../../../src/core/errors.js";
import { LIMITS } from "../../../src/core/limits.js";
import { Instance } from "../../../src/functions/instance.js";
import { LogBook } from "../../../src/functions/log-book.js";
import { isPostponed } from "../../../src/functions/outbox/retry.js";
import type { OperationServer } from "../../../src/functions/operations-port.js";
import { systemClock } from "../../../src/ports/clock.js";
import type { GuestExit } from "../../../src/ports/runtime.js";
import { createTurn } from "../../../src/ports/turn.js";
import type { Call } from "../../../src/functions/call.js";
import { makeCall } from "./calls.js";
import { eventually } from "../../helpers/eventually.js";

/** An instance whose guest is the test: it holds the other end of the channel. */
class Bench {
  readonly instance: Instance;
  readonly guest: Socket;
  readonly log = new LogBook(() => 0);
  /** Frames that the guest writes. */
  readonly frames: FrameWriter;
  /** Calls that the instance gave back to its pool. */
  readonly returned: Call[] = [];
  readonly #channel: Socket;
  #exit: (exit: GuestExit) => void = () => {};

  constructor(channel: Socket, guest: Socket, serve: OperationServer["serve"]) {
    this.#channel = channel;
    this.guest = guest;
    this.frames = new FrameWriter(guest, { schedule: (flush) => flush() });
    const exited = new Promise<GuestExit>((resolve) => (this.#exit = resolve));
    this.instance = new Instance({
      process: {
        pid: 1,
        channel,
        stdout: undefined,
        stderr: undefined,
        guestArtefactDir: "",
        guestStoreFile: undefined,
        exited,
        kill: () => {
          this.exit({ code: null, signal: "SIGKILL" });
          return exited;
        },
      },
      functionCalls: { serve: () => {}, close: () => {} },
      operations: { serve, close: () => {} },
      log: this.log,
      turn: createTurn(),
      clock: systemClock,
      events: { freed: () => {}, ended: () => {}, returned: (call) => this.returned.push(call) },
    });
  }

  /** Nobody reads the channel any more, as while a guest is behind with reading. */
  holdChannel(): void {
    this.#channel.pause();
  }

  /** The guest's process ends, which closes its end of the channel. */
  exit(exit: GuestExit): void {
    this.guest.end();
    this.#exit(exit);
  }

  /** Loads with a guest that offers to run `concurrency` calls at once. */
  async load(concurrency: unknown = 8, ahead: unknown = undefined): Promise<void> {
    const loaded = this.instance.load({}, undefined);
    this.frames.frame(FRAME.ready, 0, JSON.stringify({ concurrency, ahead }));
    await loaded;
  }

  /** Loads with a guest that runs one call at a time, takes others ahead and watches them. */
  async loadSerial(): Promise<void> {
    await this.load(1, 100);
    const { id } = this.start(true);
    this.frames.frame(FRAME.result, id, Buffer.alloc(8));
    await eventually(() => expect(this.instance.hasRoomAhead).toBe(true));
    this.#started = 0;
    this.#generation += 1;
  }

  /** Starts a call and gives its id on the channel. */
  start(isPressed = false): {
    readonly id: number;
    readonly call: Call;
    readonly outcome: () => unknown;
  } {
    const { call, outcome } = makeCall();
    this.instance.start(call, isPressed);
    this.#started += 1;
    // The first use of the n-th slot, see SlotTable.
    const generation = this.#started === 1 ? this.#generation : 1;
    return { id: generation * 2 ** 18 + this.#started - 1, call, outcome };
  }
  #started = 0;
  /** Of the first slot. */
  #generation = 1;

  get lines(): string[] {
    return this.log.tail(100).map(({ text }) => text);
  }

  close(): void {
    this.guest.destroy();
    this.#channel.destroy();
    this.#exit({ code: 0, signal: null });
  }
}

let folder: string;
let closing: (() => void)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "enoki-instance-"));
});
afterEach(async () => {
  for (const close of closing) close();
  closing = [];
  await rm(folder, { recursive: true });
});

async function openBench(serve: OperationServer["serve"] = () => {}): Promise<Bench> {
  const server = createServer().listen(join(folder, "channel"));
  await once(server, "listening");
  const accepted = once(server, "connection");
  const guest = createConnection(join(folder, "channel"));
  const [channel] = (await accepted) as [Socket];
  server.close();
  const bench = new Bench(channel, guest, serve);
  closing.push(() => bench.close());
  return bench;
}

const codeOf = (outcome: unknown): unknown =>
  outcome instanceof EnokiError ? outcome.code : outcome;

describe("calls given ahead", () => {
  test("have not begun until the one before is answered, and go back when the guest says so", async () => {
    const bench = await openBench();
    await bench.loadSerial();
    const before = bench.instance.writesTotal;
    const [first, second, third] = [bench.start(), bench.start(), bench.start()];
    await eventually(() => expect(bench.instance.writesTotal).toBeGreaterThan(before));
    expect(bench.instance.writesTotal - before, "they share a write").toBe(1);
    expect([first, second, third].map(({ call }) => call.isStarted)).toEqual([true, false, false]);
    expect([bench.instance.running, bench.instance.ahead]).toEqual([3, 2]);
    bench.frames.frame(FRAME.returned, third.id);
    bench.frames.frame(FRAME.result, first.id, Buffer.alloc(8));
    await eventually(() => expect(first.outcome()).toMatchObject({ status: 200 }));
    expect(bench.returned).toEqual([third.call]);
    expect([second.call.isStarted, third.call.isStarted]).toEqual([true, false]);
    expect(bench.instance.hasRoomAhead, "it was too slow for that").toBe(false);
  });

  test("wake the guest for no more than its next one: others go with what it waits for", async () => {
    const bench = await openBench((writer, id) => encodeGetReply(writer, id, undefined));
    await bench.loadSerial();
    const got: string[] = [];
    const reader = new FrameReader();
    bench.guest.on("data", (chunk: Buffer) =>
      reader.push(chunk, (type) => got.push(type === FRAME.invoke ? "call" : "reply")),
    );
    // What it was loaded with.
    await eventually(() => expect(got.splice(0)).not.toEqual([]));
    const first = bench.start();
    await eventually(() => expect(got).toEqual(["call"]));
    bench.start();
    await eventually(() => expect(got).toEqual(["call", "call"]));
    bench.start();
    const before = bench.instance.writesTotal;
    await new Promise((resolve) => setImmediate(resolve));
    expect(bench.instance.writesTotal, "it has its next call").toBe(before);
    bench.frames.begin(FRAME.operation, 7);
    bench.frames.u32(first.id);
    bench.frames.u8(OPERATION.get);
    bench.frames.text("key");
    bench.frames.end();
    await eventually(() => expect(got).toEqual(["call", "call", "call", "reply"]));
    expect(bench.instance.writesTotal, "in one write").toBe(before + 1);
    bench.start();
    bench.frames.frame(FRAME.result, first.id, Buffer.alloc(8));
    await eventually(() => expect(got.slice(4)).toEqual(["call"]));
  });

  test("go back when the process dies, while the one that ran is lost", async () => {
    const bench = await openBench();
    await bench.loadSerial();
    const [first, second] = [bench.start(), bench.start()];
    await bench.instance.kill("a test");
    await eventually(() => expect(codeOf(first.outcome())).toBe("ENOKI_INSTANCE_DIED"));
    expect(bench.returned).toEqual([second.call]);
    expect(second.outcome()).toBeUndefined();
  });

  test("do not end the process when their time is up: they are taken out of the line", async () => {
    const bench = await openBench();
    await bench.loadSerial();
    const [first, second] = [bench.start(), bench.start()];
    second.call.abandon(new EnokiError("ENOKI_TIMEOUT"));
    bench.frames.frame(FRAME.failed, second.id, JSON.stringify({ message: "gone" }));
    bench.frames.frame(FRAME.result, first.id, Buffer.alloc(8));
    await eventually(() => expect(first.outcome()).toMatchObject({ status: 200 }));
    expect(bench.instance.running).toBe(0);
  });

  test("are bounded however many the guest offers, few unless its calls wait for nothing, and none for one that runs many at once", async () => {
    const bench = await openBench();
    await bench.loadSerial();
    const fill = (): number => {
      while (bench.instance.hasRoomAhead) bench.start();
      return bench.instance.ahead;
    };
    expect(fill()).toBe(3);
    bench.frames.frame(FRAME.pace, 0, Buffer.of(1));
    await eventually(() => expect(bench.instance.isSteady).toBe(true));
    expect(fill()).toBe(LIMITS.callsAheadMax);
    bench.frames.frame(FRAME.pace, 0, Buffer.of(0));
    await eventually(() => expect(bench.instance.isSteady).toBe(false));
    const many = await openBench();
    await many.load(8, 3);
    const { id } = many.start(true);
    many.frames.frame(FRAME.returned, id);
    await eventually(() => expect(many.lines.join()).toContain("takes none ahead"));
  });
});

describe("what a guest says of a failure", () => {
  test("counts only where it is text, and only so much of it", async () => {
    const bench = await openBench();
    await bench.load();
    const odd = bench.start();
    const long = bench.start();
    const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
    bench.frames.frame(
      FRAME.failed,
      odd.id,
      `{"code":{},"errorType":{"toString":1},"message":${deep},"traceback":[1]}`,
    );
    bench.frames.frame(FRAME.failed, long.id, JSON.stringify({ message: "x".repeat(500_000) }));
    await eventually(() => expect(long.outcome()).toBeDefined());
    expect(odd.outcome()).toMatchObject({
      code: "ENOKI_FUNCTION_ERROR",
      message: "Error: ",
      extra: { errorType: "Error", message: "" },
    });
    expect((long.outcome() as EnokiError).message.length).toBeLessThan(70_000);
    expect(bench.lines).toEqual([]);
  });

  test("of its load is read in the same way", async () => {
    const bench = await openBench();
    const loaded = bench.instance.load({}, undefined);
    bench.frames.frame(FRAME.loadFailed, 0, `{"code":[],"message":{"toString":1},"traceback":{}}`);
    await expect(loaded).rejects.toMatchObject({
      code: "ENOKI_LOAD_FAILED",
      extra: { errorType: "Error", traceback: undefined },
    });
  });

  test("is heard before its end, also where that is known first", async () => {
    const bench = await openBench();
    const loaded = bench.instance.load({}, undefined);
    bench.frames.frame(FRAME.loadFailed, 0, JSON.stringify({ message: "why", traceback: "where" }));
    bench.exit({ code: 1, signal: null });
    await expect(loaded).rejects.toMatchObject({
      code: "ENOKI_LOAD_FAILED",
      extra: { traceback: "where" },
    });
    await eventually(() => expect(bench.lines).toEqual(["instance 1 ended: exit code 1"]));
  });

  test("is waited for no longer than a second once it has ended", async () => {
    const bench = await openBench();
    await bench.load();
    const { outcome } = bench.start();
    expect(bench.instance.hasRoom).toBe(true);
    bench.holdChannel();
    bench.exit({ code: 1, signal: null });
    await new Promise((resolve) => setImmediate(resolve));
    // Nothing is given to a process that is gone, while the end of its calls is still open.
    expect([bench.instance.hasRoom, outcome()]).toEqual([false, undefined]);
    await eventually(() => expect(outcome()).toBeInstanceOf(EnokiError));
  });

  test("has no code but those that are a guest's to give", async () => {
    const bench = await openBench();
    await bench.load(1000);
    const own = new Set([
      "ENOKI_FUNCTION_ERROR",
      "ENOKI_INVALID_INPUT",
      "ENOKI_INVALID_RESULT",
      "ENOKI_OUTPUT_TOO_LARGE",
      "ENOKI_DISK_FULL",
    ]);
    const calls = Object.keys(ERRORS).map((code) => {
      const { id, outcome } = bench.start();
      bench.frames.frame(FRAME.failed, id, JSON.stringify({ code }));
      return { outcome, expected: own.has(code) ? code : "ENOKI_FUNCTION_ERROR" };
    });
    await eventually(() => expect(calls.at(-1)?.outcome()).toBeDefined());
    expect(calls.map(({ outcome }) => codeOf(outcome()))).toEqual(
      calls.map(({ expected }) => expected),
    );
    expect(calls.map(({ outcome }) => isPostponed(outcome() as EnokiError))).not.toContain(true);
  });

  test("ends it when it is larger than any report", async () => {
    const bench = await openBench();
    await bench.load();
    const { id, outcome } = bench.start();
    bench.frames.frame(FRAME.failed, id, "[".repeat(2_000_000));
    await eventually(() => expect(codeOf(outcome())).toBe("ENOKI_INSTANCE_DIED"));
    expect(bench.lines[0]).toBe("protocol error: a report of 2000000 bytes");
  });
});

test("whatever a frame brings about ends that instance alone, and nothing more is heard from it", async () => {
  let served = 0;
  const bench = await openBench(() => {
    served += 1;
    throw new TypeError("a bug");
  });
  await bench.load();
  const { outcome } = bench.start();
  const operation = Buffer.from([0, 0, 0, 0, 1]);
  bench.frames.frame(FRAME.operation, 1, operation);
  bench.frames.frame(FRAME.operation, 2, operation);
  bench.frames.frame(FRAME.log, 0, Buffer.from("\x01late"));
  bench.guest.resume();
  await eventually(() => expect(codeOf(outcome())).toBe("ENOKI_INSTANCE_DIED"));
  expect(bench.guest.closed || bench.guest.readableEnded).toBe(true);
  expect(served).toBe(1);
  expect(bench.lines).toEqual([
    "protocol error: TypeError: a bug",
    "instance 1 ended: broke the protocol",
  ]);
});

test("nothing more is served to a guest that does not read, until it does", async () => {
  const value = Buffer.alloc(16 * 1024 * 1024);
  let served = 0;
  const bench = await openBench((writer, id) => {
    served += 1;
    encodeGetReply(writer, id, { tag: 2, bytes: value });
  });
  await bench.load();
  const operations = new FrameWriter(bench.guest, { schedule: null });
  // The first chunk that the node reads has hundreds of them, and there are many chunks.
  for (let id = 1; id <= 20_000; id++) operations.frame(FRAME.operation, id, Buffer.alloc(30));
  operations.flush();
  await eventually(() => expect(served).toBeGreaterThan(0));
  const atRest = served;
  expect(atRest).toBeLessThanOrEqual(3);
  let readBytes = 0;
  const isFollowed = new Promise<void>((resolve) => {
    bench.guest.on("data", (chunk: Buffer) => {
      readBytes += chunk.length;
      if (readBytes > 8 * value.length) resolve();
    });
  });
  await isFollowed;
  expect(served).toBeGreaterThan(atRest);
  expect(served * value.length - readBytes).toBeLessThan(6 * value.length);
});

describe("READY", () => {
  test.each([
    [8, 8],
    [1.9, 1],
    [0, 1],
    [-1, 1],
    ["64", 1],
    [null, 1],
    [1e300, LIMITS.concurrencyMax],
  ])("of %j gives room for %j calls", async (said, room) => {
    const bench = await openBench();
    await bench.load(said);
    expect(bench.instance.concurrency).toBe(room);
  });

  test("comes once: a second one ends the instance", async () => {
    const bench = await openBench();
    await bench.load(2);
    const { outcome } = bench.start();
    bench.frames.frame(FRAME.ready, 0, JSON.stringify({ concurrency: 500 }));
    await eventually(() => expect(codeOf(outcome())).toBe("ENOKI_INSTANCE_DIED"));
    expect(bench.instance.concurrency).toBe(2);
    expect(bench.lines[0]).toBe("protocol error: it was loaded already");
  });

  test("excludes LOAD_FAILED, in either order", async () => {
    const bench = await openBench();
    const loaded = bench.instance.load({}, undefined);
    bench.frames.frame(FRAME.loadFailed, 0, "{}");
    bench.frames.frame(FRAME.ready, 0, "{}");
    await expect(loaded).rejects.toMatchObject({ code: "ENOKI_LOAD_FAILED" });
    await eventually(() => expect(bench.lines[0]).toBe("protocol error: it was loaded already"));
    expect(bench.instance.hasRoom).toBe(false);
  });
});
