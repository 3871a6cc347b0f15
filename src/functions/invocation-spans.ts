import { EnokiError } from "../core/errors.js";
import type { FunctionName, InvocationId } from "../core/ids.js";
import { traceOf, withTrace, type TraceContext } from "../core/trace-context.js";
import type { Span, Tracer } from "../ports/tracer.js";
import type { CallResponse } from "./call.js";

/** Whose spans they are. */
export interface InvokedFunction {
  readonly id: InvocationId;
  readonly name: FunctionName;
  readonly revision: number;
  /** Calls above it; 0 for one from outside. */
  readonly depth: number;
}

/** The instance that runs a call. */
export interface RunningInstance {
  readonly pid: number;
  /** It was started for calls that waited, and this is its first. */
  readonly isCold: boolean;
}

/**
 * The spans of one call on this node: one for its wait, and behind it one for its run. The second is
 * what the function sees as its parent, and of which everything that it does is a part.
 */
export class InvocationSpans {
  readonly #run: Span;
  readonly #tracer: Tracer;
  readonly #parent: TraceContext;
  readonly #name: FunctionName;
  #wait: Span | undefined;
  #hasBegun = false;

  private constructor(tracer: Tracer, parent: TraceContext, run: Span, name: FunctionName) {
    this.#tracer = tracer;
    this.#parent = parent;
    this.#run = run;
    this.#name = name;
    this.returned();
  }

  /** Begins the wait of a call whose `headers` name a trace that is recorded; `undefined` for others. */
  static start(
    tracer: Tracer,
    headers: string,
    { id, name, revision, depth }: InvokedFunction,
  ): InvocationSpans | undefined {
    const parent = traceOf(headers);
    const run =
      parent &&
      tracer.start({
        name: `invoke ${name}`,
        kind: depth === 0 ? "internal" : "server",
        parent,
        attributes: {
          "faas.name": name,
          "faas.version": String(revision),
          "faas.invocation_id": id,
        },
      });
    return run && new InvocationSpans(tracer, parent, run, name);
  }

  /** Of the run. */
  get context(): TraceContext {
    return this.#run.context;
  }

  /** The headers as the function is to see them. */
  headers(before: string): string {
    return withTrace(before, this.context);
  }

  /** An instance begins with the call. */
  began(atMs: number, { pid, isCold }: RunningInstance): void {
    this.#wait?.end(undefined, atMs);
    this.#wait = undefined;
    this.#hasBegun = true;
    this.#run.begin(atMs);
    this.#run.set({ "faas.instance": String(pid), "faas.coldstart": isCold });
  }

  /** It waits, for the first time or again. */
  returned(): void {
    this.#hasBegun = false;
    this.#wait ??= this.#tracer.start({
      name: `queue ${this.#name}`,
      kind: "internal",
      parent: this.#parent,
      attributes: { "faas.name": this.#name },
    });
  }

  ended(outcome: CallResponse | EnokiError): void {
    const failure = failureOf(outcome);
    this.#wait?.end(failure);
    if (!this.#hasBegun) return;
    if (!(outcome instanceof EnokiError)) this.#run.set({ "enoki.status": outcome.status });
    this.#run.end(failure);
  }
}

/** Why an outcome counts as an error; `undefined` = it does not. */
export function failureOf(outcome: CallResponse | EnokiError): string | undefined {
  if (outcome instanceof EnokiError) return outcome.code;
  return outcome.status >= 500 ? `status ${outcome.status}` : undefined;
}
