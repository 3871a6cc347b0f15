import { describe, expect, test, vi } from "vitest";

import { EnokiError } from "../../../../src/core/errors.js";
import { encodeSession } from "../../../../src/core/session.js";
import { REQUEST, RESPONSE } from "../calls.js";
import { bindings, nextId, OutboxBench, soon, useVirtualTime } from "./outbox-bench.js";

const DAY_MS = 24 * 3_600_000;

useVirtualTime();

describe("an accepted invocation", () => {
  test("is stored before it is accepted, and runs after", async () => {
    const { outbox, host, store, enqueue } = bindings(await OutboxBench.open());
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
    const { outbox, store, host, enqueue } = bindings(await OutboxBench.open());
    store.failure = new EnokiError("ENOKI_DISK_FULL");
    await expect(enqueue()).rejects.toMatchObject({ code: "ENOKI_DISK_FULL" });
    await soon();
    expect([outbox.list({ limit: 10 }), host.tries]).toEqual([[], 0]);
  });

  test("runs again after a crash, with the same id and idempotency key", async () => {
    const bench = await OutboxBench.open();
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
    const bench = await OutboxBench.open();
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
    const bench = await OutboxBench.open();
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
    const { outbox, host, sessions } = await OutboxBench.open();
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
    const { host, enqueue } = bindings(await OutboxBench.open());
    const ids = await Promise.all([1, 2, 3].map(() => enqueue({ idempotencyKey: "k" })));
    expect(new Set(ids).size).toBe(1);
    await soon();
    expect(host.tries).toBe(1);
  });
});
