import { describe, expect, test, vi } from "vitest";

import { EnokiError } from "../../../../src/core/errors.js";
import { LIMITS } from "../../../../src/core/limits.js";
import { REQUEST, RESPONSE } from "../calls.js";
import { bindings, OutboxBench, soon, useVirtualTime } from "./outbox-bench.js";

useVirtualTime();

describe("a dead letter", () => {
  test("survives a restart, and runs again with all its tries when it is replayed", async () => {
    const bench = await OutboxBench.open();
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
    const bench = await OutboxBench.open();
    const id = await bench.enqueue({ idempotencyKey: "k" });
    await bench.failForGood();
    await bench.outbox.forget(id);
    expect(bench.store.rows.range({})).toEqual([]);
    expect(() => bench.outbox.show(id)).toThrow(id);
    expect(await bench.enqueue({ idempotencyKey: "k" })).not.toBe(id);
  });

  test("is nothing that runs or has ended well", async () => {
    const { outbox, host, enqueue } = bindings(await OutboxBench.open());
    const id = await enqueue();
    await soon();
    await expect(outbox.replay(id)).rejects.toMatchObject({ code: "ENOKI_INVOCATION_NOT_FOUND" });
    await host.end();
    await expect(outbox.forget(id)).rejects.toMatchObject({ code: "ENOKI_INVOCATION_NOT_FOUND" });
  });
});

describe("a dead letter that two decide on at once", () => {
  async function dead() {
    const bench = await OutboxBench.open();
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
