import { describe, expect, test, vi } from "vitest";

import { EnokiError } from "../../../../src/core/errors.js";
import type { FunctionName, NodeName } from "../../../../src/core/ids.js";
import { LIMITS } from "../../../../src/core/limits.js";
import type { CallResponse } from "../../../../src/functions/call.js";
import { NO_OTHER_NODES, type OtherNodes } from "../../../../src/functions/calls/other-nodes.js";
import { REQUEST, RESPONSE } from "../calls.js";
import { OutboxBench, useVirtualTime } from "./outbox-bench.js";

const FAR = "far" as NodeName;

useVirtualTime();

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
    const bench = await OutboxBench.open();
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
    const bench = await OutboxBench.open();
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
    const lengthMax = 100;
    const bench = await OutboxBench.open({ lengthMax });
    await expect(bench.outbox.send(message)).rejects.toMatchObject({
      code: "ENOKI_FUNCTION_NOT_FOUND",
    });
    bench.others = away;
    for (let n = 0; n < lengthMax; n++) await bench.outbox.send(message);
    await expect(bench.outbox.send(message)).rejects.toMatchObject({ code: "ENOKI_OUTBOX_FULL" });
    bench.outbox.stop();
    expect((await OutboxBench.open()).outbox.roomFor("elsewhere")).toBe(LIMITS.outboxLengthMax);
  });

  test("with one order key goes in its order, over failures and a restart", async () => {
    const bench = await OutboxBench.open();
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
