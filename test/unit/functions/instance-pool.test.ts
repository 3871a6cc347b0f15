// Why so long: every behaviour of the pool is shown with the same scripted instances and clock.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { LIMITS } from "../../../src/core/limits.js";
import type { Call, CallResponse } from "../../../src/functions/call.js";
import { InstancePool } from "../../../src/functions/instance-pool.js";
import type { Instance, InstanceEvents } from "../../../src/functions/instance.js";
import { systemClock } from "../../../src/ports/clock.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { makeCall, RESPONSE } from "./calls.js";

const IDLE_MS = 30_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  // A pool at rest keeps no timer that would keep the node alive; each test clears its own calls.
  vi.useRealTimers();
});

/** An instance that runs calls until the test ends them. */
class FakeInstance {
  readonly #events: InstanceEvents;
  readonly concurrency: number;
  readonly calls: Call[] = [];
  /** Calls that it takes beyond those that it runs. */
  aheadMax = 0;
  /** Whether its calls wait for nothing. */
  isSteady = false;
  /** For each call: whether it was told that more wait. */
  readonly pressed: boolean[] = [];
  idleSinceMs = performance.now();
  isStopping = false;
  isGone = false;

  constructor(events: InstanceEvents, concurrency: number) {
    this.#events = events;
    this.concurrency = concurrency;
  }

  get running(): number {
    return this.calls.length;
  }

  get hasRoom(): boolean {
    return this.running < this.concurrency && !this.isStopping && !this.isGone;
  }

  get ahead(): number {
    return Math.max(0, this.calls.length - this.concurrency);
  }

  get hasRoomAhead(): boolean {
    return this.ahead < this.aheadMax && !this.isStopping && !this.isGone;
  }

  start(call: Call, isPressed = false): void {
    expect(this.hasRoom || this.hasRoomAhead).toBe(true);
    this.calls.push(call);
    this.pressed.push(isPressed);
  }

  giveBack(call: Call): void {
    this.aheadMax = 0;
    this.calls.splice(this.calls.indexOf(call), 1);
    this.#events.returned(call);
  }

  finishOne(outcome: CallResponse | EnokiError = RESPONSE): void {
    this.calls.shift()?.settle(outcome);
    this.idleSinceMs = performance.now();
    this.#events.freed(this.asInstance);
    if (this.isStopping && this.running === 0) this.die();
  }

  die(): void {
    if (this.isGone) return;
    this.isGone = true;
    for (const call of this.calls.splice(0)) call.settle(new EnokiError("ENOKI_INSTANCE_DIED"));
    this.#events.ended(this.asInstance);
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    // A process never ends in the turn in which it is told to.
    await Promise.resolve();
    if (this.running === 0) this.die();
  }

  async kill(): Promise<void> {
    this.die();
  }

  get asInstance(): Instance {
    return this as unknown as Instance;
  }
}

/** A pool whose instances start when the test says so. */
class Bench {
  readonly started: FakeInstance[] = [];
  readonly #starts: {
    events: InstanceEvents;
    resolve: (one: Instance) => void;
    reject: (e: unknown) => void;
  }[] = [];
  readonly pool: InstancePool;
  readonly #concurrency: number;

  constructor({ instancesMax = 4, concurrency = 1, processors = 2 } = {}) {
    this.#concurrency = concurrency;
    this.pool = new InstancePool({
      instancesMax,
      processors,
      idleMs: IDLE_MS,
      clock: systemClock,
      logger: silentLogger,
      startInstance: (events) =>
        new Promise((resolve, reject) => this.#starts.push({ events, resolve, reject })),
    });
  }

  get starting(): number {
    return this.#starts.length;
  }

  async letStart(): Promise<FakeInstance> {
    const start = this.#starts.shift();
    if (!start) throw new Error("nothing is starting");
    const instance = new FakeInstance(start.events, this.#concurrency);
    this.started.push(instance);
    start.resolve(instance.asInstance);
    await settle();
    return instance;
  }

  async letFail(error: unknown = new EnokiError("ENOKI_LOAD_FAILED", "broken")): Promise<void> {
    this.#starts.shift()?.reject(error);
    await settle();
  }

  submit(count = 1): ReturnType<typeof makeCall>[] {
    return Array.from({ length: count }, () => {
      const made = makeCall();
      this.pool.submit(made.call);
      return made;
    });
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

const codeOf = (outcome: unknown): unknown =>
  outcome instanceof EnokiError ? outcome.code : outcome;

describe("scaling up", () => {
  test("starts nothing until there is a call, and then one instance only, since none has said what it takes", () => {
    const bench = new Bench();
    expect(bench.starting).toBe(0);
    bench.submit(20);
    expect(bench.starting).toBe(1);
    expect(bench.pool.queued).toBe(20);
  });

  test("starts as many as the waiting calls fill, up to the maximum", async () => {
    const bench = new Bench({ instancesMax: 4, concurrency: 2 });
    bench.submit(7);
    await bench.letStart();
    // Five still wait, two fit into an instance.
    expect(bench.pool.running).toBe(2);
    expect(bench.starting).toBe(3);
    bench.submit(10);
    expect(bench.starting).toBe(3);
    for (let i = 0; i < 3; i++) await bench.letStart();
    expect(bench.pool.instances).toBe(4);
    expect(bench.starting).toBe(0);
    expect(bench.pool.running).toBe(8);
    expect(bench.pool.queued).toBe(9);
    expect(bench.pool.coldStartsTotal).toBe(4);
  });

  test("gives a call to the instance with the most room, and waiting calls go first", async () => {
    const bench = new Bench({ instancesMax: 2, concurrency: 3 });
    bench.submit(6);
    const first = await bench.letStart();
    const second = await bench.letStart();
    expect([first.running, second.running]).toEqual([3, 3]);
    second.finishOne();
    second.finishOne();
    first.finishOne();
    const [call] = bench.submit();
    expect(second.calls).toContain(call?.call);
    const waiting = bench.submit(5);
    expect(bench.pool.queued).toBe(3);
    first.finishOne();
    expect(first.calls).toContain(waiting[2]?.call);
  });

  test("refuses a call when the queue is full", () => {
    const bench = new Bench();
    bench.submit(LIMITS.queueLengthMax);
    const [refused] = bench.submit();
    expect(codeOf(refused?.outcome())).toBe("ENOKI_QUEUE_FULL");
    expect(bench.pool.queued).toBe(LIMITS.queueLengthMax);
  });

  test("a call whose deadline passes while it waits leaves the queue", async () => {
    const bench = new Bench();
    const [late] = bench.submit();
    late?.call.abandon(new EnokiError("ENOKI_TIMEOUT"));
    expect(bench.pool.queued).toBe(0);
    const instance = await bench.letStart();
    expect(instance.calls).toEqual([]);
  });

  test("replaces an instance that died while calls wait", async () => {
    const bench = new Bench({ instancesMax: 1 });
    const [running, waiting] = bench.submit(2);
    const first = await bench.letStart();
    first.die();
    expect(codeOf(running?.outcome())).toBe("ENOKI_INSTANCE_DIED");
    expect(waiting?.outcome()).toBeUndefined();
    const second = await bench.letStart();
    expect(second.calls).toEqual([waiting?.call]);
  });
});

describe("calls given ahead", () => {
  test("go to instances only when no further one may be started, the emptiest first", async () => {
    const bench = new Bench({ instancesMax: 2 });
    const made = bench.submit(5);
    const first = await bench.letStart();
    first.aheadMax = 2;
    const [extra] = bench.submit();
    expect(first.calls.length, "another is still starting").toBe(1);
    const second = await bench.letStart();
    second.aheadMax = 2;
    expect(first.pressed, "the first call was given while others waited").toEqual([false]);
    second.finishOne();
    expect(second.pressed).toEqual([true, true, true, true]);
    expect(second.calls.length).toBe(3);
    first.finishOne();
    expect(first.calls).toEqual([extra?.call]);
    const [later] = bench.submit();
    expect(first.calls).toContain(later?.call);
    expect([bench.pool.running, bench.pool.queued]).toEqual([2, 3]);
    expect(made.filter(({ outcome }) => outcome() === RESPONSE).length).toBe(2);
  });

  test("go to steady instances before an idle one runs them, once each processor has one", async () => {
    const bench = new Bench({ instancesMax: 4, processors: 2 });
    bench.submit(3);
    const [first, second, idle] = [
      await bench.letStart(),
      await bench.letStart(),
      await bench.letStart(),
    ];
    idle.finishOne();
    for (const one of bench.started) [one.aheadMax, one.isSteady] = [2, true];
    bench.submit(4);
    expect(bench.started.map(({ calls }) => calls.length)).toEqual([3, 3, 0]);
    bench.submit();
    expect(idle.calls.length, "the others are full").toBe(1);
    first.finishOne();
    second.finishOne();
    idle.finishOne();
    for (const one of bench.started) one.isSteady = false;
    bench.submit();
    expect(idle.calls.length, "where calls wait, whoever is idle runs them").toBe(1);
  });

  test("run on an idle instance while a processor is free", async () => {
    const bench = new Bench({ instancesMax: 2, processors: 3 });
    bench.submit(2);
    const [first, second] = [await bench.letStart(), await bench.letStart()];
    for (const one of bench.started) [one.aheadMax, one.isSteady] = [2, true];
    second.finishOne();
    bench.submit();
    expect([first.calls.length, second.calls.length]).toEqual([1, 1]);
  });

  test("run elsewhere, before all others, when they come back", async () => {
    const bench = new Bench({ instancesMax: 2 });
    bench.submit(2);
    const [slow, other] = [await bench.letStart(), await bench.letStart()];
    slow.aheadMax = 1;
    const [ahead] = bench.submit();
    const [waiting] = bench.submit();
    slow.giveBack(ahead?.call as Call);
    expect(bench.pool.queued).toBe(2);
    other.finishOne();
    expect(other.calls).toEqual([ahead?.call]);
    other.finishOne();
    expect(other.calls).toEqual([waiting?.call]);
  });

  test("go to the successor when they come back to a retired pool", async () => {
    const [old, next] = [new Bench({ instancesMax: 1 }), new Bench()];
    old.submit();
    const instance = await old.letStart();
    instance.aheadMax = 1;
    const [ahead] = old.submit();
    const retired = old.pool.retire(next.pool);
    instance.giveBack(ahead?.call as Call);
    expect(next.pool.queued).toBe(1);
    instance.finishOne();
    await retired;
  });
});

describe("idle instances", () => {
  test("are stopped once they have been idle for so long, and a later call starts another", async () => {
    const bench = new Bench();
    bench.submit();
    const instance = await bench.letStart();
    instance.finishOne();
    vi.advanceTimersByTime(IDLE_MS - 1);
    expect(instance.isStopping).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(instance.isGone).toBe(true);
    expect(bench.pool.instances).toBe(0);
    bench.submit();
    expect(bench.starting).toBe(1);
  });

  test("stay while others are stopped, if they were used since", async () => {
    const bench = new Bench({ instancesMax: 2 });
    bench.submit(3);
    const [first, second] = [await bench.letStart(), await bench.letStart()];
    first.finishOne();
    first.finishOne();
    vi.advanceTimersByTime(IDLE_MS / 2);
    second.finishOne();
    await vi.advanceTimersByTimeAsync(IDLE_MS / 2);
    expect([first.isGone, second.isGone]).toEqual([true, false]);
    await vi.advanceTimersByTimeAsync(IDLE_MS);
    expect(second.isGone).toBe(true);
  });

  test("do not count while they run a call", async () => {
    const bench = new Bench();
    bench.submit(2);
    const instance = await bench.letStart();
    instance.finishOne();
    vi.advanceTimersByTime(IDLE_MS * 3);
    expect(instance.isStopping).toBe(false);
    instance.finishOne();
    await vi.advanceTimersByTimeAsync(IDLE_MS * 2);
    expect(instance.isGone).toBe(true);
  });
});

describe("an instance that does not start", () => {
  test("is told to those who wait, and the pause before the next try doubles", async () => {
    const bench = new Bench();
    let pauseMs = 100;
    for (let failures = 0; failures < 4; failures++) {
      const [waiting] = bench.submit();
      expect(bench.starting, "it tries again after the pause").toBe(1);
      await bench.letFail();
      expect(codeOf(waiting?.outcome())).toBe("ENOKI_LOAD_FAILED");
      const [later] = bench.submit();
      vi.advanceTimersByTime(pauseMs - 1);
      expect(bench.starting).toBe(0);
      later?.call.abandon(new EnokiError("ENOKI_TIMEOUT"));
      vi.advanceTimersByTime(1);
      pauseMs *= 2;
    }
    bench.submit();
    await bench.letStart();
    expect(bench.pool.running).toBe(1);
  });

  test("is retried for calls that came during the pause", async () => {
    const bench = new Bench();
    bench.submit();
    await bench.letFail(new Error("no more processes"));
    const [waiting] = bench.submit();
    expect(waiting?.outcome()).toBeUndefined();
    vi.advanceTimersByTime(100);
    const instance = await bench.letStart();
    expect(instance.calls).toEqual([waiting?.call]);
  });

  test("costs waiting calls nothing while another instance works", async () => {
    const bench = new Bench();
    const [, waiting] = bench.submit(2);
    const instance = await bench.letStart();
    await bench.letFail();
    expect(waiting?.outcome()).toBeUndefined();
    instance.finishOne();
    expect(instance.calls).toEqual([waiting?.call]);
  });

  test("fails a warm-up with its own error", async () => {
    const bench = new Bench();
    const warm = bench.pool.warmUp();
    await bench.letFail();
    await expect(warm).rejects.toMatchObject({ code: "ENOKI_LOAD_FAILED" });
  });
});

describe("a retired pool", () => {
  test("hands waiting and later calls to its successor, and lets running ones end", async () => {
    const [old, next] = [new Bench({ instancesMax: 1 }), new Bench()];
    const [running, waiting] = old.submit(2);
    const instance = await old.letStart();
    let isOver = false;
    const retired = old.pool.retire(next.pool).then(() => (isOver = true));
    const [later] = old.submit();
    expect(next.pool.queued).toBe(2);
    expect(running?.outcome()).toBeUndefined();
    instance.finishOne();
    await retired;
    expect(isOver).toBe(true);
    expect(running?.outcome()).toBe(RESPONSE);
    const successor = await next.letStart();
    successor.finishOne();
    successor.finishOne();
    expect([waiting?.outcome(), later?.outcome()]).toEqual([RESPONSE, RESPONSE]);
    expect(old.starting).toBe(0);
  });

  test("refuses waiting and later calls where there is no successor", async () => {
    const bench = new Bench({ instancesMax: 1 });
    const [running, waiting] = bench.submit(2);
    const instance = await bench.letStart();
    const retired = bench.pool.retire(new EnokiError("ENOKI_DRAINING"));
    const [later] = bench.submit();
    expect([waiting, later].map((made) => codeOf(made?.outcome()))).toEqual([
      "ENOKI_DRAINING",
      "ENOKI_DRAINING",
    ]);
    instance.finishOne();
    await retired;
    expect(running?.outcome()).toBe(RESPONSE);
  });

  test("stops an instance that was starting, and keeps no timer when it fails to start", async () => {
    const bench = new Bench();
    bench.submit();
    await bench.pool.retire(new EnokiError("ENOKI_DRAINING"));
    const instance = await bench.letStart();
    expect(instance.isGone).toBe(true);

    const failing = new Bench();
    failing.submit();
    await failing.pool.retire(new EnokiError("ENOKI_DRAINING"));
    const timers = vi.getTimerCount();
    await failing.letFail();
    expect(vi.getTimerCount()).toBe(timers);
  });

  test("ends everything at once when it is killed", async () => {
    const bench = new Bench({ instancesMax: 1 });
    const [running, waiting] = bench.submit(2);
    await bench.letStart();
    await bench.pool.kill();
    expect(codeOf(running?.outcome())).toBe("ENOKI_INSTANCE_DIED");
    expect(codeOf(waiting?.outcome())).toBe("ENOKI_DRAINING");
    expect(codeOf(bench.submit()[0]?.outcome())).toBe("ENOKI_DRAINING");
    expect(bench.starting).toBe(0);
  });
});
