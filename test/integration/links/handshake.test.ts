import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";

import { createAuthority } from "../../../src/certs/certificates.js";
import { parseNodeName } from "../../../src/core/ids.js";
import { openWebSocketLinks } from "../../../src/links/web-socket.js";
import { systemClock } from "../../../src/ports/clock.js";
import { systemTimers, type Timers } from "../../../src/ports/timers.js";
import { authority, credentialsOf, FAST, link, linkOptions, startNode } from "./node-links.js";
import { helloTo, rawPeer } from "./raw-peer.js";

const other = createAuthority({ nowMs: Date.now(), validMs: 86_400_000 });

test("a node with a certificate of another authority is refused, and the refusing node is unharmed", async () => {
  const [cloud, edge, stranger] = await Promise.all([
    startNode("cloud"),
    startNode("edge"),
    startNode("stranger", {
      credentials: { ...credentialsOf("stranger", other), ca: authority.cert },
    }),
  ]);
  stranger.links.setTarget(cloud.name, [cloud.address]);
  expect(await cloud.log.line(/no link/)).toMatch(/"cause":"[A-Z_]*(?:CERT|VERIFY)/);
  expect(await stranger.log.line(/no link/)).toContain('"peer":"cloud"');
  await link(edge, cloud);
  expect(cloud.seen.count("up", stranger.name)).toBe(0);
});

test("a node without a certificate is refused", async () => {
  const cloud = await startNode("cloud");
  const socket = connectTls({
    host: "127.0.0.1",
    port: cloud.links.port as number,
    ca: authority.cert,
    checkServerIdentity: () => undefined,
  });
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "close");
  expect(await cloud.log.line(/no link/)).toMatch(/CERT/);
});

test("the authority's own certificate is no node's", async () => {
  const cloud = await startNode("cloud");
  await expect(rawPeer(cloud, { ...authority, ca: authority.cert })).rejects.toThrow("hang up");
  expect(await cloud.log.line(/no link/)).toContain("INVALID_PURPOSE");
});

test("a dialled node with a certificate of another authority is refused", async () => {
  const cloud = await startNode("cloud", { credentials: credentialsOf("cloud", other) });
  const edge = await startNode("edge");
  edge.links.setTarget(cloud.name, [cloud.address]);
  expect(await edge.log.line(/no link/)).toMatch(/certificate/);
  expect(edge.links.peers()).toEqual([]);
});

test("a dialled node must show the certificate of the node that was wanted", async () => {
  const impostor = await startNode("edge2");
  const edge = await startNode("edge");
  edge.links.setTarget(parseNodeName("cloud"), [impostor.address]);
  expect(await edge.log.line(/no link/)).toMatch(/is of edge2, expected cloud/);
  expect(impostor.seen.events).toEqual([]);
});

test("a link speaks only as the node of its certificate", async () => {
  const cloud = await startNode("cloud");
  const peer = await rawPeer(cloud);
  peer.socket.send(helloTo(cloud, { node: "edge1" }));
  expect(await peer.closed).toEqual({
    code: 4002,
    reason: "the certificate is of raw, and it says it is edge1",
  });
  expect(cloud.seen.events).toEqual([]);
});

test.each([
  ["no JSON", "hello", 4000],
  ["no hello", '{"type":"ready"}', 4000],
  ["a name that is none", { node: "a/b" }, 4000],
  ["a time that is none", { nowMs: "now" }, 4000],
  ["a message that is too long", { process: "x".repeat(8000) }, 4000],
  ["another version", { protocols: [1, 3] }, 4001],
  ["another node wanted", { to: "edge9" }, 4002],
] as const)("a hello with %s is refused", async (_, hello, code) => {
  const cloud = await startNode("cloud");
  const peer = await rawPeer(cloud);
  peer.socket.send(typeof hello === "string" ? hello : helloTo(cloud, hello));
  expect((await peer.closed).code).toBe(code);
  expect(await cloud.log.line(/"peer":"raw"/)).toContain("no link to a peer");
});

test("a version mismatch says what both speak", async () => {
  const cloud = await startNode("cloud");
  const peer = await rawPeer(cloud);
  peer.socket.send(helloTo(cloud, { protocols: [7] }));
  expect((await peer.closed).reason).toBe("it speaks protocol 7, we speak 2");
});

test("a node that says it is this node is refused", async () => {
  const cloud = await startNode("cloud");
  const peer = await rawPeer(cloud, credentialsOf("cloud"));
  peer.socket.send(helloTo(cloud, { node: "cloud" }));
  expect((await peer.closed).code).toBe(4002);
});

test.each([-60_000, 60_000])(
  "a clock that is off by %d ms is refused, by either end",
  async (skewMs) => {
    const wrong = { ...systemClock, nowMs: () => Date.now() + skewMs };
    const cloud = await startNode("cloud", { clock: wrong });
    const edge = await startNode("edge");
    edge.links.setTarget(cloud.name, [cloud.address]);
    expect(await edge.log.line(/its clock is \d+ ms (ahead of|behind) ours/)).toContain("cloud");
    const peer = await rawPeer(cloud);
    peer.socket.send(helloTo(cloud));
    await peer.next();
    peer.socket.send(JSON.stringify({ type: "ready", nowMs: Date.now() }));
    expect((await peer.closed).code).toBe(4003);
    expect([edge.seen.events, cloud.seen.events]).toEqual([[], []]);
  },
);

test("a clock that is set wrong on an open link ends it, loudly", async () => {
  let skewMs = 0;
  const cloud = await startNode("cloud", {
    clock: { ...systemClock, nowMs: () => Date.now() + skewMs },
  });
  const edge = await startNode("edge");
  await link(edge, cloud);
  skewMs = 3_600_000;
  await Promise.all([edge.seen.seen("down"), cloud.seen.seen("down")]);
  await Promise.race([edge.log.line(/its clock/), cloud.log.line(/its clock/)]);
  skewMs = 0;
  await edge.seen.seen("up", 2);
});

test("each cause is logged once, however often it is tried again", async () => {
  let retries = 0;
  const random = (): number => {
    retries += 1;
    return 0;
  };
  const edge = await startNode("edge", { random });
  const impostor = await startNode("edge2");
  edge.links.setTarget(parseNodeName("cloud"), [impostor.address]);
  await vi.waitUntil(() => retries >= 6, { timeout: 5000 });
  expect(edge.log.lines).toEqual([expect.stringContaining('"peer":"cloud"')]);
});

test("the waits between tries double up to a bound, and each ends at random in its second half", async () => {
  const waits: number[] = [];
  const timers: Timers = {
    after: (delayMs, work) => {
      if (delayMs !== FAST.handshakeTimeoutMs) waits.push(delayMs);
      return systemTimers.after(Math.min(delayMs, 10), work);
    },
  };
  const random = (): number => (waits.length % 2 === 0 ? 0 : 0.5);
  const edge = await startNode("edge", { timers, random });
  edge.links.setTarget(parseNodeName("cloud"), ["127.0.0.1:1"]);
  await vi.waitUntil(() => waits.length >= 8, { timeout: 5000 });
  expect(waits.slice(0, 8)).toEqual([5, 15, 20, 60, 80, 150, 100, 150]);
});

test.each([0, 1, 2, 3, 4])(
  "two nodes that dial each other at once end with one link (%d)",
  async () => {
    const [left, right] = await Promise.all([startNode("left"), startNode("right")]);
    left.links.setTarget(right.name, [right.address]);
    right.links.setTarget(left.name, [left.address]);
    await Promise.all([left.seen.seen("up"), right.seen.seen("up")]);
    left.links.send(right.name, "update", new Uint8Array([1]));
    right.links.send(left.name, "update", new Uint8Array([2]));
    await Promise.all([left.seen.seen("message"), right.seen.seen("message")]);
    await new Promise((resolve) => setTimeout(resolve, 3 * FAST.retryMaxMs));
    expect([left.seen.count("up"), right.seen.count("up")]).toEqual([1, 1]);
    expect([left.seen.count("down"), right.seen.count("down")]).toEqual([0, 0]);
    expect([left.log.lines, right.log.lines]).toEqual([[], []]);
  },
);

test("an edge that cannot be dialled dials out, also after the link was cut", async () => {
  const cloud = await startNode("cloud");
  const edge = await startNode("edge", { listen: undefined });
  cloud.links.setTarget(edge.name, []);
  expect(edge.links.port).toBeUndefined();
  edge.links.setTarget(cloud.name, [cloud.address]);
  await Promise.all([edge.seen.seen("up"), cloud.seen.seen("up")]);
});

test("addresses are tried in turn, and nonsense among them does no harm", async () => {
  const cloud = await startNode("cloud");
  const edge = await startNode("edge");
  edge.links.setTarget(cloud.name, ["127.0.0.1:1", "x/y:1", "nowhere", cloud.address]);
  await edge.seen.seen("up");
});

test("a target that is removed keeps its link, and is not dialled when that is gone", async () => {
  const cloud = await startNode("cloud");
  const edge = await startNode("edge");
  await link(edge, cloud);
  edge.links.removeTarget(cloud.name);
  edge.links.send(cloud.name, "update", new Uint8Array([1]));
  await cloud.seen.seen("message");
  await cloud.links.close();
  await edge.seen.seen("down");
  expect(edge.links.peers()).toEqual([]);
});

test.each([
  ["nothing at all", ""],
  ["the beginning of TLS", "\x16\x03\x01\x02\x00\x01"],
])("a connection that says %s is cut in time", async (_, said) => {
  const timing = { ...FAST, handshakeTimeoutMs: 200 };
  const cloud = await startNode("cloud", { timing });
  const socket = connect({ host: "127.0.0.1", port: cloud.links.port as number });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  socket.write(said, "latin1");
  await once(socket, "close");
});

test("a peer that drips its handshake is cut in time", async () => {
  const timing = { ...FAST, handshakeTimeoutMs: 300 };
  const cloud = await startNode("cloud", { timing });
  const port = cloud.links.port as number;
  const socket = connectTls({
    host: "127.0.0.1",
    port,
    ...credentialsOf("raw"),
    checkServerIdentity: () => undefined,
  });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  const drip = setInterval(() => socket.write("G"), 20);
  onTestFinished(() => clearInterval(drip));
  await once(socket, "close");
  const peer = await rawPeer(cloud);
  expect((await peer.closed).code).toBe(1006);
});

test("garbage, and requests of another protocol, leave the node as it was", async () => {
  const cloud = await startNode("cloud", { timing: { ...FAST, handshakeTimeoutMs: 500 } });
  const port = cloud.links.port as number;
  for (const text of ["GET / HTTP/1.1\r\n\r\n", "\0".repeat(10_000), "\x80\x2e\x01\x03\x01"]) {
    const socket: Socket = connect({ host: "127.0.0.1", port });
    socket.on("error", () => {});
    socket.write(text, "latin1");
    socket.resume();
    await once(socket, "close");
  }
  const secure = { ...credentialsOf("raw"), checkServerIdentity: () => undefined };
  const socket = connectTls({ host: "127.0.0.1", port, ...secure });
  await once(socket, "secureConnect");
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 426 /);
  socket.destroy();
  await link(await startNode("edge"), cloud);
});

test("without certificates links stay on loopback and say so once", async () => {
  const beyond = linkOptions("a", { credentials: undefined, listen: { host: "0.0.0.0", port: 0 } });
  await expect(openWebSocketLinks(beyond)).rejects.toMatchObject({
    code: "ENOKI_CREDENTIALS_REQUIRED",
  });
  const left = await startNode("left", { credentials: undefined });
  const right = await startNode("right", { credentials: undefined });
  await link(left, right);
  expect(left.log.lines).toEqual([expect.stringContaining("names are claimed, not proven")]);
  left.links.setTarget(parseNodeName("far"), ["192.0.2.1:7000"]);
  expect(await left.log.line(/"peer":"far"/)).toContain("beyond this machine");
});

test.each([
  ["the certificate of another node", credentialsOf("edge2"), /names edge2, and this node is edge/],
  ["no node's certificate", { ...authority, ca: authority.cert }, /names no node/],
  ["the key of another", { ...credentialsOf("edge"), key: authority.key }, /cannot be used/],
  ["no certificate at all", { ...credentialsOf("edge"), cert: "x" }, /cannot be used/],
])("a node does not start with %s", async (_, credentials, message) => {
  await expect(openWebSocketLinks(linkOptions("edge", { credentials }))).rejects.toMatchObject({
    code: "ENOKI_INVALID_CONFIG",
    message: expect.stringMatching(message) as string,
  });
});

test("a node does not start with a certificate that has expired", async () => {
  const clock = { ...systemClock, nowMs: () => Date.now() + 2 * 365 * 86_400_000 };
  await expect(openWebSocketLinks(linkOptions("edge", { clock }))).rejects.toThrow("expired");
});

test("an occupied port is named with its flag", async () => {
  const first = await startNode("first");
  const port = first.links.port as number;
  const second = openWebSocketLinks(linkOptions("second", { listen: { host: "127.0.0.1", port } }));
  await expect(second).rejects.toMatchObject({
    code: "ENOKI_PORT_IN_USE",
    message: expect.stringContaining(`${port} (--link-port)`) as string,
  });
});
