import { createPrng } from "../../src/base/prng.js";

/** Milliseconds by which clocks that decide about expiry may differ from the history's clock. */
const EXPIRY_SLACK_MS = 10;

/** Beyond so many tries a history has no order, or is too wide to tell. */
const TRIES_MAX = 3_000_000;

/** What one operation did; `null` stands for a missing key. Every written value is unique. */
export type Effect =
  | { readonly op: "get"; readonly value: string | null }
  | { readonly op: "exists"; readonly exists: boolean }
  | { readonly op: "set"; readonly wrote: string; readonly ttlMs?: number }
  | {
      /** A set with `ifVersion` (or `ifAbsent`: `expected` is null) of the version that had `expected`. */
      readonly op: "compareAndSet";
      readonly expected: string | null;
      readonly wrote: string;
      readonly ok: boolean;
    }
  | { readonly op: "update"; readonly saw: string | null; readonly wrote: string }
  | { readonly op: "delete"; readonly existed: boolean };

/** One finished operation on one key. Times are milliseconds of one monotonic clock. */
export type Operation = Effect & {
  readonly key: string;
  readonly invokedMs: number;
  readonly returnedMs: number;
};

/** A key for which no order of the operations explains what they returned. */
export interface Violation {
  readonly key: string;
  /** The operation that no order reached: look at what happened around it. */
  readonly stuckAt: Operation;
}

/**
 * Checks that the operations of each key could have happened one after the other, each at a moment
 * between its invocation and its return, with a register that may expire after a time to live.
 * Returns what is not so; an empty list means linearizable.
 *
 * The search is Wing and Gong's: take any operation that no other had finished before, apply it,
 * and go back when nothing fits. What was tried is remembered by the set of operations taken and
 * the state they led to, as Lowe found, which makes thousands of operations a matter of seconds.
 */
export function findViolations(history: readonly Operation[]): Violation[] {
  const byKey = new Map<string, Operation[]>();
  for (const operation of history) {
    const operations = byKey.get(operation.key);
    if (operations) operations.push(operation);
    else byKey.set(operation.key, [operation]);
  }
  const violations: Violation[] = [];
  for (const [key, operations] of byKey) {
    const stuckAt = new Search(operations).run();
    if (stuckAt) violations.push({ key, stuckAt });
  }
  return violations;
}

/** What the key may hold: a value that may be gone from one time on and is gone after another. */
interface State {
  readonly value: string | null;
  /** `Infinity` without a time to live. */
  readonly mayExpireMs: number;
  readonly hasExpiredMs: number;
}

const ABSENT: State = { value: null, mayExpireMs: Infinity, hasExpiredMs: Infinity };

/** All states that are possible after `operation`, given those before; none: it cannot come here. */
function step(states: readonly State[], operation: Operation): State[] {
  const after: State[] = [];
  for (const state of states) {
    if (operation.returnedMs >= state.mayExpireMs) add(after, apply(ABSENT, operation));
    if (operation.invokedMs <= state.hasExpiredMs) add(after, apply(state, operation));
  }
  return after;
}

function add(states: State[], state: State | undefined): void {
  if (state && !states.some((known) => nameOf(known) === nameOf(state))) states.push(state);
}

/** The state after the operation; `undefined` if it would have returned something else. */
function apply(state: State, operation: Operation): State | undefined {
  switch (operation.op) {
    case "get":
      return operation.value === state.value ? state : undefined;
    case "exists":
      return operation.exists === (state.value !== null) ? state : undefined;
    case "set":
      return written(operation.wrote, operation, operation.ttlMs);
    case "compareAndSet": {
      if ((operation.expected === state.value) !== operation.ok) return undefined;
      return operation.ok ? written(operation.wrote, operation) : state;
    }
    case "update":
      return operation.saw === state.value ? written(operation.wrote, operation) : undefined;
    case "delete":
      return operation.existed === (state.value !== null) ? ABSENT : undefined;
  }
}

function written(value: string, operation: Operation, ttlMs = Infinity): State {
  return {
    value,
    mayExpireMs: operation.invokedMs + ttlMs - EXPIRY_SLACK_MS,
    hasExpiredMs: operation.returnedMs + ttlMs + EXPIRY_SLACK_MS,
  };
}

function nameOf({ value, mayExpireMs }: State): string {
  return value === null ? "-" : `${value}@${mayExpireMs}`;
}

/** The invocation or the return of an operation, in a list ordered by time. */
interface Moment {
  readonly operation: Operation;
  readonly index: number;
  /** The return of this invocation; `undefined` in a return. */
  readonly end: Moment | undefined;
  previous: Moment | undefined;
  next: Moment | undefined;
}

/** A step of the search that can be taken back. */
interface Taken {
  readonly moment: Moment;
  readonly before: readonly State[];
}

class Search {
  readonly #head: Moment;
  /** Two random words per operation: a set of operations is named by the sum of its words. */
  readonly #words: readonly (readonly [number, number])[];
  #high = 0;
  #low = 0;

  constructor(operations: readonly Operation[]) {
    const random = createPrng(1);
    this.#words = operations.map(() => [random.next() * 2 ** 32, random.next() * 2 ** 32]);
    this.#head = listOf(operations);
  }

  /** Returns the operation that could not be passed, or `undefined` when an order was found. */
  run(): Operation | undefined {
    const head = this.#head;
    const seen = new Set<string>();
    const taken: Taken[] = [];
    let states: readonly State[] = [ABSENT];
    let deepest = -1;
    let stuckAt: Operation | undefined;
    let moment = head.next;
    while (moment) {
      const next = moment.end ? step(states, moment.operation) : [];
      if (next.length > 0 && this.#isNew(seen, moment.index, next)) {
        taken.push({ moment, before: states });
        states = next;
        lift(moment);
        moment = head.next;
        continue;
      }
      if (moment.end) {
        moment = moment.next;
        continue;
      }
      // The return of an operation that was not taken: an earlier choice was wrong.
      if (taken.length > deepest) {
        deepest = taken.length;
        stuckAt = moment.operation;
      }
      const last = taken.pop();
      if (!last || seen.size > TRIES_MAX) return stuckAt;
      this.#toggle(last.moment.index);
      states = last.before;
      unlift(last.moment);
      moment = last.moment.next;
    }
    return undefined;
  }

  /** Adds the operation to the set of those taken, unless that set with these states was tried. */
  #isNew(seen: Set<string>, index: number, states: readonly State[]): boolean {
    this.#toggle(index);
    const name = `${this.#high},${this.#low} ${states.map(nameOf).join(" ")}`;
    if (!seen.has(name)) {
      seen.add(name);
      return true;
    }
    this.#toggle(index);
    return false;
  }

  #toggle(index: number): void {
    const [high, low] = this.#words[index] as readonly [number, number];
    this.#high = (this.#high ^ high) >>> 0;
    this.#low = (this.#low ^ low) >>> 0;
  }
}

function listOf(operations: readonly Operation[]): Moment {
  const moments: { readonly atMs: number; readonly moment: Moment }[] = [];
  for (const [index, operation] of operations.entries()) {
    const links = { previous: undefined, next: undefined };
    const end: Moment = { operation, index, end: undefined, ...links };
    moments.push({ atMs: operation.invokedMs, moment: { operation, index, end, ...links } });
    moments.push({ atMs: operation.returnedMs, moment: end });
  }
  // At the same time an invocation comes first: then the two overlap, which forbids less.
  moments.sort((a, b) => a.atMs - b.atMs || Number(!a.moment.end) - Number(!b.moment.end));
  const first = operations[0] as Operation;
  const head: Moment = {
    operation: first,
    index: -1,
    end: undefined,
    previous: undefined,
    next: undefined,
  };
  let last = head;
  for (const { moment } of moments) {
    moment.previous = last;
    last.next = moment;
    last = moment;
  }
  return head;
}

function lift(moment: Moment): void {
  for (const it of [moment, moment.end as Moment]) {
    if (it.previous) it.previous.next = it.next;
    if (it.next) it.next.previous = it.previous;
  }
}

function unlift(moment: Moment): void {
  for (const it of [moment.end as Moment, moment]) {
    if (it.previous) it.previous.next = it;
    if (it.next) it.next.previous = it;
  }
}
