import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { parseNodeName, type NodeName } from "../core/ids.js";
import { LIMITS } from "../core/limits.js";
import type { LinkLane, Links } from "../ports/links.js";
import { LinkRecorder } from "./links-recorder.js";

/** A driver under test: a network of nodes in this process. */
export interface LinksUnderTest {
  /** Adds a node; no link of it is up. */
  start(node: NodeName): Promise<Links>;
  /** Has a link opened between two nodes whose events are listened to; it may take a while. */
  connect(left: NodeName, right: NodeName): void;
  /** Cuts a link as a network would, for good. */
  cut(left: NodeName, right: NodeName): void;
  /** Closes whatever is left. */
  cleanup(): Promise<void>;
}

const a = parseNodeName("a");
const b = parseNodeName("b");
const c = parseNodeName("c");
const LANES: readonly LinkLane[] = ["control", "update", "bulk"];
const MIB = 1024 * 1024;

interface Node {
  readonly links: Links;
  readonly seen: LinkRecorder;
}

/**
 * Declares the tests that every {@link Links} has to pass, with vitest.
 * `makeNetwork` is called once for each test and returns a network without nodes.
 */
export function runLinksContract(name: string, makeNetwork: () => Promise<LinksUnderTest>): void {
  describe(`links contract: ${name}`, () => {
    let network: LinksUnderTest;
    let left: Node;
    let right: Node;

    const start = async (node: NodeName): Promise<Node> => {
      const links = await network.start(node);
      const seen = new LinkRecorder();
      links.listen(seen);
      return { links, seen };
    };
    const connect = async (): Promise<void> => {
      network.connect(a, b);
      await Promise.all([left.seen.seen("up"), right.seen.seen("up")]);
    };

    beforeEach(async () => {
      network = await makeNetwork();
      left = await start(a);
      right = await start(b);
    });

    afterEach(async () => {
      await Promise.all([left.links.close(), right.links.close()]);
      await network.cleanup();
    });

    declareEvents();
    declareMessages();
    declareBounds();

    function declareEvents(): void {
      it("tells both ends that a link is up, and lists it", async () => {
        expect(left.links.peers()).toEqual([]);
        await connect();
        expect(left.links.peers().map(({ node }) => node)).toEqual([b]);
        expect(right.links.peers().map(({ node }) => node)).toEqual([a]);
        expect([left.seen.count("up"), right.seen.count("up")]).toEqual([1, 1]);
      });

      it("tells both ends that a link is down, and sends nothing to that peer any more", async () => {
        await connect();
        network.cut(a, b);
        await Promise.all([left.seen.seen("down"), right.seen.seen("down")]);
        expect(left.links.send(b, "control", bytes(1))).toBe(false);
        expect([left.links.peers(), right.links.peers()]).toEqual([[], []]);
        expect(left.links.backlogBytes(b, "control")).toBe(0);
      });

      it("knows nothing of a peer that there is not", () => {
        expect(left.links.send(c, "control", bytes(1))).toBe(false);
        expect(left.links.send(a, "control", bytes(1))).toBe(false);
        expect(left.links.backlogBytes(c, "bulk")).toBe(0);
        expect(() => left.links.hold(c)()).not.toThrow();
      });

      it("keeps links to several peers apart, in messages and in events", async () => {
        const third = await start(c);
        await connect();
        network.connect(a, c);
        await third.seen.seen("up");
        await left.seen.seen("up", 2);
        left.links.send(b, "update", bytes(2));
        left.links.send(c, "update", bytes(3));
        await Promise.all([right.seen.seen("message"), third.seen.seen("message")]);
        network.cut(a, b);
        await left.seen.seen("down", 1, b);
        third.links.send(a, "update", bytes(4));
        await left.seen.seen("message", 1, c);
        expect([right.seen.payloads, third.seen.payloads]).toEqual([[bytes(2)], [bytes(3)]]);
        await third.links.close();
        await left.seen.seen("down", 1, c);
      });

      it("is closed for good: down is told here and there, and nothing is sent", async () => {
        await connect();
        await left.links.close();
        expect(left.seen.count("down")).toBe(1);
        await right.seen.seen("down");
        expect(left.links.send(b, "control", bytes(1))).toBe(false);
        expect(left.links.peers()).toEqual([]);
        await left.links.close();
        expect(left.seen.count("down")).toBe(1);
      });

      it("answers and closes from within an event", async () => {
        right.seen.onMessage = (peer, payload) => right.links.send(peer, "control", payload);
        left.seen.onMessage = () => void left.links.close();
        await connect();
        left.links.send(b, "update", bytes(7));
        await left.seen.seen("down");
        expect(left.seen.payloads).toEqual([bytes(7)]);
      });

      it("closes the link of a peer whose message the receiver throws at", async () => {
        right.seen.onMessage = () => {
          throw new Error("not understood");
        };
        await connect();
        left.links.send(b, "update", bytes(7));
        await Promise.all([left.seen.seen("down"), right.seen.seen("down")]);
        expect(right.seen.payloads).toEqual([]);
      });
    }

    function declareMessages(): void {
      it("delivers whole messages of every size, once and in order, on every lane", async () => {
        await connect();
        const sizes = [0, 1, 124, 8191, 65_527, 65_531, 65_532, 65_536, 65_537, 200_000, MIB + 1];
        for (const lane of LANES) {
          const sent = sizes.map((sizeBytes, index) => pattern(sizeBytes, index));
          const before = right.seen.payloads.length;
          for (const payload of sent) expect(left.links.send(b, lane, payload)).toBe(true);
          await right.seen.seen("message", before + sent.length);
          const got = right.seen.payloads.slice(before);
          expect(got.map(({ length }) => length)).toEqual(sizes);
          expect(got.every((payload, index) => isSame(payload, sent[index] as Uint8Array))).toBe(
            true,
          );
        }
        expect(left.seen.count("message")).toBe(0);
      });

      it("carries a message of the largest size, and refuses a larger one", async () => {
        await connect();
        const largest = pattern(LIMITS.linkMessageBytesMax, 1);
        expect(left.links.send(b, "bulk", largest)).toBe(true);
        await right.seen.seen("message");
        expect(isSame(right.seen.payloads[0] as Uint8Array, largest)).toBe(true);
        const tooLarge = new Uint8Array(LIMITS.linkMessageBytesMax + 1);
        const refused = (): unknown => left.links.send(b, "bulk", tooLarge);
        expect(refused).toThrow(expect.objectContaining({ code: "ENOKI_VALUE_TOO_LARGE" }));
        expect(left.links.peers().length).toBe(1);
      });

      it("lets a more urgent lane overtake, within a large message too", async () => {
        await connect();
        left.links.send(b, "bulk", pattern(16 * MIB, 1));
        left.links.send(b, "bulk", bytes(1));
        left.links.send(b, "update", bytes(2));
        left.links.send(b, "control", bytes(3));
        left.links.send(b, "update", bytes(4));
        await right.seen.seen("message", 5);
        expect(right.seen.payloads.map((payload) => payload[0])).toEqual([3, 2, 4, 1, 1]);
      });

      it("starves no lane: something of bulk gets through while updates have a backlog", async () => {
        await connect();
        left.links.send(b, "bulk", bytes(9));
        for (let index = 0; index < 400; index++) left.links.send(b, "update", pattern(60_000, 1));
        await right.seen.seen("message", 401);
        const position = right.seen.payloads.findIndex((payload) => payload[0] === 9);
        expect(position).toBeLessThan(10);
      });

      it("keeps the order of ten thousand messages in both directions at once", async () => {
        await connect();
        for (let index = 0; index < 10_000; index++) {
          left.links.send(b, "update", numbered(index));
          right.links.send(a, "update", numbered(index));
        }
        await Promise.all([left.seen.seen("message", 10_000), right.seen.seen("message", 10_000)]);
        for (const { seen } of [left, right]) {
          expect(seen.payloads.every((payload, index) => isSame(payload, numbered(index)))).toBe(
            true,
          );
        }
      });

      it("gives bytes away that nothing else changes", async () => {
        await connect();
        left.links.send(b, "update", bytes(1, 2, 3));
        left.links.send(b, "update", bytes(4, 5, 6));
        await right.seen.seen("message", 2);
        right.seen.payloads[0]?.fill(9);
        expect(right.seen.payloads[1]).toEqual(bytes(4, 5, 6));
      });
    }

    function declareBounds(): void {
      it("refuses what a held peer's backlog has no room for, and tells when there is room", async () => {
        await connect();
        const release = right.links.hold(a);
        const payload = pattern(MIB, 1);
        let sent = 0;
        const fill = async (): Promise<void> => {
          while (left.links.send(b, "bulk", payload)) {
            sent += 1;
            if (sent % 16 === 0) await turn();
          }
        };
        await fill();
        expect(left.links.backlogBytes(b, "bulk")).toBeLessThanOrEqual(LIMITS.linkBacklogBytesMax);
        expect(left.links.backlogBytes(b, "bulk")).toBeGreaterThan(LIMITS.linkBacklogBytesMax / 2);
        expect(left.links.send(b, "update", bytes(5))).toBe(true);
        expect(left.seen.count("room")).toBe(0);
        release();
        release();
        await left.seen.seen("room");
        await right.seen.seen("message", sent + 1);
        expect(left.links.backlogBytes(b, "bulk")).toBe(0);
        expect(left.seen.count("room")).toBe(1);
        expect([left.seen.count("down"), right.seen.count("down")]).toEqual([0, 0]);
      });

      it("bounds the backlog of tiny messages by the memory they take", async () => {
        await connect();
        const release = right.links.hold(a);
        let sent = 0;
        while (left.links.send(b, "update", bytes(1))) sent += 1;
        expect(sent).toBeLessThan(LIMITS.linkBacklogBytesMax / 64);
        release();
        await right.seen.seen("message", sent);
      });

      it("reads on only when every hold is over", async () => {
        await connect();
        const releases = [right.links.hold(a), right.links.hold(a)];
        left.links.send(b, "update", bytes(1));
        right.links.send(a, "update", bytes(2));
        await left.seen.seen("message");
        releases[0]?.();
        releases[0]?.();
        right.links.send(a, "update", bytes(3));
        await left.seen.seen("message", 2);
        expect(right.seen.count("message")).toBe(0);
        releases[1]?.();
        await right.seen.seen("message");
      });

      it("ends a hold with its link", async () => {
        await connect();
        const release = right.links.hold(a);
        await left.links.close();
        network.cut(a, b);
        await right.seen.seen("down");
        expect(release).not.toThrow();
      });
    }
  });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function bytes(...values: number[]): Uint8Array {
  return new Uint8Array(values);
}

function numbered(index: number): Uint8Array {
  return bytes(index & 0xff, index >> 8);
}

/** Bytes that differ along the way, beginning with `seed`. */
function pattern(sizeBytes: number, seed: number): Uint8Array {
  const block = new Uint8Array(Math.min(sizeBytes, 4099));
  for (let at = 0; at < block.length; at++) block[at] = (seed + at * 7) & 0xff;
  const payload = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at += block.length) {
    payload.set(block.subarray(0, sizeBytes - at), at);
  }
  return payload;
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0;
}
