import { describe, expect, test } from "vitest";

import { EnokiError } from "../../../../src/core/errors.js";
import type { InvocationId } from "../../../../src/core/ids.js";
import { REQUEST, RESPONSE } from "../calls.js";
import { nextId, OutboxBench, useVirtualTime } from "./outbox-bench.js";

useVirtualTime();

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
    const bench = await OutboxBench.open();
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
    const bench = await OutboxBench.open();
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
    const bench = await OutboxBench.open();
    bench.store.failure = new EnokiError("ENOKI_DISK_FULL");
    const ended = bench.outbox.received.run(bench.host.asHost, order(nextId().id));
    await bench.host.end();
    expect((await ended).outcome).toEqual(RESPONSE);
  });
});
