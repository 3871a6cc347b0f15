import { EnokiError } from "../../core/errors.js";
import { LIMITS } from "../../core/limits.js";
import type { Session } from "../../core/session.js";
import type { Call, CallRequest, CallResponse } from "../../functions/call.js";
import type { FunctionHost } from "../../functions/function-host.js";
import type { FreshInvocationId } from "../../functions/invocation-ids.js";
import type { DataMarks, FunctionSessions } from "../../functions/sessions.js";
import type { Logger } from "../../ports/logger.js";
import type { Span, Tracer } from "../../ports/tracer.js";
import { knownError } from "../problem.js";
import { endEntry, startEntry, type EntryProtocol } from "./entry-span.js";

/** What calls enter the node by, whatever protocol brings them. */
export interface CallEntryOptions {
  readonly find: (name: string) => FunctionHost | undefined;
  /** Other nodes that run a function, for whoever asks here in vain. */
  readonly nodesOf: (name: string) => readonly string[];
  readonly nextId: () => FreshInvocationId;
  /** What clients have seen, and whether it is here. */
  readonly sessions: FunctionSessions;
  /**
   * Whether a function takes calls without a token; its callers' `Authorization` is its to see.
   * `undefined` = whatever is none that is here.
   */
  readonly isPublic: (host: FunctionHost | undefined) => boolean;
  /** Throws `ENOKI_UNAUTHORIZED` or `ENOKI_FORBIDDEN` unless the caller may invoke. */
  readonly authorize: (authorization: string) => void;
  readonly isDraining: () => boolean;
  readonly logger: Logger;
  readonly tracer: Tracer;
}

/** One synchronous call, read from its protocol. */
export interface EntryCall {
  readonly protocol: EntryProtocol;
  readonly host: FunctionHost;
  /** From {@link CallEntry.admit}. */
  readonly fresh: FreshInvocationId;
  readonly request: CallRequest;
  /** `undefined` = the function's own. */
  readonly timeoutMs: number | undefined;
  readonly session: Session | undefined;
}

/** What became of a call, to be written in its protocol. */
export interface CallAnswer {
  readonly id: string;
  /** What the function returned, with a status from 200 to 999, or why there is nothing. */
  readonly outcome: CallResponse | EnokiError;
  readonly marks: DataMarks;
}

/** A call that its caller waits for. */
export interface EnteredCall {
  /** The caller is gone: a call that has not begun is given up, one that has is left to its end. */
  leave(): void;
}

const NO_MARKS: DataMarks = {};

/**
 * The way of a synchronous call from any protocol to its function and back: the right to call, the
 * session, the queue, and what the answer says of the data.
 */
export class CallEntry {
  readonly #options: CallEntryOptions;

  constructor(options: CallEntryOptions) {
    this.#options = options;
  }

  /** The function of that name; `undefined` if this node has none. */
  find(name: string): FunctionHost | undefined {
    return this.#options.find(name);
  }

  /** Whether a function takes calls without a token; `undefined` = whatever is none that is here. */
  isPublic(host: FunctionHost | undefined): boolean {
    return this.#options.isPublic(host);
  }

  /**
   * Checks the text of an `Authorization` where a function is not for everybody.
   * @throws EnokiError `ENOKI_UNAUTHORIZED`, `ENOKI_FORBIDDEN`
   */
  authorize(host: FunctionHost | undefined, authorization: string): void {
    if (!this.#options.isPublic(host)) this.#options.authorize(authorization);
  }

  /**
   * The function of that name, for who sends `authorization`.
   * @throws EnokiError `ENOKI_UNAUTHORIZED`, `ENOKI_FORBIDDEN`, then `ENOKI_FUNCTION_NOT_FOUND`
   */
  allowedHost(name: string, authorization: string): FunctionHost {
    const host = this.#options.find(name);
    this.authorize(host, authorization);
    if (!host) throw this.notFound(name);
    return host;
  }

  /** What is said where no function has that name: which other nodes run it, if any do. */
  notFound(name: string): EnokiError {
    const nodes = this.#options.nodesOf(name);
    const where = nodes.length === 0 ? "" : `; it runs on ${nodes.join(", ")}`;
    const detail = `there is no function "${name.slice(0, 63)}" here${where}`;
    return new EnokiError("ENOKI_FUNCTION_NOT_FOUND", detail);
  }

  /** Lets one more call in and names it. @throws EnokiError `ENOKI_DRAINING` */
  admit(): FreshInvocationId {
    if (this.#options.isDraining()) throw new EnokiError("ENOKI_DRAINING");
    return this.#options.nextId();
  }

  /** Reads a session's token; `""` = none. @throws EnokiError `ENOKI_INVALID_INPUT` */
  readSession(token: string): Session | undefined {
    return token === "" ? undefined : this.#options.sessions.read(token);
  }

  /** Runs a call once what its session has seen is here. `answered` is called once, unless the caller leaves. */
  begin(entryCall: EntryCall, answered: (answer: CallAnswer) => void): EnteredCall {
    const { tracer } = this.#options;
    if (!tracer.isOn) return this.#begin(entryCall, answered);
    const { protocol, host, fresh } = entryCall;
    const { span, request } = startEntry(tracer, host, entryCall.request, protocol);
    if (!span) return this.#begin({ ...entryCall, request }, answered);
    span.set({ "enoki.invocation_id": fresh.id });
    const entered = this.#begin({ ...entryCall, request }, (answer) => {
      endEntry(span, answer.outcome);
      answered(answer);
    });
    return {
      leave: () => {
        entered.leave();
        span.end("the caller left");
      },
    };
  }

  /** The span of a call that is stored and made later, and the request to be stored; see {@link begin}. */
  beginLater(
    host: FunctionHost,
    asked: CallRequest,
  ): { readonly span: Span | undefined; readonly request: CallRequest } {
    const { tracer } = this.#options;
    return tracer.isOn
      ? startEntry(tracer, host, asked, "http")
      : { span: undefined, request: asked };
  }

  #begin(entryCall: EntryCall, answered: (answer: CallAnswer) => void): EnteredCall {
    const { host, session, timeoutMs } = entryCall;
    const waiting = session && this.#options.sessions.enter(host.name, session, timeoutMs);
    let call: Call | undefined;
    let hasLeft = false;
    if (!waiting) call = this.#submit(entryCall, false, answered);
    else {
      waiting.then(
        (isElsewhere) => {
          if (!hasLeft) call = this.#submit(entryCall, isElsewhere, answered);
        },
        (error: unknown) => {
          const outcome = knownError(error, this.#options.logger);
          answered({ id: entryCall.fresh.id, outcome, marks: NO_MARKS });
        },
      );
    }
    return {
      leave: () => {
        hasLeft = true;
        if (call && !call.isStarted) {
          call.abandon(new EnokiError("ENOKI_TIMEOUT", "the caller left"));
        }
      },
    };
  }

  #submit(
    { host, fresh, request, timeoutMs, session }: EntryCall,
    isElsewhere: boolean,
    answered: (answer: CallAnswer) => void,
  ): Call {
    const { sessions } = this.#options;
    const { id } = fresh;
    return host.submit({
      id,
      idBytes: fresh.bytes,
      request,
      timeoutMs,
      session,
      isElsewhere,
      settled: (outcome, call) => {
        const marks = this.#marksAfter(host, call);
        sessions.whenKept(host.name, () => {
          if (marks instanceof EnokiError) answered({ id, outcome: marks, marks: NO_MARKS });
          else answered({ id, outcome: withValidStatus(outcome), marks });
        });
      },
    });
  }

  /** What the client has seen after a call, also one that failed: it may have written. */
  #marksAfter(host: FunctionHost, call: Call): DataMarks | EnokiError {
    try {
      return this.#options.sessions.marks(host.name, call);
    } catch (error) {
      if (error instanceof EnokiError) return error;
      throw error;
    }
  }
}

/** The outcome, or `ENOKI_INVALID_RESULT` where a function returned what is no status of an answer. */
export function withValidStatus(outcome: CallResponse | EnokiError): CallResponse | EnokiError {
  if (outcome instanceof EnokiError) return outcome;
  const { status } = outcome;
  if (Number.isInteger(status) && status >= 200 && status <= 999) return outcome;
  const detail = `${status} is not a status that a function may return`;
  return new EnokiError("ENOKI_INVALID_RESULT", detail);
}

/** An idempotency key as it was sent. @throws EnokiError `ENOKI_INVALID_INPUT` for one that is too long */
export function checkedKey(idempotencyKey: string): string {
  if (Buffer.byteLength(idempotencyKey) <= LIMITS.idempotencyKeyBytesMax) return idempotencyKey;
  throw new EnokiError(
    "ENOKI_INVALID_INPUT",
    `Idempotency-Key may have ${LIMITS.idempotencyKeyBytesMax} bytes`,
  );
}
