import type { Directory } from "../../cluster/directory.js";
import { EnokiError, type ErrorCode } from "../../core/errors.js";
import { parseFunctionName, type FunctionName, type NodeName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import { writeSessionToken } from "../../keygroups/session-tokens.js";
import { PeerSilentError, type PeerRequests } from "../../peers/requests.js";
import type { Links } from "../../ports/links.js";
import type { Span, Tracer } from "../../ports/tracer.js";
import { failureOf } from "../invocation-spans.js";
import type { FunctionSessions } from "../sessions.js";
import { startSpan } from "../traced-headers.js";
import {
  CALL_METHOD,
  decodeCallAnswer,
  encodeCallMessage,
  type CallAnswer,
} from "./call-message.js";
import { type CallEnd, type CallOrder, notBegun } from "./call-order.js";
import type { OtherNodes, RunningNodes } from "./other-nodes.js";

/** What functions on other nodes are reached by. */
export interface LinkedNodesOptions {
  readonly node: NodeName;
  readonly directory: Pick<Directory, "view" | "subscribe">;
  readonly links: Pick<Links, "peers">;
  readonly requests: Pick<PeerRequests, "request">;
  readonly sessions: Pick<FunctionSessions, "read">;
  readonly tracer: Tracer;
}

/** What a request fails with that was not sent, or that its receiver refused as a whole. */
const UNDONE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "ENOKI_PEER_UNREACHABLE",
  "ENOKI_QUEUE_FULL",
  "ENOKI_UNSUPPORTED",
  "ENOKI_DRAINING",
  "ENOKI_FUNCTION_NOT_FOUND",
  "ENOKI_INVALID_INPUT",
  "ENOKI_VALUE_TOO_LARGE",
]);

/** Functions on the nodes that the directory knows, over the links that are up. */
export class LinkedNodes implements OtherNodes {
  readonly #options: LinkedNodesOptions;
  /** Of each function that was asked for, the other nodes that serve it. */
  readonly #serving = new Map<string, readonly NodeName[]>();

  constructor(options: LinkedNodesOptions) {
    this.#options = options;
    options.directory.subscribe({
      functionChanged: (name) => void this.#serving.delete(name),
    });
  }

  nodesOf(name: string): RunningNodes {
    const serving = this.#servingNodes(name);
    if (serving.length === 0) return { linked: [], away: [] };
    const tripMs = new Map<NodeName, number>();
    for (const { node, roundTripMs } of this.#options.links.peers()) {
      tripMs.set(node, roundTripMs ?? Infinity);
    }
    const linked = serving.filter((node) => tripMs.has(node));
    // Equal distances stay in the order of names.
    linked.sort((a, b) => compare(tripMs.get(a) as number, tripMs.get(b) as number));
    return { linked, away: serving.filter((node) => !tripMs.has(node)) };
  }

  async call(to: NodeName, order: CallOrder, signal?: AbortSignal): Promise<CallEnd> {
    const { tracer } = this.#options;
    if (!tracer.isOn) return this.#call(to, order, signal);
    const { span, order: traced } = startLink(tracer, to, order);
    const end = await this.#call(to, traced, signal);
    span?.end(failureOf(end.outcome));
    return end;
  }

  async #call(to: NodeName, order: CallOrder, signal?: AbortSignal): Promise<CallEnd> {
    const { requests, sessions } = this.#options;
    const { session, timeoutMs = LIMITS.longestWaitMs } = order;
    let answer: CallAnswer;
    try {
      const token = session === undefined ? "" : writeSessionToken(session, undefined);
      const body = encodeCallMessage({ ...order, session: token });
      const lane = order.isQueued ? "bulk" : "update";
      const options = { timeoutMs, lane, ...(signal && { signal }) } as const;
      answer = decodeCallAnswer(await requests.request(to, CALL_METHOD, body, options));
      const seen = answer.session === "" ? undefined : sessions.read(answer.session);
      return { ...answer, session: seen };
    } catch (error) {
      if (!(error instanceof EnokiError)) throw error;
      if (UNDONE.has(error.code)) return notBegun(error);
      const outcome = error instanceof PeerSilentError ? tooLate(timeoutMs) : error;
      return { ...notBegun(outcome), isStarted: true };
    }
  }

  /** As each node has last said; what is out of date is refused there, and nothing is lost. */
  #servingNodes(name: string): readonly NodeName[] {
    const known = this.#serving.get(name);
    if (known) return known;
    const parsed = asFunctionName(name);
    if (parsed === undefined) return [];
    const { node: self, directory } = this.#options;
    const isGone = directory.view.function(parsed)?.isRemoved !== false;
    const nodes = directory.view
      .functionNodes(parsed)
      .filter(({ node, serving }) => node !== self && serving > 0)
      .map(({ node }) => node);
    const found = isGone ? [] : nodes;
    // A name that nobody knows is not remembered: functions could ask for any number of them.
    if (found.length > 0) this.#serving.set(name, found);
    return found;
  }
}

/** Begins the span of the way to another node and back. */
function startLink(
  tracer: Tracer,
  to: NodeName,
  order: CallOrder,
): { readonly order: CallOrder; readonly span: Span | undefined } {
  const { request, function: name } = order;
  const { span, headers } = startSpan(tracer, request.headers, {
    name: `link ${to}`,
    kind: "client",
    attributes: { "enoki.peer": to, "faas.invoked_name": name },
  });
  return { order: { ...order, request: { ...request, headers } }, span };
}

function compare(left: number, right: number): number {
  return left === right ? 0 : left < right ? -1 : 1;
}

function asFunctionName(name: string): FunctionName | undefined {
  try {
    return parseFunctionName(name);
  } catch {
    return undefined;
  }
}

function tooLate(timeoutMs: number): EnokiError {
  return new EnokiError("ENOKI_TIMEOUT", `the call took longer than ${Math.round(timeoutMs)} ms`);
}
