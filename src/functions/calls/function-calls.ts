import { EnokiError, type ErrorCode } from "../../core/errors.js";
import type { Clock } from "../../ports/clock.js";
import type { FunctionHost } from "../function-host.js";
import { type CallEnd, type CallOrder, notBegun } from "./call-order.js";
import type { LocalCalls } from "./local-calls.js";
import type { OtherNodes } from "./other-nodes.js";

/** What {@link FunctionCalls} are made from. */
export interface FunctionCallsOptions {
  readonly find: (name: string) => FunctionHost | undefined;
  readonly local: LocalCalls;
  readonly others: OtherNodes;
  readonly clock: Clock;
}

/** Refusals of one node that say nothing of the next: the call has not begun there. */
const ELSEWHERE_MAYBE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ENOKI_PEER_UNREACHABLE",
  "ENOKI_FUNCTION_NOT_FOUND",
  "ENOKI_QUEUE_FULL",
  "ENOKI_DRAINING",
  "ENOKI_SESSION_NOT_REACHED",
  "ENOKI_LOAD_FAILED",
  "ENOKI_RUNTIME_UNAVAILABLE",
  "ENOKI_SECRET_UNREADABLE",
  "ENOKI_UNSUPPORTED",
  "ENOKI_INTERNAL",
]);

/** Ends of a call that has begun and that one with an idempotency key may go through again. */
const AGAIN_WITH_KEY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ENOKI_INSTANCE_DIED",
  "ENOKI_OUTCOME_UNKNOWN",
  "ENOKI_DRAINING",
]);

/**
 * Calls of functions by name: on this node without leaving it, else on the nearest node that runs it;
 * on one node after the other as long as it is safe. Never rejects.
 */
export class FunctionCalls {
  readonly #options: FunctionCallsOptions;

  constructor(options: FunctionCallsOptions) {
    this.#options = options;
  }

  async call(order: CallOrder, signal?: AbortSignal): Promise<CallEnd> {
    const { find, local, others, clock } = this.#options;
    const { timeoutMs, request } = order;
    const deadlineMs = timeoutMs === undefined ? undefined : clock.monotonicMs() + timeoutMs;
    // why: an outbox comes again by itself, and best to the node that may know the end.
    const isRepeatable = request.idempotencyKey !== "" && !order.isQueued;
    const host = find(order.function);
    let end = host && (await local.run(host, order, signal));
    if (end && !isForAnother(end, isRepeatable)) return end;
    const { linked, away } = others.nodesOf(order.function);
    for (const node of linked) {
      const leftMs = deadlineMs === undefined ? undefined : deadlineMs - clock.monotonicMs();
      if (signal?.aborted || (leftMs !== undefined && leftMs <= 0)) break;
      const next = await others.call(node, { ...order, timeoutMs: leftMs }, signal);
      if (!isForAnother(next, isRepeatable)) return next;
      end = worse(end, next);
    }
    return end ?? notBegun(nowhere(order.function, away));
  }

  /** Other nodes that run it, the nearest first. */
  nodesOf(name: string): readonly string[] {
    const { linked, away } = this.#options.others.nodesOf(name);
    return [...linked, ...away];
  }

  /** Whether a function can be called now, runs only where no link leads to, or nowhere. */
  reach(name: string): "linked" | "away" | "nowhere" {
    if (this.#options.find(name)) return "linked";
    const { linked, away } = this.#options.others.nodesOf(name);
    if (linked.length > 0) return "linked";
    return away.length > 0 ? "away" : "nowhere";
  }
}

function isForAnother({ outcome, isStarted }: CallEnd, isRepeatable: boolean): boolean {
  if (!(outcome instanceof EnokiError)) return false;
  if (!isStarted) return ELSEWHERE_MAYBE.has(outcome.code);
  return isRepeatable && AGAIN_WITH_KEY.has(outcome.code);
}

/** Of two ends in vain, the one that is to be told: what may have begun counts most. */
function worse(before: CallEnd | undefined, next: CallEnd): CallEnd {
  if (!before) return next;
  if (before.isStarted !== next.isStarted) return before.isStarted ? before : next;
  const isUnreachable = (next.outcome as EnokiError).code === "ENOKI_PEER_UNREACHABLE";
  return isUnreachable ? before : next;
}

/** What is said of a function that runs nowhere that can be asked. */
function nowhere(name: string, away: readonly string[]): EnokiError {
  const shown = JSON.stringify(name.slice(0, 63));
  if (away.length === 0) {
    return new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `no node that is known here runs ${shown}`);
  }
  const where = away.join(", ");
  return new EnokiError("ENOKI_PEER_UNREACHABLE", `no link to a node that runs ${shown}: ${where}`);
}
