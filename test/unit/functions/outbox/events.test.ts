import { expect, test } from "vitest";

import { EnokiError } from "../../../../src/core/errors.js";
import type { FunctionCalls } from "../../../../src/functions/calls/function-calls.js";
import type { LocalCalls } from "../../../../src/functions/calls/local-calls.js";
import { createInvocationIds } from "../../../../src/functions/invocation-ids.js";
import type { OutboxEvent } from "../../../../src/functions/outbox/outbox-message.js";
import type { OutboxStore } from "../../../../src/functions/outbox/outbox-store.js";
import { Outbox } from "../../../../src/functions/outbox/outbox.js";
import type { FunctionSessions } from "../../../../src/functions/sessions.js";
import { createMemoryDriver } from "../../../../src/storage/memory.js";
import { REQUEST } from "../calls.js";
import { useVirtualTime } from "./outbox-bench.js";

const EVENT: OutboxEvent = {
  function: "alarm",
  request: REQUEST,
  from: undefined,
  depth: 1,
  orderKey: "",
  session: "",
};

useVirtualTime();

/** An outbox for two that wait; nothing that it calls ever ends. */
async function open() {
  const rows = await createMemoryDriver().open("kg-readings");
  const store: OutboxStore = {
    name: "readings",
    rows,
    commitLocal: async (work) => rows.transact((transaction) => work(transaction).value),
    submitLocal: () => {},
  };
  const warnings: string[] = [];
  const quiet = (): void => {};
  const outbox = new Outbox({
    calls: {
      reach: () => "nowhere",
      call: () => new Promise(() => {}),
    } as unknown as FunctionCalls,
    local: {} as LocalCalls,
    storeOf: () => store,
    clock: { nowMs: () => Date.now(), monotonicMs: () => Date.now() },
    logger: {
      debug: quiet,
      info: quiet,
      error: quiet,
      warn: (_fields, message) => void warnings.push(message),
    },
    random: () => 0.5,
    nextId: createInvocationIds(),
    sessions: {} as FunctionSessions,
    lengthMax: 2,
  });
  const fire = (...events: OutboxEvent[]) => {
    const { ids, writes, committed } = outbox.prepareEvents(() => store, events);
    rows.transact((transaction) => {
      for (const { key, value } of writes) if (value) transaction.put(key, value);
    });
    committed();
    return ids.map((id) => outbox.show(id));
  };
  return { outbox, fire, warnings };
}

test("an event that finds the outbox full is a dead letter, and can be replayed", async () => {
  const { outbox, fire, warnings } = await open();
  const told = fire(EVENT, EVENT, EVENT);
  expect(told.map(({ state }) => state)).toEqual(["queued", "queued", "dead"]);
  expect(told[2]?.lastError).toMatchObject({ code: "ENOKI_OUTBOX_FULL" });
  const [dead] = fire(EVENT);
  expect(dead?.state).toBe("dead");
  expect(warnings).toHaveLength(1);
  await expect(outbox.replay(dead?.id as never)).resolves.toMatchObject({ state: "queued" });
});

test("one that is refused before takes no place of those that wait", async () => {
  const { fire } = await open();
  const refused = new EnokiError("ENOKI_TRIGGER_LOOP", "a circle");
  const told = fire({ ...EVENT, refused }, EVENT, EVENT);
  expect(told.map(({ state }) => state)).toEqual(["dead", "queued", "queued"]);
  expect(told[0]?.lastError).toEqual({ code: "ENOKI_TRIGGER_LOOP", message: refused.message });
});
