// Why so long: every end of an invocation is shown with the same scripted host and store.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import type { FunctionName, InvocationId, NodeName } from "../../../src/core/ids.js";
import { LIMITS } from "../../../src/core/limits.js";
import { TAG } from "../../../src/core/value.js";
import type { Call, CallRequest, CallResponse } from "../../../src/functions/call.js";
import type { FunctionHost, Submission } from "../../../src/functions/function-host.js";
import { createInvocationIds } from "../../../src/functions/invocation-ids.js";
import type { OutboxStore } from "../../../src/functions/outbox/outbox-store.js";
import { FunctionCalls } from "../../../src/functions/calls/function-calls.js";
import { LocalCalls } from "../../../src/functions/calls/local-calls.js";
import { NO_OTHER_NODES, type OtherNodes } from "../../../src/functions/calls/other-nodes.js";
import type { DataMarks, FunctionSessions } from "../../../src/functions/sessions.js";
import { decodeSession, encodeSession, type Session } from "../../../src/core/session.js";
import { Outbox } from "../../../src/functions/outbox/outbox.js";
import {
  encodeEntry,
  encodeResult,
  entryKey,
  resultKey,
  type StoredEntry,
} from "../../../src/functions/outbox/rows.js";
import { silentLogger } from "../../../src/ports/logger.js";
import type { Storage } from "../../../src/ports/storage.js";
import { createMemoryDriver } from "../../../src/storage/memory.js";
import { REQUEST, RESPONSE } from "./calls.js";

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const nextId = createInvocationIds();
const FAR = "far" as NodeName;
const DAY_MS = 24 * 3_600_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A store of local rows that commits at once, or fails when told to. */
class FakeStore implements OutboxStore {
  readonly name: string;
  readonly rows: Storage;
  commits = 0;
  failure: Error | undefined;
  /** What acknowledgements wait for once something is committed. */
  acknowledging: Promise<void> | undefined;

  constructor(name: string, rows: Storage) {
    this.name = name;
    this.rows = rows;
  }

  commitLocal: OutboxStore["commitLocal"] = async (work) => {
    if (this.failure) throw this.failure;
    this.commits += 1;
    const committed = this.rows.transact((transaction) => {
      const { writes, value } = work(transaction);
      for (const { key, value } of writes) {
        if (value === undefined) transaction.delete(key);
        else transaction.put(key, value);
      }
      return value;
    });
    await this.acknowledging;
    return committed;
  };

  submitLocal: OutboxStore["submitLocal"] = (work, acknowledged, failed) =>
    void this.commitLocal(work).then(acknowledged, failed);
}

/** Keeps what it is asked to run until the test says how it ended. */
const ENDED = { isStarted: true } as Call;

/** Where a call needs to wait for nothing, and says what a test wants. */
class FakeSessions {
  marksNext: DataMarks = {};
  /** What the next calls with a session wait for. */
  enter = (): Promise<boolean> | undefined => undefined;

  read = (token: string): Session => decodeSession(token, Infinity);
  write = (_name: string, session: Session): string => encodeSession(session);
  whenKept = (_name: string, then: () => void): void => then();
  seenAfter = (): Session | undefined => {
    const { session } = this.marksNext;
    return session === undefined ? undefined : this.read(session);
  };
  stalenessMs = (): number | undefined => {
    const { staleness } = this.marksNext;
    return staleness === undefined ? undefined : Number(staleness);
  };

  get asSessions(): FunctionSessions {
    return this as unknown as FunctionSessions;
  }
}

class FakeHost {
  readonly name = "fn" as FunctionName;
  readonly submitted: Submission[] = [];
  tries = 0;

  submit(submission: Submission): Call {
    this.tries += 1;
    this.submitted.push(submission);
    return undefined as unknown as Call;
  }

  async end(outcome: CallResponse | EnokiError = RESPONSE): Promise<Submission> {
    const submission = this.submitted.shift();
    if (!submission) throw new Error("nothing runs");
    submission.settled(outcome, ENDED);
    await vi.advanceTimersByTimeAsync(0);
    return submission;
  }

  get asHost(): FunctionHost {
    return this as unknown as FunctionHost;
  }
}

/** An outbox with one function and one store. */
class Bench {
  readonly host = new FakeHost();
  readonly sessions = new FakeSessions();
  readonly store: FakeStore;
  readonly outbox: Outbox;
  isDeployed = true;
  others: OtherNodes = NO_OTHER_NODES;

  constructor(rows: Storage) {
    this.store = new FakeStore("fn", rows);
    const sessions = this.sessions.asSessions;
    const local = new LocalCalls({ sessions, clock });
    const calls = new FunctionCalls({
      find: (name) => (name === "fn" && this.isDeployed ? this.host.asHost : undefined),
      local,
      others: {
        nodesOf: (name) => this.others.nodesOf(name),
        call: (...asked) => this.others.call(...asked),
      },
      clock,
    });
    this.outbox = new Outbox({
      calls,
      local,
      storeOf: () => this.store,
      clock,
      logger: silentLogger,
      random: () => 1,
      nextId,
      sessions: this.sessions.asSessions,
    });
    this.outbox.open([this.store]);
  }

  static async open(): Promise<Bench> {
    return new Bench(await createMemoryDriver().open("kg-fn"));
  }

  /** As after a crash: only the store is left. */
  reopen(): Bench {
    this.outbox.stop();
    return new Bench(this.store.rows);
  }

  async enqueue(request: Partial<CallRequest> = {}): Promise<InvocationId> {
    return await this.outbox.enqueue(this.host.asHost, nextId(), { ...REQUEST, ...request });
  }

  /** Lets the call that runs fail until it is given up. */
  async failForGood(): Promise<void> {
    for (let tries = 0; tries < LIMITS.asyncTriesMax; tries++) {
      await vi.advanceTimersByTimeAsync(30_000);
      await this.host.end(new EnokiError("ENOKI_FUNCTION_ERROR", "Error: no"));
    }
  }
}

const soon = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

describe("an accepted invocation", () => {
  test("is stored before it is accepted, and runs after", async () => {
    const { outbox, host, store, enqueue } = bindings(await Bench.open());
    const accepted = enqueue({ body: Buffer.from("hello") });
    expect(host.tries).toBe(0);
    const id = await accepted;
    expect(store.commits).toBe(1);
    await soon();
    expect(host.submitted[0]).toMatchObject({ id, request: { body: Buffer.from("hello") } });
    expect(outbox.show(id).state).toBe("running");
    expect(outbox.outcome(id)).toMatchObject({ state: "waiting" });
    await host.end();
    expect(outbox.outcome(id)).toMatchObject({ state: "done", marks: {}, response: RESPONSE });
    expect(outbox.show(id)).toMatchObject({ state: "done", tries: 1, status: 200 });
  });

  test("is refused when it cannot be stored, and leaves nothing behind", async () => {
    const { outbox, store, host, enqueue } = bindings(await Bench.open());
    store.failure = new EnokiError("ENOKI_DISK_FULL");
    await expect(enqueue()).rejects.toMatchObject({ code: "ENOKI_DISK_FULL" });
    await soon();
    expect([outbox.list({ limit: 10 }), host.tries]).toEqual([[], 0]);
  });

  test("runs again after a crash, with the same id and idempotency key", async () => {
    const bench = await Bench.open();
    const [plain, keyed] = [await bench.enqueue(), await bench.enqueue({ idempotencyKey: "k" })];
    await soon();
    const again = bench.reopen();
    await soon();
    const seen = again.host.submitted.map(({ id, request }) => [id, request.idempotencyKey]);
    expect(new Map(seen as [string, string][])).toEqual(
      new Map([
        [plain, plain],
        [keyed, "k"],
      ]),
    );
  });

  test("keeps its result over a restart, for a day", async () => {
    const bench = await Bench.open();
    const id = await bench.enqueue({ idempotencyKey: "k" });
    await soon();
    await bench.host.end({ ...RESPONSE, status: 201, headers: "a\0b\0" });
    const again = bench.reopen();
    expect(again.outbox.outcome(id)).toMatchObject({
      state: "done",
      marks: {},
      response: { ...RESPONSE, status: 201, headers: "a\0b\0" },
    });
    expect(await again.enqueue({ idempotencyKey: "k" })).toBe(id);
    await vi.advanceTimersByTimeAsync(DAY_MS + 120_000);
    expect(() => again.outbox.outcome(id)).toThrow(id);
    expect(await again.enqueue({ idempotencyKey: "k" })).not.toBe(id);
    expect(again.store.rows.range({})).toHaveLength(2);
  });

  test("waits for what its caller had seen, over a restart too, and says with its result what it has seen", async () => {
    const bench = await Bench.open();
    const session = encodeSession({ hlc: 7, keygroups: new Map() });
    let enter = (_isElsewhere: boolean): void => {};
    const id = await bench.outbox.enqueue(bench.host.asHost, nextId(), REQUEST, session);
    await soon();
    expect(bench.host.submitted[0]?.session?.hlc).toBe(7);
    const again = bench.reopen();
    again.sessions.enter = () => new Promise((resolve) => (enter = resolve));
    await soon();
    expect([again.host.tries, again.outbox.show(id).state]).toEqual([0, "running"]);
    enter(true);
    await soon();
    expect(again.host.submitted[0]).toMatchObject({ session: { hlc: 7 }, isElsewhere: true });
    again.sessions.marksNext = { session, staleness: "12" };
    await again.host.end();
    const told = { state: "done", marks: { session, staleness: "12" }, response: RESPONSE };
    expect(again.outbox.outcome(id)).toMatchObject(told);
    expect(again.reopen().outbox.outcome(id)).toMatchObject(told);
  });

  test("whose caller's session comes too late waits for it", async () => {
    const { outbox, host, sessions } = await Bench.open();
    const session = encodeSession({ hlc: 7, keygroups: new Map() });
    sessions.enter = () => Promise.reject(new EnokiError("ENOKI_SESSION_NOT_REACHED"));
    const id = await outbox.enqueue(host.asHost, nextId(), REQUEST, session);
    await soon();
    expect([host.tries, outbox.show(id)]).toMatchObject([0, { state: "queued", tries: 0 }]);
    sessions.enter = () => Promise.resolve(false);
    await vi.advanceTimersByTimeAsync(1000);
    expect(host.tries).toBe(1);
    await host.end();
    expect(outbox.show(id)).toMatchObject({ state: "done", tries: 1 });
  });

  test("gives the first one's id to a repeated idempotency key, and runs once", async () => {
    const { host, enqueue } = bindings(await Bench.open());
    const ids = await Promise.all([1, 2, 3].map(() => enqueue({ idempotencyKey: "k" })));
    expect(new Set(ids).size).toBe(1);
    await soon();
    expect(host.tries).toBe(1);
  });
});

describe("an invocation that fails", () => {
  test("is tried five times with doubling pauses, then kept as a dead letter with its reason", async () => {
    const { outbox, host, enqueue } = bindings(await Bench.open());
    const id = await enqueue();
    await soon();
    const error = new EnokiError("ENOKI_FUNCTION_ERROR", "Error: no");
    for (const pauseMs of [100, 200, 400, 800]) {
      await host.end(error);
      expect(outbox.show(id)).toMatchObject({
        state: "queued",
        lastError: { code: "ENOKI_FUNCTION_ERROR" },
      });
      await vi.advanceTimersByTimeAsync(pauseMs - 1);
      expect(host.submitted).toHaveLength(0);
      await vi.advanceTimersByTimeAsync(1);
      expect(host.submitted).toHaveLength(1);
    }
    await host.end(error);
    expect(outbox.show(id)).toMatchObject({ state: "dead", tries: 5 });
    expect(outbox.outcome(id)).toMatchObject({ response: { code: "ENOKI_FUNCTION_ERROR" } });
    await vi.advanceTimersByTimeAsync(DAY_MS * 7);
    expect([host.tries, outbox.show(id).state]).toEqual([5, "dead"]);
  });

  test.each([
    ["a 5xx", { ...RESPONSE, status: 503 }, true],
    ["a timeout", new EnokiError("ENOKI_TIMEOUT"), true],
    ["a dead instance", new EnokiError("ENOKI_INSTANCE_DIED"), true],
    ["code that does not load", new EnokiError("ENOKI_LOAD_FAILED"), true],
    ["a 4xx", { ...RESPONSE, status: 404 }, false],
    ["a refused body", new EnokiError("ENOKI_INVALID_INPUT"), false],
  ])("is tried again after %s: %#", async (_, outcome, isRetried) => {
    const { outbox, host, enqueue } = bindings(await Bench.open());
    const id = await enqueue();
    await soon();
    await host.end(outcome);
    expect(outbox.show(id).state).toBe(isRetried ? "queued" : "done");
  });

  test("keeps its number of tries over a restart", async () => {
    const bench = await Bench.open();
    const id = await bench.enqueue();
    await soon();
    await bench.host.end(new EnokiError("ENOKI_FUNCTION_ERROR", "Error: no"));
    expect(bench.reopen().outbox.show(id)).toMatchObject({ state: "queued", tries: 1 });
  });

  test("was not tried at all where the queue was full or the node drained", async () => {
    const { outbox, host, enqueue } = bindings(await Bench.open());
    const id = await enqueue();
    await soon();
    for (const code of ["ENOKI_QUEUE_FULL", "ENOKI_DRAINING"] as const) {
      await host.end(new EnokiError(code));
      expect(outbox.show(id)).toMatchObject({ state: "queued", tries: 0 });
      await vi.advanceTimersByTimeAsync(100);
      expect(host.submitted).toHaveLength(1);
    }
  });

  test("is not counted as tried when the stopping node ends its instance", async () => {
    const bench = await Bench.open();
    const id = await bench.enqueue();
    await soon();
    bench.outbox.stop();
    await bench.host.end(new EnokiError("ENOKI_INSTANCE_DIED", "the node stopped"));
    expect(bench.reopen().outbox.show(id)).toMatchObject({ state: "queued", tries: 0 });
  });

  test("is a dead letter after five tries when there is no such function any more", async () => {
    const bench = await Bench.open();
    const id = await bench.enqueue();
    bench.isDeployed = false;
    await vi.advanceTimersByTimeAsync(1400);
    expect(bench.outbox.show(id)).toMatchObject({ state: "queued", tries: 4 });
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.outbox.show(id)).toMatchObject({
      state: "dead",
      lastError: { code: "ENOKI_FUNCTION_NOT_FOUND" },
    });
  });

  test("runs again later when its end cannot be stored", async () => {
    const { outbox, host, store, enqueue } = bindings(await Bench.open());
    const id = await enqueue();
    await soon();
    store.failure = new EnokiError("ENOKI_DISK_FULL");
    await host.end();
    expect(outbox.outcome(id)).toMatchObject({ state: "waiting" });
    store.failure = undefined;
    await vi.advanceTimersByTimeAsync(1000);
    await host.end();
    expect(outbox.outcome(id)).toMatchObject({ state: "done", marks: {}, response: RESPONSE });
  });
});

describe("a dead letter", () => {
  test("survives a restart, and runs again with all its tries when it is replayed", async () => {
    const bench = await Bench.open();
    const id = await bench.enqueue();
    await bench.failForGood();
    const again = bench.reopen();
    expect(again.outbox.list({ state: "dead", limit: 10 }).map((one) => one.id)).toEqual([id]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(again.host.tries).toBe(0);
    expect(await again.outbox.replay(id)).toMatchObject({ state: "queued", tries: 0 });
    await soon();
    await again.host.end();
    expect(again.outbox.outcome(id)).toMatchObject({
      state: "done",
      marks: {},
      response: RESPONSE,
    });
  });

  test("is gone with its idempotency key once it is forgotten", async () => {
    const bench = await Bench.open();
    const id = await bench.enqueue({ idempotencyKey: "k" });
    await bench.failForGood();
    await bench.outbox.forget(id);
    expect(bench.store.rows.range({})).toEqual([]);
    expect(() => bench.outbox.show(id)).toThrow(id);
    expect(await bench.enqueue({ idempotencyKey: "k" })).not.toBe(id);
  });

  test("is nothing that runs or has ended well", async () => {
    const { outbox, host, enqueue } = bindings(await Bench.open());
    const id = await enqueue();
    await soon();
    await expect(outbox.replay(id)).rejects.toMatchObject({ code: "ENOKI_INVOCATION_NOT_FOUND" });
    await host.end();
    await expect(outbox.forget(id)).rejects.toMatchObject({ code: "ENOKI_INVOCATION_NOT_FOUND" });
  });
});

describe("a dead letter that two decide on at once", () => {
  async function dead() {
    const bench = await Bench.open();
    const id = await bench.enqueue();
    await bench.failForGood();
    const room = bench.outbox.roomFor("fn");
    return { ...bindings(bench), bench, id, room };
  }

  test("is replayed once, and leaves the count of what waits as it was", async () => {
    const { outbox, host, id, room } = await dead();
    const before = host.tries;
    const replays = await Promise.allSettled([outbox.replay(id), outbox.replay(id)]);
    expect(replays.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(replays[1]).toMatchObject({ reason: { code: "ENOKI_INVOCATION_NOT_FOUND" } });
    await soon();
    expect(host.tries).toBe(before + 1);
    await host.end();
    expect(outbox.outcome(id)).toMatchObject({ state: "done", response: RESPONSE });
    expect(outbox.roomFor("fn")).toBe(room);
  });

  test("is either replayed or forgotten", async () => {
    const one = await dead();
    const kept = await Promise.allSettled([one.outbox.replay(one.id), one.outbox.forget(one.id)]);
    expect(kept.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await soon();
    await one.host.end();
    expect(one.outbox.show(one.id).state).toBe("done");
    const other = await dead();
    const gone = await Promise.allSettled([
      other.outbox.forget(other.id),
      other.outbox.replay(other.id),
    ]);
    expect(gone.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await soon();
    expect(() => other.outbox.show(other.id)).toThrow(other.id);
    expect(other.outbox.roomFor("fn")).toBe(other.room);
  });

  test("is not dropped for a newer one once its replay is committed", async () => {
    const { outbox, host, store, enqueue, id, room } = await dead();
    for (let n = 1; n < LIMITS.deadLettersMax; n++) {
      outbox
        .prepareEvents(
          () => store,
          [
            {
              function: "fn",
              request: REQUEST,
              from: undefined,
              depth: 1,
              orderKey: "",
              session: "",
              refused: new EnokiError("ENOKI_TRIGGER_LOOP"),
            },
          ],
        )
        .committed();
    }
    let acknowledge = (): void => {};
    store.acknowledging = new Promise((resolve) => (acknowledge = resolve));
    const replayed = outbox.replay(id);
    store.acknowledging = undefined;
    await enqueue();
    for (let tries = 0; tries < LIMITS.asyncTriesMax; tries++) {
      await vi.advanceTimersByTimeAsync(30_000);
      await host.end(new EnokiError("ENOKI_FUNCTION_ERROR", "Error: no"));
    }
    expect(() => outbox.show(id)).toThrow(id);
    acknowledge();
    expect(await replayed).toMatchObject({ id, state: "queued" });
    await soon();
    await host.end();
    expect(outbox.outcome(id)).toMatchObject({ state: "done", response: RESPONSE });
    expect(outbox.roomFor("fn")).toBe(room);
    outbox.stop();
  });
});

describe("the outbox", () => {
  test("keeps at most 64 calls of a function running at once, and starts the next as one ends", async () => {
    const { host, enqueue } = bindings(await Bench.open());
    for (let i = 0; i < 100; i++) await enqueue();
    await soon();
    expect(host.submitted).toHaveLength(64);
    await host.end();
    expect(host.submitted).toHaveLength(64);
    expect(host.tries).toBe(65);
  });

  test("tries nothing more once it is stopped, and records what still ends", async () => {
    const { outbox, host, enqueue } = bindings(await Bench.open());
    const [id] = [await enqueue(), await soon()];
    outbox.stop();
    await enqueue();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(host.tries).toBe(1);
    await host.end();
    expect(outbox.outcome(id)).toMatchObject({ state: "done" });
    expect(vi.getTimerCount()).toBe(0);
  });

  test("makes rows of sends, and takes them up once they are committed", async () => {
    const { outbox, host, store } = bindings(await Bench.open());
    const data = { tag: TAG.json, bytes: Buffer.from('{"a":1}') };
    const from = "sender" as FunctionName;
    const sends = [{ function: "fn", data }];
    const { writes, committed } = outbox.prepareSends(() => store, from, sends, undefined);
    expect(writes).toHaveLength(1);
    expect(outbox.list({ limit: 10 })).toEqual([]);
    await store.commitLocal(() => ({ writes, value: undefined }));
    committed();
    await soon();
    expect(host.submitted[0]?.request).toMatchObject({
      contentType: "application/json",
      body: Buffer.from('{"a":1}'),
    });
    const nobody = [{ function: "nobody", data }];
    expect(() => outbox.prepareSends(() => store, from, nobody, undefined)).toThrow(/nobody/);
    const deep = { depth: LIMITS.callDepthMax, headers: "" };
    expect(() => outbox.prepareSends(() => store, from, sends, deep)).toThrow(/in a circle/);
  });

  test("lets the next one of an order have its turn when the rows of the first are gone", async () => {
    const { outbox, host, store } = bindings(await Bench.open());
    const room = outbox.roomFor("fn");
    const outside = { from: "fn" as FunctionName, depth: 1, session: "" };
    const message = { function: "fn", request: REQUEST, orderKey: "k", ...outside };
    const [first, second] = [await outbox.send(message), await outbox.send(message)];
    const { createdAtMs } = outbox.show(first);
    store.rows.transact((transaction) => transaction.delete(entryKey(first, createdAtMs)));
    await soon();
    expect(host.submitted.map(({ id }) => id)).toEqual([second]);
    await host.end();
    expect(() => outbox.show(first)).toThrow(first);
    expect(outbox.roomFor("fn")).toBe(room);
  });

  test("forgets what belonged to a keygroup that was dropped", async () => {
    const { outbox, host, enqueue } = bindings(await Bench.open());
    const id = await enqueue();
    outbox.dropStore("fn");
    await vi.advanceTimersByTimeAsync(1000);
    expect(host.tries).toBe(0);
    expect(() => outbox.show(id)).toThrow(id);
  });
});

describe("what a function sends to another node", () => {
  const away: OtherNodes = { ...NO_OTHER_NODES, nodesOf: () => ({ linked: [], away: [FAR] }) };
  const message = {
    function: "elsewhere",
    request: REQUEST,
    from: "fn" as FunctionName,
    depth: 1,
    orderKey: "",
    session: "",
  };

  /** Nodes that answer a call with what the test wants next. */
  function linked(next: () => CallResponse | EnokiError, isStarted = true) {
    const asked: string[] = [];
    const others: OtherNodes = {
      nodesOf: () => ({ linked: [FAR], away: [] }),
      call: async (_, { id }) => {
        asked.push(id);
        return { outcome: next(), isStarted, session: undefined, stalenessMs: undefined };
      },
    };
    return { asked, others };
  }

  test("waits while no link leads there, without a try, and goes once one does", async () => {
    const bench = await Bench.open();
    bench.others = away;
    const id = await bench.outbox.send(message);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(bench.outbox.show(id)).toMatchObject({ state: "queued", tries: 0 });
    const { others } = linked(() => RESPONSE);
    bench.others = others;
    await vi.advanceTimersByTimeAsync(200);
    expect(bench.outbox.show(id)).toMatchObject({ state: "done", tries: 1, status: 200 });
    bench.outbox.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("goes again, however often the way there breaks, and counts that as no try", async () => {
    const bench = await Bench.open();
    const codes = ["ENOKI_OUTCOME_UNKNOWN", "ENOKI_PEER_UNREACHABLE", "ENOKI_DRAINING"] as const;
    let turn = 0;
    const broken = linked(() => new EnokiError(codes[turn++ % 3] ?? "ENOKI_INTERNAL"));
    bench.others = broken.others;
    const id = await bench.outbox.send(message);
    await vi.advanceTimersByTimeAsync(2000);
    expect(broken.asked.length).toBeGreaterThan(10);
    expect(new Set(broken.asked)).toEqual(new Set([id]));
    expect(bench.outbox.show(id)).toMatchObject({ state: "queued", tries: 0 });
    bench.others = linked(() => RESPONSE).others;
    await vi.advanceTimersByTimeAsync(100);
    expect(bench.outbox.show(id)).toMatchObject({ state: "done" });
  });

  test("is refused if it runs nowhere, and when too many wait for it", async () => {
    const bench = await Bench.open();
    await expect(bench.outbox.send(message)).rejects.toMatchObject({
      code: "ENOKI_FUNCTION_NOT_FOUND",
    });
    bench.others = away;
    const many = Array.from({ length: LIMITS.outboxLengthMax }, () => message);
    bench.outbox.prepare(() => bench.store, many).committed();
    await expect(bench.outbox.send(message)).rejects.toMatchObject({ code: "ENOKI_OUTBOX_FULL" });
    bench.outbox.stop();
  });

  test("with one order key goes in its order, over failures and a restart", async () => {
    const bench = await Bench.open();
    bench.others = away;
    const ids: string[] = [];
    for (let n = 0; n < 20; n++) {
      ids.push(await bench.outbox.send({ ...message, orderKey: "k" }));
    }
    const again = bench.reopen();
    let turn = 0;
    const failing = linked(() => (turn++ % 3 === 0 ? { ...RESPONSE, status: 500 } : RESPONSE));
    again.others = failing.others;
    await vi.advanceTimersByTimeAsync(60_000);
    const ended = failing.asked.filter((id, at) => failing.asked.indexOf(id) === at);
    expect(ended).toEqual(ids);
    expect(failing.asked.length).toBeGreaterThan(20);
    again.outbox.stop();
  });
});

describe("what another node's outbox delivers", () => {
  const order = (id: InvocationId) => ({
    id,
    function: "fn",
    request: REQUEST,
    timeoutMs: undefined,
    depth: 1,
    session: undefined,
    isQueued: true,
  });

  test("runs once, and a repeat gets the same end, also over a restart", async () => {
    const bench = await Bench.open();
    const { id } = nextId();
    const first = bench.outbox.received.run(bench.host.asHost, order(id));
    const meanwhile = bench.outbox.received.run(bench.host.asHost, order(id));
    await bench.host.end({ ...RESPONSE, status: 201 });
    expect(await first).toMatchObject({ outcome: { status: 201 }, isStarted: true });
    expect(await meanwhile).toEqual(await first);
    const again = bench.reopen();
    const repeat = await again.outbox.received.run(again.host.asHost, order(id));
    expect(repeat.outcome).toEqual({ ...RESPONSE, status: 201 });
    expect([bench.host.tries, again.host.tries]).toEqual([1, 0]);
  });

  test("runs again if it failed so that another try may mend it", async () => {
    const bench = await Bench.open();
    const { id } = nextId();
    const run = () => bench.outbox.received.run(bench.host.asHost, order(id));
    const failed = run();
    await bench.host.end(new EnokiError("ENOKI_FUNCTION_ERROR", "Error: no"));
    expect((await failed).outcome).toMatchObject({ code: "ENOKI_FUNCTION_ERROR" });
    const again = run();
    await bench.host.end();
    expect((await again).outcome).toEqual(RESPONSE);
  });

  test("is told how it ended even where that cannot be kept", async () => {
    const bench = await Bench.open();
    bench.store.failure = new EnokiError("ENOKI_DISK_FULL");
    const ended = bench.outbox.received.run(bench.host.asHost, order(nextId().id));
    await bench.host.end();
    expect((await ended).outcome).toEqual(RESPONSE);
  });
});

describe("a store that fails", () => {
  test("when an invocation is read puts that off, and the node lives on", async () => {
    const { host, store, enqueue } = bindings(await Bench.open());
    const { get } = store.rows;
    store.rows.get = () => {
      throw new Error("the store is closed");
    };
    const id = await enqueue();
    await soon();
    expect(host.tries).toBe(0);
    store.rows.get = get;
    await vi.advanceTimersByTimeAsync(1000);
    expect(host.submitted[0]?.id).toBe(id);
  });

  test("because its keygroup was dropped ends nothing and is tried no more", async () => {
    const { outbox, host, store, enqueue } = bindings(await Bench.open());
    const id = await enqueue();
    await soon();
    const submission = host.submitted.shift()!;
    outbox.dropStore("fn");
    store.failure = new EnokiError("ENOKI_KEYGROUP_NOT_FOUND");
    submission.settled(new EnokiError("ENOKI_FUNCTION_ERROR"), ENDED);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(host.tries).toBe(1);
    expect(() => outbox.show(id)).toThrow(id);
    outbox.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("what ended", () => {
  const numberedId = (number: number) =>
    number.toString(16).padStart(32, "0") as unknown as InvocationId;
  const ended = { function: "fn", createdAtMs: 0, tries: 5 } as const;
  const failure = { code: "ENOKI_FUNCTION_ERROR", message: "no", extra: {} } as const;

  function deadLetter(finishedAtMs: number): StoredEntry {
    const request = { ...REQUEST, idempotencyKey: `key ${finishedAtMs}` };
    return { ...ended, request, notBeforeMs: 0, isDead: true, finishedAtMs, lastError: failure };
  }

  test("badly is kept up to a number of dead letters, the oldest going first", async () => {
    const bench = await Bench.open();
    const nowMs = Date.now();
    bench.store.rows.transact((transaction) => {
      for (let n = 0; n < LIMITS.deadLettersMax; n++) {
        const id = numberedId(LIMITS.deadLettersMax - n);
        transaction.put(entryKey(id, 0), encodeEntry(deadLetter(nowMs + n)));
      }
    });
    const again = bench.reopen();
    const oldest = numberedId(LIMITS.deadLettersMax);
    expect(again.outbox.show(oldest).state).toBe("dead");
    vi.setSystemTime(nowMs + LIMITS.deadLettersMax);
    await again.enqueue();
    await again.failForGood();
    expect(() => again.outbox.show(oldest)).toThrow(oldest);
    expect(again.store.rows.get(entryKey(oldest, 0))).toBeUndefined();
    expect(again.outbox.list({ state: "dead", limit: 1e6 })).toHaveLength(LIMITS.deadLettersMax);
    // Room that was made is not made again.
    const next = numberedId(LIMITS.deadLettersMax - 1);
    await again.outbox.forget(next);
    await again.enqueue();
    await again.failForGood();
    expect(again.outbox.list({ state: "dead", limit: 1e6 })).toHaveLength(LIMITS.deadLettersMax);
    again.outbox.stop();
  });

  test("well is kept up to a number of results, the oldest going first", async () => {
    const bench = await Bench.open();
    const nowMs = Date.now();
    bench.store.rows.transact((transaction) => {
      for (let n = 0; n <= LIMITS.resultsMax; n++) {
        const result = { ...ended, idempotencyKey: "", finishedAtMs: nowMs + n, outcome: RESPONSE };
        transaction.put(resultKey(numberedId(n), nowMs + n), encodeResult(result));
      }
    });
    const again = bench.reopen();
    await soon();
    expect(again.outbox.list({ limit: 1e6 })).toHaveLength(LIMITS.resultsMax);
    expect(() => again.outbox.show(numberedId(0))).toThrow(numberedId(0));
    expect(again.store.rows.get(resultKey(numberedId(0), nowMs))).toBeUndefined();
    expect(again.outbox.show(numberedId(1)).state).toBe("done");
    again.outbox.stop();
  });
});

function bindings(bench: Bench) {
  const { outbox, host, store } = bench;
  return { outbox, host, store, enqueue: bench.enqueue.bind(bench) };
}
