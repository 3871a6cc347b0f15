import { FunctionCalls } from "../functions/calls/function-calls.js";
import { LocalCalls } from "../functions/calls/local-calls.js";
import { NO_OTHER_NODES } from "../functions/calls/other-nodes.js";
import type { FunctionHost } from "../functions/function-host.js";
import type { Outbox } from "../functions/outbox/outbox.js";
import type { FunctionSessions } from "../functions/sessions.js";
import type { Clock } from "../ports/clock.js";
import type { Tracer } from "../ports/tracer.js";
import type { NodeCluster } from "./cluster.js";
import type * as ClusterParts from "./cluster-parts.js";

/** How functions are called by their names, here and on other nodes. */
export interface CallParts {
  readonly calls: FunctionCalls;
  /** Those on this node. */
  readonly local: LocalCalls;
  /** Answers the calls and deliveries of other nodes from now on. */
  readonly serve: (outbox: Outbox, draining: AbortSignal) => void;
}

/** What calls are made from. */
export interface CallPartsOptions {
  readonly find: (name: string) => FunctionHost | undefined;
  readonly sessions: FunctionSessions;
  readonly clock: Clock;
  readonly tracer: Tracer;
}

/** Calls on a node that stands alone, or on one of a cluster. */
export function openCalls(
  options: CallPartsOptions,
  cluster: NodeCluster | undefined,
  parts: typeof ClusterParts | undefined,
): CallParts {
  const { find, sessions, clock, tracer } = options;
  const local = new LocalCalls({ sessions, clock });
  if (!cluster || !parts) {
    const calls = new FunctionCalls({ find, local, others: NO_OTHER_NODES, clock });
    return { calls, local, serve: () => {} };
  }
  const { node, directory, links, requests } = cluster;
  const others = new parts.LinkedNodes({ node, directory, links, requests, sessions, tracer });
  return {
    calls: new FunctionCalls({ find, local, others, clock }),
    local,
    serve: ({ received }, draining) => {
      const isDraining = (): boolean => draining.aborted;
      parts.serveCalls({ requests, find, local, received, sessions, isDraining });
    },
  };
}
