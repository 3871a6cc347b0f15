import { describe, expect, test, vi } from "vitest";

import { EnokiError } from "../../../../src/core/errors.js";
import { RESPONSE } from "../calls.js";
import { bindings, ENDED, OutboxBench, soon, useVirtualTime } from "./outbox-bench.js";

const DAY_MS = 24 * 3_600_000;

useVirtualTime();

describe("an invocation that fails", () => {
  test("is tried five times with doubling pauses, then kept as a dead letter with its reason", async () => {
    const { outbox, host, enqueue } = bindings(await OutboxBench.open());
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
    const { outbox, host, enqueue } = bindings(await OutboxBench.open());
    const id = await enqueue();
    await soon();
    await host.end(outcome);
    expect(outbox.show(id).state).toBe(isRetried ? "queued" : "done");
  });

  test("keeps its number of tries over a restart", async () => {
    const bench = await OutboxBench.open();
    const id = await bench.enqueue();
    await soon();
    await bench.host.end(new EnokiError("ENOKI_FUNCTION_ERROR", "Error: no"));
    expect(bench.reopen().outbox.show(id)).toMatchObject({ state: "queued", tries: 1 });
  });

  test("was not tried at all where the queue was full or the node drained", async () => {
    const { outbox, host, enqueue } = bindings(await OutboxBench.open());
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
    const bench = await OutboxBench.open();
    const id = await bench.enqueue();
    await soon();
    bench.outbox.stop();
    await bench.host.end(new EnokiError("ENOKI_INSTANCE_DIED", "the node stopped"));
    expect(bench.reopen().outbox.show(id)).toMatchObject({ state: "queued", tries: 0 });
  });

  test("is a dead letter after five tries when there is no such function any more", async () => {
    const bench = await OutboxBench.open();
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
    const { outbox, host, store, enqueue } = bindings(await OutboxBench.open());
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

describe("a store that fails", () => {
  test("when an invocation is read puts that off, and the node lives on", async () => {
    const { host, store, enqueue } = bindings(await OutboxBench.open());
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
    const { outbox, host, store, enqueue } = bindings(await OutboxBench.open());
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
