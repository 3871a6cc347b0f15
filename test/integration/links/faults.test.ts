import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";

import { parseNodeName } from "../../../src/core/ids.js";
import { LINK_TIMING } from "../../../src/links/options.js";
import {
  credentialsOf,
  FAST,
  link,
  openProxy,
  startNode,
  type LinkedNode,
  type Proxy,
} from "./node-links.js";

const peer = parseNodeName("peer");
const MIB = 1024 * 1024;

interface PeerProcess {
  readonly child: ChildProcess;
  readonly port: number;
  /** The next line that begins so. */
  line(start: string): Promise<string>;
}

async function startPeer(port = 0): Promise<PeerProcess> {
  const script = join(import.meta.dirname, "peer-process.ts");
  const args = ["--import", "tsx", script, String(port), JSON.stringify(credentialsOf("peer"))];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  const looks = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    for (const look of looks) look();
  });
  const line = async (start: string): Promise<string> => {
    for (;;) {
      const at = lines.findIndex((text) => text.startsWith(start));
      if (at !== -1) return lines.splice(at, 1)[0] as string;
      await new Promise<void>((resolve) => looks.add(resolve));
    }
  };
  const listening = await line("listening");
  return { child, port: Number(/\d+/.exec(listening)?.[0]), line };
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

async function throughProxy(from: LinkedNode, to: LinkedNode): Promise<Proxy> {
  const proxy = await openProxy(to.address);
  onTestFinished(proxy.close);
  from.links.setTarget(to.name, [proxy.address]);
  await Promise.all([from.seen.seen("up", 1, to.name), to.seen.seen("up", 1, from.name)]);
  return proxy;
}

test("a stopped peer is down within seconds, and sending to it delays no one else", async () => {
  const process = await startPeer();
  const cloud = await startNode("cloud", { timing: LINK_TIMING });
  const edge = await startNode("edge");
  cloud.links.setTarget(peer, [`127.0.0.1:${process.port}`]);
  await cloud.seen.seen("up", 1, peer);
  await link(edge, cloud);
  edge.seen.onMessage = (from, payload) => edge.links.send(from, "control", payload);
  process.child.kill("SIGSTOP");
  const stoppedMs = performance.now();
  const waits: number[] = [];
  let taken = 0;
  while (cloud.seen.count("down", peer) === 0) {
    while (cloud.links.send(peer, "update", new Uint8Array(MIB))) taken += 1;
    const askedMs = performance.now();
    const answered = cloud.seen.count("message", edge.name);
    cloud.links.send(edge.name, "update", new Uint8Array(100));
    await cloud.seen.seen("message", answered + 1, edge.name);
    waits.push(performance.now() - askedMs);
  }
  expect(performance.now() - stoppedMs).toBeLessThan(8000);
  expect(taken).toBeLessThan(64);
  expect(waits.length).toBeGreaterThan(100);
  expect(waits.sort((left, right) => left - right)[Math.floor(waits.length * 0.9)]).toBeLessThan(
    50,
  );
  process.child.kill("SIGCONT");
  await cloud.seen.seen("up", 2, peer);
});

test("a killed peer is down at once, and linked again soon after its restart", async () => {
  const first = await startPeer();
  const cloud = await startNode("cloud");
  cloud.links.setTarget(peer, [`127.0.0.1:${first.port}`]);
  await cloud.seen.seen("up");
  const killedMs = performance.now();
  await kill(first.child);
  await cloud.seen.seen("down");
  expect(performance.now() - killedMs).toBeLessThan(1000);
  await startPeer(first.port);
  await cloud.seen.seen("up", 2);
  cloud.links.send(peer, "update", new Uint8Array([1]));
  await cloud.seen.seen("message");
});

test("a flooding peer fills its own memory, not that of a node that does not read", async () => {
  const flooding = await startPeer();
  const cloud = await startNode("cloud", { timing: LINK_TIMING });
  cloud.links.setTarget(peer, [`127.0.0.1:${flooding.port}`]);
  await cloud.seen.seen("up");
  const before = process.memoryUsage().rss;
  let receivedBytes = 0;
  cloud.seen.onMessage = (_, { length }) => (receivedBytes += length);
  const release = cloud.links.hold(peer);
  cloud.links.send(peer, "control", Buffer.from("flood"));
  const taken = Number(/\d+/.exec(await flooding.line("refused"))?.[0]);
  expect(taken).toBeGreaterThan(16 * MIB);
  expect(taken).toBeLessThan(64 * MIB);
  await new Promise((resolve) => setTimeout(resolve, 5 * LINK_TIMING.heartbeatMs));
  expect(process.memoryUsage().rss - before).toBeLessThan(24 * MIB);
  expect(receivedBytes).toBeLessThan(MIB);
  expect(cloud.seen.count("down")).toBe(0);
  release();
  await cloud.seen.until(() => receivedBytes > taken);
});

test("a link that was cut comes back by itself, and its messages do not", async () => {
  const [cloud, edge] = await Promise.all([startNode("cloud"), startNode("edge")]);
  const proxy = await throughProxy(edge, cloud);
  for (let round = 1; round <= 3; round++) {
    proxy.cut();
    await Promise.all([edge.seen.seen("down", round), cloud.seen.seen("down", round)]);
    expect(edge.links.send(cloud.name, "update", new Uint8Array([round]))).toBe(false);
    proxy.heal();
    await Promise.all([edge.seen.seen("up", round + 1), cloud.seen.seen("up", round + 1)]);
  }
  expect(cloud.seen.payloads).toEqual([]);
});

test("a half-open connection is noticed by both ends", async () => {
  const [cloud, edge] = await Promise.all([startNode("cloud"), startNode("edge")]);
  const proxy = await throughProxy(edge, cloud);
  proxy.stall();
  await Promise.all([edge.seen.seen("down"), cloud.seen.seen("down")]);
  proxy.cut();
  proxy.heal();
  await Promise.all([edge.seen.seen("up", 2), cloud.seen.seen("up", 2)]);
});

test("a link that says nothing but heartbeats stays up", async () => {
  const [cloud, edge] = await Promise.all([startNode("cloud"), startNode("edge")]);
  await link(edge, cloud);
  const quietMs = 3 * FAST.heartbeatMs * FAST.silentHeartbeatsMax;
  await new Promise((resolve) => setTimeout(resolve, quietMs));
  expect([edge.seen.count("down"), cloud.seen.count("down")]).toEqual([0, 0]);
  for (const { links } of [cloud, edge]) {
    expect(links.peers()[0]?.roundTripMs).toBeGreaterThan(0);
    expect(links.peers()[0]?.roundTripMs).toBeLessThan(100);
  }
});

test("the messages of one turn leave in one write", async () => {
  const [cloud, edge] = await Promise.all([startNode("cloud"), startNode("edge")]);
  const proxy = await throughProxy(edge, cloud);
  await edge.seen.until(() => edge.links.traffic(cloud.name)?.batchesTotal !== 0);
  const before = edge.links.traffic(cloud.name)?.batchesTotal as number;
  const pieces = proxy.forward.pieces;
  for (let turns = 1; turns <= 10; turns++) {
    for (let index = 0; index < 400; index++) {
      edge.links.send(cloud.name, "update", new Uint8Array(100));
    }
    await cloud.seen.seen("message", turns * 400);
  }
  // 400 × 105 bytes are one batch, and one write of TLS is a piece of each 16 KiB at most.
  expect((edge.links.traffic(cloud.name)?.batchesTotal as number) - before).toBeLessThanOrEqual(16);
  expect(proxy.forward.pieces - pieces).toBeLessThanOrEqual(60);
});

test("small updates pass a large chunk that is on its way", async () => {
  const [cloud, edge] = await Promise.all([startNode("cloud"), startNode("edge")]);
  await throughProxy(edge, cloud);
  const chunk = new Uint8Array(12 * MIB);
  const updates = 20;
  edge.links.send(cloud.name, "bulk", chunk);
  edge.links.send(cloud.name, "bulk", chunk);
  for (let index = 0; index < updates; index++) {
    await new Promise((resolve) => setImmediate(resolve));
    edge.links.send(cloud.name, "update", new Uint8Array([index]));
  }
  await cloud.seen.seen("message", updates + 2);
  const sizes = cloud.seen.payloads.map(({ length }) => length);
  expect(sizes.lastIndexOf(1)).toBeLessThanOrEqual(updates);
  expect(sizes.at(-1)).toBe(chunk.length);
});
