import { expect, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { link, startNode, type LinkedNode } from "./node-links.js";
import { rawLink } from "./raw-peer.js";

function frame(head: number, bytes: Uint8Array, totalBytes?: number): Buffer {
  const start = Buffer.alloc(totalBytes === undefined ? 5 : 9);
  start[0] = head;
  start.writeUInt32LE(bytes.length, 1);
  if (totalBytes !== undefined) start.writeUInt32LE(totalBytes, 5);
  return Buffer.concat([start, bytes]);
}

const one = new Uint8Array([1]);
const heartbeat = Buffer.alloc(17);

test.each([
  ["a cut head", Buffer.from([0, 1])],
  ["a length beyond the batch", Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])],
  ["a cut total", Buffer.from([0b0100, 0, 0, 0, 0, 1])],
  ["bits that mean nothing", frame(0x10, one)],
  ["a heartbeat in fragments", frame(0b0111, one, 17)],
  ["a heartbeat of another length", frame(3, one)],
  ["a heartbeat of unknown kind", frame(3, heartbeat.fill(9))],
  ["a fragment without a beginning", frame(0b1000, one)],
  ["a beginning that is everything", frame(0b0100, one, 1)],
  ["an empty beginning", frame(0b0100, new Uint8Array(0), 10)],
  ["a message beyond the limit", frame(0b0100, one, LIMITS.linkMessageBytesMax + 1)],
  ["a message within another", Buffer.concat([frame(0b0100, one, 10), frame(0b0000, one)])],
  ["a beginning within a message", Buffer.concat([frame(0b0100, one, 10), frame(0b0100, one, 10)])],
  [
    "too many fragments",
    Buffer.concat([frame(0b0100, one, 2), frame(0b1000, one), frame(0b1000, one)]),
  ],
  ["a last fragment too early", Buffer.concat([frame(0b0100, one, 5), frame(0b1100, one)])],
  ["an empty fragment", Buffer.concat([frame(0b0100, one, 5), frame(0b1000, new Uint8Array(0))])],
])("%s ends that link only", async (_, batch) => {
  const cloud = await startNode("cloud");
  const edge = await startNode("edge");
  await link(edge, cloud);
  const peer = await rawLink(cloud);
  peer.socket.send(batch);
  expect((await peer.closed).code).toBe(4000);
  await expectUnharmed(cloud, edge);
});

test("what came before the broken frame of a batch is delivered, and nothing after it", async () => {
  const cloud = await startNode("cloud");
  const peer = await rawLink(cloud);
  peer.socket.send(Buffer.concat([frame(0, one), frame(0x10, one), frame(0, one)]));
  await peer.closed;
  expect(cloud.seen.payloads).toEqual([one]);
});

test.each([
  ["text", (socket: { send(data: string): void }) => socket.send("hello"), 4000],
  [
    "a batch that is too long",
    (socket: { send(data: Buffer): void }) => socket.send(Buffer.alloc(65_537)),
    1009,
  ],
  [
    "a batch in fragments of WebSocket",
    (socket: { send(data: Buffer, options: { fin: boolean }): void }) => {
      socket.send(Buffer.alloc(10), { fin: false });
      socket.send(Buffer.alloc(10), { fin: true });
    },
    1008,
  ],
] as const)("%s ends that link only", async (_, send, code) => {
  const cloud = await startNode("cloud");
  const edge = await startNode("edge");
  await link(edge, cloud);
  const peer = await rawLink(cloud);
  send(peer.socket as never);
  expect((await peer.closed).code).toBe(code);
  await expectUnharmed(cloud, edge);
});

test("a flood of questions and pings from a peer that reads nothing takes no memory", async () => {
  const cloud = await startNode("cloud");
  const peer = await rawLink(cloud);
  peer.socket.pause();
  const questions = Buffer.concat(Array.from({ length: 2500 }, () => frame(3, heartbeat.fill(1))));
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 400; round++) {
    peer.socket.ping(heartbeat);
    await new Promise((resolve) => peer.socket.send(questions, resolve));
  }
  const messages = cloud.seen.seen("message");
  peer.socket.send(frame(0, one));
  await messages;
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
});

test("partial messages of the largest size on every lane are all that a peer makes a node keep", async () => {
  const cloud = await startNode("cloud");
  const peer = await rawLink(cloud);
  for (const lane of [0, 1, 2]) {
    peer.socket.send(frame(0b0100 | lane, one, LIMITS.linkMessageBytesMax));
  }
  peer.socket.send(frame(0b0100, one, LIMITS.linkMessageBytesMax));
  expect((await peer.closed).code).toBe(4000);
});

async function expectUnharmed(cloud: LinkedNode, edge: LinkedNode): Promise<void> {
  await cloud.seen.seen("down", 1);
  const before = cloud.seen.count("message", edge.name);
  edge.links.send(cloud.name, "update", new Uint8Array([42]));
  await cloud.seen.seen("message", before + 1, edge.name);
  expect(cloud.seen.count("down", edge.name)).toBe(0);
}
