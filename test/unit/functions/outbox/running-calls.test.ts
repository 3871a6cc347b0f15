import { describe, expect, test, vi } from "vitest";

import type { FunctionName } from "../../../../src/core/ids.js";
import { LIMITS } from "../../../../src/core/limits.js";
import { TAG } from "../../../../src/core/value.js";
import { entryKey } from "../../../../src/functions/outbox/rows.js";
import { REQUEST } from "../calls.js";
import { bindings, OutboxBench, soon, useVirtualTime } from "./outbox-bench.js";

useVirtualTime();

describe("the outbox", () => {
  test("keeps at most 64 calls of a function running at once, and starts the next as one ends", async () => {
    const { host, enqueue } = bindings(await OutboxBench.open());
    for (let i = 0; i < 100; i++) await enqueue();
    await soon();
    expect(host.submitted).toHaveLength(64);
    await host.end();
    expect(host.submitted).toHaveLength(64);
    expect(host.tries).toBe(65);
  });

  test("tries nothing more once it is stopped, and records what still ends", async () => {
    const { outbox, host, enqueue } = bindings(await OutboxBench.open());
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
    const { outbox, host, store } = bindings(await OutboxBench.open());
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
    const { outbox, host, store } = bindings(await OutboxBench.open());
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
    const { outbox, host, enqueue } = bindings(await OutboxBench.open());
    const id = await enqueue();
    outbox.dropStore("fn");
    await vi.advanceTimersByTimeAsync(1000);
    expect(host.tries).toBe(0);
    expect(() => outbox.show(id)).toThrow(id);
  });
});
