import { EnokiError } from "../../core/errors.js";
import type { Session } from "../../core/session.js";
import type { Clock } from "../../ports/clock.js";
import type { Call } from "../call.js";
import type { FunctionHost } from "../function-host.js";
import type { FunctionSessions } from "../sessions.js";
import { type CallEnd, type CallOrder, notBegun } from "./call-order.js";

/** What {@link LocalCalls} are made from. */
export interface LocalCallsOptions {
  readonly sessions: FunctionSessions;
  readonly clock: Clock;
}

/** Runs calls of functions on this node: once what the caller has seen is here, and no sooner. */
export class LocalCalls {
  readonly #options: LocalCallsOptions;

  constructor(options: LocalCallsOptions) {
    this.#options = options;
  }

  /**
   * Runs a call; never rejects. `signal`: nobody waits any more, so a call that has not begun need
   * not begin.
   */
  async run(host: FunctionHost, order: CallOrder, signal?: AbortSignal): Promise<CallEnd> {
    const { sessions, clock } = this.#options;
    const { session, timeoutMs } = order;
    const entered = session && sessions.enter(host.name, session, timeoutMs);
    if (!entered) return this.#submit(host, order, timeoutMs, false, signal);
    const beganMs = clock.monotonicMs();
    let isElsewhere: boolean;
    try {
      isElsewhere = await entered;
    } catch (error) {
      if (error instanceof EnokiError) return notBegun(error);
      throw error;
    }
    const waitedMs = clock.monotonicMs() - beganMs;
    const leftMs = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - waitedMs);
    return this.#submit(host, order, leftMs, isElsewhere, signal);
  }

  #submit(
    host: FunctionHost,
    { id, request, depth, session }: CallOrder,
    timeoutMs: number | undefined,
    isElsewhere: boolean,
    signal: AbortSignal | undefined,
  ): Promise<CallEnd> {
    const { sessions } = this.#options;
    return new Promise((resolve) => {
      let leave = (): void => {};
      const call = host.submit({
        id,
        idBytes: Buffer.from(id, "hex"),
        request,
        timeoutMs,
        session,
        depth,
        isElsewhere,
        settled: (outcome, settledCall) => {
          const seen = seenAfter(sessions, host, settledCall);
          const { isStarted } = settledCall;
          signal?.removeEventListener("abort", leave);
          const end = { outcome, isStarted, ...seen };
          sessions.whenKept(host.name, () => resolve(end));
        },
      });
      if (!signal || call.isSettled) return;
      leave = () => {
        if (!call.isStarted) call.abandon(new EnokiError("ENOKI_TIMEOUT", "the caller left"));
      };
      signal.addEventListener("abort", leave);
      if (signal.aborted) leave();
    });
  }
}

function seenAfter(
  sessions: FunctionSessions,
  host: FunctionHost,
  call: Call,
): { readonly session: Session | undefined; readonly stalenessMs: number | undefined } {
  return {
    session: sessions.seenAfter(host.name, call),
    stalenessMs: sessions.stalenessMs(host.name, call),
  };
}
