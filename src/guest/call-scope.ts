import { AsyncLocalStorage } from "node:async_hooks";

/** Calls in a row that started alone before tracking is switched off again. */
const ALONE_BEFORE_UNTRACKED = 64;

/**
 * Knows which call the running code belongs to.
 *
 * Following asynchronous code costs time on every promise, so it is only done while calls overlap:
 * a call that starts alone is not followed, and whatever is not followed belongs to it. Work that a
 * finished call left behind counts, once tracking is off, for the call that then runs alone.
 */
export class CallScope<Call extends object> {
  #storage: AsyncLocalStorage<Call> | undefined;
  /** The call that is not followed. */
  #alone: Call | undefined;
  #running = 0;
  #aloneInARow = 0;

  /** Number of calls that have started and not finished. */
  get running(): number {
    return this.#running;
  }

  /** The call that the running code belongs to. */
  get current(): Call | undefined {
    return this.#storage?.getStore() ?? this.#alone;
  }

  /** Runs `start` as the beginning of `call`; {@link finish} must follow. */
  run(call: Call, start: (call: Call) => void): void {
    this.#running += 1;
    if (this.#running === 1) {
      this.#alone = call;
      if (this.#storage) this.#stopTracking();
      start(call);
    } else {
      this.#aloneInARow = 0;
      this.#storage ??= new AsyncLocalStorage();
      this.#storage.run(call, start, call);
    }
  }

  /** Runs `action` as a part of a call that has started. */
  within(call: Call, action: () => void): void {
    if (this.current === call) action();
    else (this.#storage ??= new AsyncLocalStorage()).run(call, action);
  }

  /** Ends a call. */
  finish(call: Call): void {
    this.#running -= 1;
    if (this.#alone === call) this.#alone = undefined;
  }

  #stopTracking(): void {
    this.#aloneInARow += 1;
    if (this.#aloneInARow < ALONE_BEFORE_UNTRACKED) return;
    this.#storage?.disable();
    this.#storage = undefined;
    this.#aloneInARow = 0;
  }
}
