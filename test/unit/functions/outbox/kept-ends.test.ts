import { describe, expect, test, vi } from "vitest";

import type { InvocationId } from "../../../../src/core/ids.js";
import { LIMITS } from "../../../../src/core/limits.js";
import {
  encodeEntry,
  encodeResult,
  entryKey,
  resultKey,
  type StoredEntry,
} from "../../../../src/functions/outbox/rows.js";
import { REQUEST, RESPONSE } from "../calls.js";
import { OutboxBench, soon, useVirtualTime } from "./outbox-bench.js";

useVirtualTime();

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
    const bench = await OutboxBench.open();
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
    const bench = await OutboxBench.open();
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
