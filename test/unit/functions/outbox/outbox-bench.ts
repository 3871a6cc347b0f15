import { afterEach, beforeEach, vi } from "vitest";

import { EnokiError } from "../../../../src/core/errors.js";
import type { FunctionName, InvocationId } from "../../../../src/core/ids.js";
import { LIMITS } from "../../../../src/core/limits.js";
import { decodeSession, encodeSession, type Session } from "../../../../src/core/session.js";
import type { Call, CallRequest, CallResponse } from "../../../../src/functions/call.js";
import { FunctionCalls } from "../../../../src/functions/calls/function-calls.js";
import { LocalCalls } from "../../../../src/functions/calls/local-calls.js";
import { NO_OTHER_NODES, type OtherNodes } from "../../../../src/functions/calls/other-nodes.js";
import type { FunctionHost, Submission } from "../../../../src/functions/function-host.js";
import { createInvocationIds } from "../../../../src/functions/invocation-ids.js";
import type { OutboxStore } from "../../../../src/functions/outbox/outbox-store.js";
import { Outbox, type OutboxOptions } from "../../../../src/functions/outbox/outbox.js";
import type { DataMarks, FunctionSessions } from "../../../../src/functions/sessions.js";
import { silentLogger } from "../../../../src/ports/logger.js";
import type { Storage } from "../../../../src/ports/storage.js";
import { createMemoryDriver } from "../../../../src/storage/memory.js";
import { REQUEST, RESPONSE } from "../calls.js";

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** The next id of an invocation. */
export const nextId = createInvocationIds();

/** How a call ended that an instance had begun. */
export const ENDED = { isStarted: true } as Call;

/** Lets time stand still in each test of the file, but for what the test lets pass. */
export function useVirtualTime(): void {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
}

/** Lets everything happen that waits for no time. */
export const soon = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

/** A store of local rows that commits at once, or fails when told to. */
class FakeStore implements OutboxStore {
  readonly name: string;
  readonly rows: Storage;
  commits = 0;
  failure: Error | undefined;
  /** What acknowledgements wait for once something is committed. */
  acknowledging: Promise<void> | undefined;

  constructor(name: string, rows: Storage) {
    this.name = name;
    this.rows = rows;
  }

  commitLocal: OutboxStore["commitLocal"] = async (work) => {
    if (this.failure) throw this.failure;
    this.commits += 1;
    const committed = this.rows.transact((transaction) => {
      const { writes, value } = work(transaction);
      for (const { key, value } of writes) {
        if (value === undefined) transaction.delete(key);
        else transaction.put(key, value);
      }
      return value;
    });
    await this.acknowledging;
    return committed;
  };

  submitLocal: OutboxStore["submitLocal"] = (work, acknowledged, failed) =>
    void this.commitLocal(work).then(acknowledged, failed);
}

/** Where a call needs to wait for nothing, and says what a test wants. */
class FakeSessions {
  marksNext: DataMarks = {};
  /** What the next calls with a session wait for. */
  enter = (): Promise<boolean> | undefined => undefined;

  read = (token: string): Session => decodeSession(token, Infinity);
  write = (_name: string, session: Session): string => encodeSession(session);
  whenKept = (_name: string, then: () => void): void => then();
  seenAfter = (): Session | undefined => {
    const { session } = this.marksNext;
    return session === undefined ? undefined : this.read(session);
  };
  stalenessMs = (): number | undefined => {
    const { staleness } = this.marksNext;
    return staleness === undefined ? undefined : Number(staleness);
  };

  get asSessions(): FunctionSessions {
    return this as unknown as FunctionSessions;
  }
}

/** Keeps what it is asked to run until the test says how it ended. */
class FakeHost {
  readonly name = "fn" as FunctionName;
  readonly submitted: Submission[] = [];
  tries = 0;

  submit(submission: Submission): Call {
    this.tries += 1;
    this.submitted.push(submission);
    return undefined as unknown as Call;
  }

  async end(outcome: CallResponse | EnokiError = RESPONSE): Promise<Submission> {
    const submission = this.submitted.shift();
    if (!submission) throw new Error("nothing runs");
    submission.settled(outcome, ENDED);
    await soon();
    return submission;
  }

  get asHost(): FunctionHost {
    return this as unknown as FunctionHost;
  }
}

/** An outbox with one function and one store. */
export class OutboxBench {
  readonly host = new FakeHost();
  readonly sessions = new FakeSessions();
  readonly store: FakeStore;
  readonly outbox: Outbox;
  isDeployed = true;
  others: OtherNodes = NO_OTHER_NODES;

  constructor(rows: Storage, options: Pick<OutboxOptions, "lengthMax"> = {}) {
    this.store = new FakeStore("fn", rows);
    const sessions = this.sessions.asSessions;
    const local = new LocalCalls({ sessions, clock });
    const calls = new FunctionCalls({
      find: (name) => (name === "fn" && this.isDeployed ? this.host.asHost : undefined),
      local,
      others: {
        nodesOf: (name) => this.others.nodesOf(name),
        call: (...asked) => this.others.call(...asked),
      },
      clock,
    });
    this.outbox = new Outbox({
      ...options,
      calls,
      local,
      storeOf: () => this.store,
      clock,
      logger: silentLogger,
      random: () => 1,
      nextId,
      sessions: this.sessions.asSessions,
    });
    this.outbox.open([this.store]);
  }

  static async open(options?: Pick<OutboxOptions, "lengthMax">): Promise<OutboxBench> {
    return new OutboxBench(await createMemoryDriver().open("kg-fn"), options);
  }

  /** As after a crash: only the store is left. */
  reopen(): OutboxBench {
    this.outbox.stop();
    return new OutboxBench(this.store.rows);
  }

  async enqueue(request: Partial<CallRequest> = {}): Promise<InvocationId> {
    return await this.outbox.enqueue(this.host.asHost, nextId(), { ...REQUEST, ...request });
  }

  /** Lets the call that runs fail until it is given up. */
  async failForGood(): Promise<void> {
    for (let tries = 0; tries < LIMITS.asyncTriesMax; tries++) {
      await vi.advanceTimersByTimeAsync(30_000);
      await this.host.end(new EnokiError("ENOKI_FUNCTION_ERROR", "Error: no"));
    }
  }
}

/** The parts of a bench that a test names most. */
export function bindings(bench: OutboxBench) {
  const { outbox, host, store } = bench;
  return { outbox, host, store, enqueue: bench.enqueue.bind(bench) };
}
