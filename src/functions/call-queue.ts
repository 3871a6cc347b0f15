import type { Call } from "./call.js";

/** Calls in order of arrival. Those that were settled while waiting are skipped and not counted. */
export class CallQueue {
  #calls: (Call | undefined)[] = [];
  #first = 0;
  #waiting = 0;

  /** Calls that still wait. */
  get length(): number {
    return this.#waiting;
  }

  push(call: Call): void {
    this.#calls.push(call);
    this.#expect(call);
  }

  /** Puts a call in front of all others: it has waited before. */
  unshift(call: Call): void {
    if (this.#first > 0) this.#calls[--this.#first] = call;
    else this.#calls.unshift(call);
    this.#expect(call);
  }

  #expect(call: Call): void {
    this.#waiting += 1;
    call.onAbandoned = () => {
      this.#waiting -= 1;
    };
  }

  /** Takes the oldest call that still waits. */
  shift(): Call | undefined {
    while (this.#first < this.#calls.length) {
      const call = this.#calls[this.#first] as Call;
      this.#calls[this.#first] = undefined;
      this.#first += 1;
      if (this.#first > 1024 && this.#first * 2 > this.#calls.length) this.#compact();
      if (call.isSettled) continue;
      this.#waiting -= 1;
      call.onAbandoned = undefined;
      return call;
    }
    this.#compact();
    return undefined;
  }

  /** Takes all that still wait. */
  takeAll(): Call[] {
    const calls: Call[] = [];
    for (let call = this.shift(); call; call = this.shift()) calls.push(call);
    return calls;
  }

  #compact(): void {
    this.#calls = this.#calls.slice(this.#first);
    this.#first = 0;
  }
}
