import { expect } from "vitest";

import { parseNodeName, type NodeName } from "../../../src/core/ids.js";
import { MemoryLinkHub } from "../../../src/links/memory.js";
import { PeerRequests } from "../../../src/peers/requests.js";
import { PeerRouter } from "../../../src/peers/router.js";
import type { Links } from "../../../src/ports/links.js";
import { silentLogger } from "../../../src/ports/logger.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { LinkRecorder } from "../../../src/testing/links-recorder.js";

export const cloud = parseNodeName("cloud");
export const edge = parseNodeName("edge");
export const MIB = 1024 * 1024;
/** A method that every pair serves: it answers with what it gets. */
export const ECHO = 1;
/** A wait that no test reaches. */
export const patient = { timeoutMs: 10_000 };

/** A node that speaks of requests. */
export interface RequestNode {
  readonly links: Links;
  readonly requests: PeerRequests;
}

/** Two linked nodes: `edge` asks, `cloud` serves. */
export interface RequestPair {
  readonly hub: MemoryLinkHub;
  readonly asking: RequestNode;
  readonly serving: RequestNode;
}

/** Makes two linked nodes. */
export function requestPair(): RequestPair {
  const hub = new MemoryLinkHub();
  const asking = node(hub, edge);
  const serving = node(hub, cloud);
  hub.connect(edge, cloud);
  serving.requests.serve(ECHO, ({ body }) => body);
  return { hub, asking, serving };
}

export function text(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value));
}

/** Matches an error by its code. */
export function code(expected: string): unknown {
  return expect.objectContaining({ code: expected });
}

export function never(): Promise<never> {
  return new Promise(() => {});
}

function node(hub: MemoryLinkHub, name: NodeName): RequestNode {
  const links = hub.join(name);
  const requests = new PeerRequests({ links, timers: systemTimers, logger: silentLogger });
  links.listen(new PeerRouter({ requests, keygroups: new LinkRecorder() }));
  return { links, requests };
}
