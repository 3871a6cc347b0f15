import { beforeEach, describe, expect, test } from "vitest";

import { parseNodeName } from "../../../src/core/ids.js";
import type { MemoryLinkHub } from "../../../src/links/memory.js";
import type { PeerRequests } from "../../../src/peers/requests.js";
import type { Links } from "../../../src/ports/links.js";
import { cloud, code, edge, MIB, never, patient, requestPair, text } from "./request-pair.js";
import { eventuallyTrue } from "../../helpers/eventually.js";

let hub: MemoryLinkHub;
let asking: PeerRequests;
let serving: PeerRequests;
let askingLinks: Links;
let servingLinks: Links;

beforeEach(() => {
  const pair = requestPair();
  hub = pair.hub;
  ({ requests: asking, links: askingLinks } = pair.asking);
  ({ requests: serving, links: servingLinks } = pair.serving);
});

describe("what no peer may send costs it its link", () => {
  const id = [1, 0, 4, 0];
  test.each([
    ["nothing", []],
    ["a message for nobody", [64, 1]],
    ["too little", [0x80, 1, 0]],
    ["an unknown type", [0x80, 9, ...id]],
    ["type 0", [0x80, 0, ...id]],
    ["a request that is cut", [0x80, 1, ...id, 0, 0]],
    ["a request for an unknown lane", [0x80, 1, ...id, 3, 0, 1, 0, 1, 0, 0, 0]],
    ["a credit that is cut", [0x80, 7, ...id, 1]],
  ])("%s", async (_, bytes) => {
    askingLinks.send(cloud, "control", new Uint8Array(bytes));
    await eventuallyTrue(() => servingLinks.peers().length === 0);
  });

  test("a number that is used twice, and more credit than a window", async () => {
    serving.serve(2, never);
    const request = [0x80, 1, ...id, 0, 0, 2, 0, 1, 0, 0, 0];
    askingLinks.send(cloud, "control", new Uint8Array(request));
    askingLinks.send(cloud, "control", new Uint8Array(request));
    await eventuallyTrue(() => servingLinks.peers().length === 0);
    hub.connect(edge, cloud);
    askingLinks.send(cloud, "control", new Uint8Array(request));
    askingLinks.send(cloud, "control", new Uint8Array([0x80, 7, ...id, 1, 0, 0, 0]));
    await eventuallyTrue(() => servingLinks.peers().length === 0);
  });

  test.each([
    ["a piece of a stream", [5]],
    ["the end of a stream", [6]],
  ])("%s as the answer to a plain request", async (_, type) => {
    const number: number[] = [];
    const raw = hub.join(parseNodeName("raw"));
    raw.listen({
      up: () => {},
      down: () => {},
      message: (peer, payload) => {
        number.push(...payload.subarray(2, 6));
        raw.send(peer, "control", new Uint8Array([0x80, ...type, ...number, 0]));
      },
    });
    hub.connect(edge, parseNodeName("raw"));
    const request = asking.request(parseNodeName("raw"), 1, text(""), patient);
    await expect(request).rejects.toThrow(code("ENOKI_OUTCOME_UNKNOWN"));
  });

  test("more of a stream than its window", async () => {
    const rawName = parseNodeName("raw");
    const raw = hub.join(rawName);
    raw.listen({
      up: () => {},
      down: () => {},
      message: (peer, payload) => {
        const chunk = Buffer.concat([
          Buffer.from([0x80, 5, ...payload.subarray(2, 6)]),
          Buffer.alloc(MIB),
        ]);
        raw.send(peer, "bulk", chunk);
        raw.send(peer, "bulk", chunk);
      },
    });
    hub.connect(edge, rawName);
    const stream = asking.stream(rawName, 1, text(""), patient);
    await eventuallyTrue(() => raw.peers().length === 0);
    await stream.next();
    await expect(stream.next()).rejects.toThrow(code("ENOKI_OUTCOME_UNKNOWN"));
  });

  test.each([
    ['{"code":"ENOKI_FROM_THE_FUTURE","message":"m"}', "ENOKI_INTERNAL"],
    ['{"code":"constructor"}', "ENOKI_INTERNAL"],
    ["null", "ENOKI_INTERNAL"],
    ["{", "ENOKI_PROTOCOL"],
  ])("the error %s becomes one of ours, and the link stays", async (error, expected) => {
    const rawName = parseNodeName("raw");
    const raw = hub.join(rawName);
    raw.listen({
      up: () => {},
      down: () => {},
      message: (peer, payload) => {
        raw.send(
          peer,
          "control",
          Buffer.concat([Buffer.from([0x80, 3, ...payload.subarray(2, 6)]), Buffer.from(error)]),
        );
      },
    });
    hub.connect(edge, rawName);
    const request = asking.request(rawName, 1, text(""), patient);
    await expect(request).rejects.toThrow(code(expected));
    expect(raw.peers().length).toBe(1);
  });
});
