import { EnokiError } from "../core/errors.js";
import type { InvocationId } from "../core/ids.js";
import { mergeSessions, type Session } from "../core/session.js";
import { traceOf, type TraceContext } from "../core/trace-context.js";
import type { Asker, SendOrigin } from "../keygroups/asker.js";
import type { InvocationSpans, RunningInstance } from "./invocation-spans.js";
import type { LogOrigin } from "./types.js";

/** What the caller sent, in the form in which it travels to the instance. */
export interface CallRequest {
  readonly method: string;
  /** What follows the function's name, percent-encoded: `""` or `"/…"`. */
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
  readonly contentType: string;
  readonly idempotencyKey: string;
  /** `name\0value\0…` with lower-case names. */
  readonly headers: string;
  /** `undefined` = none or empty. */
  readonly body: Buffer | undefined;
}

/** What the function returned. */
export interface CallResponse {
  readonly status: number;
  /** `""` = none. */
  readonly contentType: string;
  /** `name\0value\0…` */
  readonly headers: string;
  readonly body: Buffer;
}

/** One invocation on its way through the node. It is settled exactly once: the first cause wins. */
export class Call implements Asker {
  readonly id: InvocationId;
  /** The 16 bytes behind {@link id}. */
  readonly idBytes: Buffer;
  readonly request: CallRequest;
  /** On the monotonic clock. */
  readonly deadlineMs: number;
  readonly timeoutMs: number;
  readonly isElsewhere: boolean;
  /** Calls above it, and sends: 0 for one from outside. */
  readonly depth: number;
  /** `undefined` = its trace is not recorded here. */
  readonly spans: InvocationSpans | undefined;
  readonly #settled: (outcome: CallResponse | EnokiError, call: Call) => void;
  #isSettled = false;
  #stalenessMs: number | undefined;
  #session: Session | undefined;
  #origin: SendOrigin | undefined;
  /** When an instance was given it, on the monotonic clock. */
  startedMs = 0;
  /** It has read from the store's file, which the instance tells with its answer. */
  hasReadDirectly = false;
  /** True once an instance has been given the call: from then on it may have had effects. */
  isStarted = false;
  /** Set by whoever holds the call: takes it out of the queue, or tells the instance to stop. */
  onAbandoned: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly id: InvocationId;
    readonly idBytes: Buffer;
    readonly request: CallRequest;
    readonly nowMs: number;
    readonly timeoutMs: number;
    readonly session?: Session | undefined;
    readonly isElsewhere?: boolean | undefined;
    readonly depth?: number | undefined;
    readonly spans?: InvocationSpans | undefined;
    readonly settled: (outcome: CallResponse | EnokiError, call: Call) => void;
  }) {
    this.id = options.id;
    this.idBytes = options.idBytes;
    this.request = options.request;
    this.timeoutMs = options.timeoutMs;
    this.deadlineMs = options.nowMs + options.timeoutMs;
    this.#session = options.session;
    this.isElsewhere = options.isElsewhere ?? false;
    this.depth = options.depth ?? 0;
    this.spans = options.spans;
    this.#settled = options.settled;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.abandon(
        new EnokiError("ENOKI_TIMEOUT", `the call took longer than ${options.timeoutMs} ms`),
      );
    }, options.timeoutMs);
  }

  /** A bound of the staleness of all its reads that this node knows the moments of; `undefined` = none. */
  get stalenessMs(): number | undefined {
    return this.#stalenessMs;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get origin(): SendOrigin {
    this.#origin ??= { depth: this.depth, headers: this.request.headers };
    return this.#origin;
  }

  get trace(): TraceContext | undefined {
    return this.spans?.context;
  }

  /** For lines that it writes. */
  get logOrigin(): LogOrigin {
    return { invocation: this.id, trace: traceOf(this.request.headers) };
  }

  /** An instance begins with it. */
  begin(nowMs: number, instance: RunningInstance): void {
    this.isStarted = true;
    this.spans?.began(nowMs, instance);
  }

  /** It has not begun after all, and waits again. */
  handedBack(): void {
    this.isStarted = false;
    this.spans?.returned();
  }

  noteRead(boundMs: number): void {
    if (boundMs > (this.#stalenessMs ?? -1)) this.#stalenessMs = boundMs;
  }

  noteSeen(session: Session): void {
    this.#session = this.#session ? mergeSessions(this.#session, session) : session;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Gives the outcome to the caller; later ones are dropped. Returns whether this was the first. */
  settle(outcome: CallResponse | EnokiError): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.spans?.ended(outcome);
    this.#settled(outcome, this);
    return true;
  }

  /** Settles with `error` and tells whoever holds the call. */
  abandon(error: EnokiError): void {
    if (this.settle(error)) this.onAbandoned?.();
  }
}
