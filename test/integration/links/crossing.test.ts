import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";

import { parseNodeName } from "../../../src/core/ids.js";
import type { Hello } from "../../../src/links/handshake.js";
import { credentialsOf, startNode, type LinkedNode } from "./node-links.js";
import { helloTo, rawLink, rawPeer } from "./raw-peer.js";

/** A node `raw` that takes a hello and answers when a test says so. */
async function rawListener(): Promise<{
  readonly address: string;
  hello(): Promise<{ readonly socket: WebSocket; readonly hello: Hello }>;
}> {
  const server = createServer({ ...credentialsOf("raw"), requestCert: true });
  const sockets = new WebSocketServer({ server });
  server.listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    hello: async () => {
      const [socket] = (await once(sockets, "connection")) as [WebSocket];
      const [data] = (await once(socket, "message")) as [Buffer];
      return { socket, hello: JSON.parse(data.toString()) as Hello };
    },
  };
}

/** Has a node dial `raw` and wait for its welcome. */
async function dialling(name: string): Promise<{
  readonly node: LinkedNode;
  readonly socket: WebSocket;
  readonly hello: Hello;
}> {
  const node = await startNode(name);
  const raw = await rawListener();
  const met = raw.hello();
  node.links.setTarget(parseNodeName("raw"), [raw.address]);
  return { node, ...(await met) };
}

test("of two dials that cross, the node whose name sorts first keeps its own", async () => {
  const { node, socket } = await dialling("cloud");
  const peer = await rawPeer(node);
  peer.socket.send(helloTo(node));
  expect((await peer.closed).code).toBe(4004);
  socket.send(
    JSON.stringify({
      type: "welcome",
      protocol: 2,
      node: "raw",
      process: "p",
      attempt: 1,
      nowMs: Date.now(),
    }),
  );
  await node.seen.seen("up");
  const late = await rawPeer(node);
  late.socket.send(helloTo(node, { attempt: 1 }));
  expect((await late.closed).code).toBe(4004);
  expect(node.seen.events).toEqual([{ kind: "up", peer: "raw" }]);
});

test("of two dials that cross, the node whose name sorts last drops its own", async () => {
  const { node, socket, hello } = await dialling("zebra");
  const peer = await rawPeer(node);
  const dropped = once(socket, "close");
  peer.socket.send(helloTo(node));
  const welcome = JSON.parse((await peer.next()).toString()) as {
    attempt: number;
    process: string;
  };
  expect(welcome).toMatchObject({ attempt: hello.attempt, process: hello.process });
  await dropped;
  peer.socket.send(JSON.stringify({ type: "ready", nowMs: Date.now() }));
  await node.seen.seen("up");
});

test("a dial that was welcomed and comes to nothing gives way to this node's own", async () => {
  const node = await startNode("zebra");
  const raw = await rawListener();
  const peer = await rawPeer(node);
  peer.socket.send(helloTo(node));
  await peer.next();
  node.links.setTarget(parseNodeName("raw"), [raw.address]);
  const met = raw.hello();
  peer.socket.terminate();
  expect((await met).hello.node).toBe("zebra");
});

test("a later dial of the peer replaces the link, an earlier one does not", async () => {
  const node = await startNode("cloud");
  const first = await rawLink(node);
  const early = await rawPeer(node);
  early.socket.send(helloTo(node, { attempt: 1 }));
  expect((await early.closed).code).toBe(4004);
  const half = await rawPeer(node);
  half.socket.send(helloTo(node, { attempt: 2 }));
  await half.next();
  expect(node.seen.count("down")).toBe(0);
  half.socket.send(JSON.stringify({ type: "ready", nowMs: Date.now() }));
  expect((await first.closed).code).toBe(4006);
  await node.seen.seen("up", 2);
  expect(node.seen.events.map(({ kind }) => kind)).toEqual(["up", "down", "up"]);
});

test("a restarted peer replaces its link, whatever its count of dials", async () => {
  const node = await startNode("cloud");
  await rawLink(node);
  const restarted = await rawPeer(node);
  restarted.socket.send(helloTo(node, { process: "q", attempt: 0 }));
  await restarted.next();
  restarted.socket.send(JSON.stringify({ type: "ready", nowMs: Date.now() }));
  await node.seen.seen("up", 2);
});
