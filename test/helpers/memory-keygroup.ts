import { Keygroup } from "../../src/keygroups/keygroup.js";
import type { KeygroupOptions } from "../../src/keygroups/keygroup-options.js";
import type { KeygroupName } from "../../src/core/ids.js";
import type { Storage } from "../../src/ports/storage.js";
import { createTurn } from "../../src/ports/turn.js";
import { silentLogger } from "../../src/ports/logger.js";
import { createMemoryDriver } from "../../src/storage/memory.js";
import { TAG, type TypedValue } from "../../src/core/value.js";
import { timersOfTest } from "./timers-of-test.js";

/** A clock that a test moves by hand. */
export class ManualClock {
  wallMs = 1_700_000_000_000;
  nowMs = (): number => this.wallMs;
  monotonicMs = (): number => this.wallMs;
}

/** A keygroup on a store in memory that counts its transactions and can be made to fail. */
export interface TestKeygroup {
  readonly keygroup: Keygroup;
  readonly clock: ManualClock;
  readonly storage: CountingStorage;
}

/** Counts what a store is asked for, and fails when told to. */
export class CountingStorage implements Storage {
  readonly #inner: Storage;
  transactions = 0;
  syncs = 0;
  /** Thrown by the next transaction instead of committing. */
  failure: Error | undefined;
  /** Held back until released, if set. */
  syncGate: Promise<void> | undefined;

  constructor(inner: Storage) {
    this.#inner = inner;
  }

  get: Storage["get"] = (key) => this.#inner.get(key);
  range: Storage["range"] = (options) => this.#inner.range(options);
  close: Storage["close"] = () => this.#inner.close();

  transact: Storage["transact"] = (work) => {
    const { failure } = this;
    this.failure = undefined;
    this.transactions += 1;
    return this.#inner.transact((transaction) => {
      const result = work(transaction);
      if (failure) throw failure;
      return result;
    });
  };

  async sync(): Promise<void> {
    this.syncs += 1;
    await this.syncGate;
    await this.#inner.sync();
  }
}

/** Opens a keygroup in memory, for as long as the test runs. */
export async function openTestKeygroup(
  overrides: Partial<KeygroupOptions> = {},
): Promise<TestKeygroup> {
  const clock = new ManualClock();
  const storage = new CountingStorage(await createMemoryDriver().open("kg-test"));
  const keygroup = await Keygroup.open({
    name: "test" as KeygroupName,
    config: { policy: "lww", durability: "relaxed", ttlMs: 0 },
    storage,
    storageKind: "memory",
    nodeName: "node",
    resumes: true,
    turn: createTurn(),
    timers: timersOfTest(),
    clock,
    logger: silentLogger,
    syncIntervalMs: 20,
    encodeSends: () => ({ writes: [], committed: () => {} }),
    ...overrides,
  });
  storage.transactions = 0;
  storage.syncs = 0;
  return { keygroup, clock, storage };
}

/** A value of type str. */
export function str(text: string): TypedValue {
  return { tag: TAG.str, bytes: Buffer.from(text, "utf8") };
}

/** What a value of type str or json says. */
export function textOf(value: TypedValue | undefined): string | undefined {
  return value && Buffer.from(value.bytes).toString("utf8");
}
