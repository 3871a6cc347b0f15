import { EnokiError } from "../core/errors.js";
import { FRAME, type FrameWriter } from "../channel/frames.js";
import { InvokeView } from "../channel/invoke.js";
import { PeerSlots } from "../channel/slot-table.js";
import { CallScope } from "./call-scope.js";
import { CallContext, InvalidInputError } from "./context.js";
import { describeError } from "./failure.js";
import { fromWebResponse, isWebResponse, type OutputWriter } from "./output.js";
import { InvalidResultError } from "./reply.js";
import type { Runtime } from "./runtime.js";

interface RunningCall {
  readonly id: number;
  readonly view: InvokeView;
  readonly context: CallContext;
  /** It has read from the store's file. */
  hasRead: boolean;
}

/** What the calls of an instance tell. */
export interface CallsEvents {
  /** A call has begun, which may have to ask the node for everything that it reads. */
  begun(asksNode: boolean): void;
  ended(callId: number, asksNode: boolean): void;
}

/** The calls of an instance, from INVOKE to RESULT or FAILED. Each is answered exactly once. */
export class Calls {
  readonly #writer: FrameWriter;
  readonly #output: OutputWriter;
  readonly #scope = new CallScope<RunningCall>();
  readonly #running = new PeerSlots<RunningCall>();
  #runtime: Runtime | undefined;
  /** Called when the last call has ended, after {@link whenIdle}. */
  #onIdle: (() => void) | undefined;
  readonly #events: CallsEvents;

  constructor(writer: FrameWriter, output: OutputWriter, events: CallsEvents) {
    this.#writer = writer;
    this.#output = output;
    this.#events = events;
  }

  /** Says how calls are handed to the author's code. */
  use(runtime: Runtime): void {
    this.#runtime = runtime;
  }

  /** Id of the call that the running code belongs to; 0 outside a call. */
  readonly currentId = (): number => this.#scope.current?.id ?? 0;

  /** The running code has read from the store's file. */
  readonly noteRead = (): void => {
    const call = this.#scope.current;
    if (call) call.hasRead = true;
  };

  /** Id of the running call with this invocation id; 0 if there is none. */
  idOf(invocationId: string | undefined): number {
    for (const { id, view } of this.#running.all()) {
      if (view.invocationId === invocationId) return id;
    }
    return this.currentId();
  }

  /** Runs `action` as a part of the call with this id. */
  runAs(callId: number, action: () => void): void {
    const call = this.#running.get(callId);
    if (call) this.#scope.within(call, action);
    else action();
  }

  /** Takes INVOKE: the author's code starts at once. */
  invoke(callId: number, payload: Buffer): void {
    const view = new InvokeView(payload);
    const context = new CallContext(view);
    const call: RunningCall = { id: callId, view, context, hasRead: false };
    this.#running.put(callId, call);
    this.#events.begun(view.asksNode);
    this.#scope.run(call, this.#start);
  }

  /** Takes CANCEL. */
  cancel(callId: number): void {
    const call = this.#running.get(callId);
    if (call) CallContext.cancel(call.context);
  }

  /** Fails the call that the running code belongs to; false if there is none. */
  failCurrent(error: unknown): boolean {
    const call = this.#scope.current;
    if (!call || this.#running.get(call.id) !== call) return false;
    this.#fail(call, error);
    return true;
  }

  /** Calls `onIdle` as soon as no call runs. */
  whenIdle(onIdle: () => void): void {
    this.#onIdle = onIdle;
    if (this.#running.size === 0) onIdle();
  }

  readonly #start = (call: RunningCall): void => {
    let result: unknown;
    try {
      result = (this.#runtime as Runtime).start(call.view, call.context);
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    this.#settle(call, result);
  };

  #settle(call: RunningCall, result: unknown): void {
    if (typeof result === "object" && result !== null) {
      if (isThenable(result)) {
        result.then(
          (value) => this.#settle(call, value),
          (error) => this.#fail(call, error),
        );
        return;
      }
      if (isWebResponse(result)) {
        this.#settle(call, fromWebResponse(result));
        return;
      }
    }
    if (this.#running.get(call.id) !== call) return;
    try {
      this.#output.write(call.id, result, call.hasRead);
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    this.#end(call);
  }

  #fail(call: RunningCall, error: unknown): void {
    if (this.#running.get(call.id) !== call) return;
    const failure = { ...describeError(error, codeOf(error)), hasRead: call.hasRead };
    this.#writer.frame(FRAME.failed, call.id, JSON.stringify(failure));
    this.#end(call);
  }

  #end(call: RunningCall): void {
    this.#events.ended(call.id, call.view.asksNode);
    this.#running.delete(call.id);
    this.#scope.finish(call);
    if (this.#onIdle && this.#running.size === 0) this.#onIdle();
  }
}

function isThenable(result: object): result is PromiseLike<unknown> {
  return typeof (result as { then?: unknown }).then === "function";
}

/** Errors that keep their code when a function lets them pass: they say nothing about the function. */
const NOT_THE_FUNCTIONS: ReadonlySet<string> = new Set([
  "ENOKI_OUTPUT_TOO_LARGE",
  "ENOKI_DISK_FULL",
]);

/** Which of the codes of FAILED an error stands for. */
function codeOf(error: unknown): string {
  if (error instanceof InvalidInputError) return "ENOKI_INVALID_INPUT";
  if (error instanceof InvalidResultError) return "ENOKI_INVALID_RESULT";
  const isNodes = error instanceof EnokiError && NOT_THE_FUNCTIONS.has(error.code);
  return isNodes ? error.code : "ENOKI_FUNCTION_ERROR";
}
