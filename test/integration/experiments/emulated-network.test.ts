import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { EmulatedNetwork } from "../../../src/experiments/network/emulated-network.js";
import { type LinkShape, PAPER_LINKS } from "../../../src/experiments/network/link-shape.js";
import { ownerOf } from "../../../src/experiments/network/socket-owner.js";

/** What the quickest of some round trips may take beside the link: it passes through four sockets. */
const SLACK_MS = 3;
/** A machine that is busy with other things is measured so often at most, until it had a quiet moment. */
const ATTEMPTS = 15;

let echo: Server;
let network: EmulatedNetwork;
/** Leads from a client to the echo, which is at `edge1`. */
let port: number;
const sockets: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.setNoDelay();
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await network.close();
  await new Promise((resolve) => echo.close(resolve));
});

const echoPort = (): number => (echo.address() as AddressInfo).port;

function make(shapeOf: (left: string, right: string) => LinkShape): void {
  network = new EmulatedNetwork({ shapeOf, random: () => 0 });
}

async function open(shape: LinkShape): Promise<void> {
  make(() => shape);
  port = await network.openBetween("client", "edge1", echoPort());
}

async function dial(to = port): Promise<Socket> {
  const socket = connect(to, "127.0.0.1");
  sockets.push(socket);
  socket.setNoDelay();
  await once(socket, "connect");
  return socket;
}

/** Sends so many bytes and resolves, once they are back, with how long that took in ms. */
async function trip(socket: Socket, sizeBytes: number): Promise<number> {
  const startMs = performance.now();
  let left = sizeBytes;
  const isBack = new Promise<void>((resolve) => {
    const take = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left > 0) return;
      socket.off("data", take);
      resolve();
    };
    socket.on("data", take);
  });
  socket.write(Buffer.alloc(sizeBytes, 7));
  await isBack;
  return performance.now() - startMs;
}

/** How long so many trips of one byte took, one after the other. */
async function trips(socket: Socket, count: number): Promise<number[]> {
  const tripsMs: number[] = [];
  for (let n = 0; n < count; n++) tripsMs.push(await trip(socket, 1));
  return tripsMs;
}

/** The least of what is measured, until that is below the limit. */
async function quickest(limitMs: number, measureMs: () => Promise<number>): Promise<number> {
  let leastMs = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS && leastMs >= limitMs; attempt++) {
    leastMs = Math.min(leastMs, await measureMs());
  }
  return leastMs;
}

describe("a link of an emulated network", () => {
  test.each(Object.entries(PAPER_LINKS))(
    "%s takes its round trip, and a connection one more",
    async (_, shape) => {
      await open(shape);
      const roundTripMs = 2 * shape.delayMs;
      const socket = await dial();
      const firstMs = await trip(socket, 1);
      expect(firstMs).toBeGreaterThanOrEqual(2 * roundTripMs - 0.2);
      const tripsMs = await trips(socket, 21);
      expect(Math.min(...tripsMs)).toBeGreaterThanOrEqual(roundTripMs);
      expect(Math.min(...tripsMs)).toBeLessThan(roundTripMs + SLACK_MS);
    },
  );

  test("is full at its rate, however long it is", async () => {
    const shape = PAPER_LINKS.edgeToCloud;
    await open(shape);
    const socket = await dial();
    await trip(socket, 1);
    const bytes = 2_500_000;
    const leastMs = (bytes * 8000) / shape.bitsPerS + 2 * shape.delayMs;
    const tookMs = await quickest(leastMs * 1.15, () => trip(socket, bytes));
    expect(tookMs).toBeGreaterThanOrEqual(leastMs);
    expect(tookMs).toBeLessThan(leastMs * 1.15);
  });

  test("lets no more through than its rate, over all connections together", async () => {
    const bitsPerS = 10_000_000;
    await open({ delayMs: 5, bitsPerS });
    const both = await Promise.all([dial(), dial()]);
    await Promise.all(both.map((socket) => trip(socket, 1)));
    const bytes = 125_000;
    // There and back at once: the rate is that of each way.
    const leastMs = (2 * bytes * 8000) / bitsPerS + 10;
    const tookMs = await quickest(leastMs * 1.15, async () => {
      const tripsMs = await Promise.all(both.map((socket) => trip(socket, bytes)));
      return Math.max(...tripsMs);
    });
    expect(tookMs).toBeGreaterThanOrEqual(leastMs);
    expect(tookMs).toBeLessThan(leastMs * 1.15);
  });

  test("that is cut lets nothing through, and what it was given when it is mended", async () => {
    await open({ delayMs: 1 });
    const socket = await dial();
    await trip(socket, 1);
    network.cut("edge1", "client");
    let isBack = false;
    const late = trip(socket, 10).then(() => {
      isBack = true;
    });
    // Longer than both ways take, on a clock that runs beside.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isBack).toBe(false);
    network.mend("client", "edge1");
    await late;
  });

  test("tells both sides when one has ended, or is gone", async () => {
    await open({ delayMs: 1 });
    const ended = await dial();
    await trip(ended, 1);
    ended.end();
    await once(ended, "close");
    const gone = await dial();
    await trip(gone, 1);
    const served = once(echo, "connection");
    const next = await dial();
    const [far] = (await served) as [Socket];
    await trip(next, 1);
    next.destroy();
    await once(far, "close");
  });

  test("holds a sender whose bytes nobody takes", async () => {
    await open({ delayMs: 1, bitsPerS: 1_000_000, backlogBytesMax: 20_000 });
    const socket = await dial();
    await trip(socket, 1);
    const sizeBytes = 60_000;
    expect(await trip(socket, sizeBytes)).toBeGreaterThanOrEqual((sizeBytes * 8000) / 1_000_000);
  });
});

describe("a port for processes of several places", () => {
  const shapeOf = (left: string, right: string): LinkShape =>
    left === "cloud" || right === "cloud" ? PAPER_LINKS.edgeToCloud : PAPER_LINKS.edgeToEdge;

  test.each([
    ["edge2", "edge1", 20],
    ["cloud", "edge1", 50],
    ["edge1", "cloud", 50],
    ["edge1", "edge1", 0],
  ])("from %s to %s is as far as its places are", async (from, to, roundTripMs) => {
    make(shapeOf);
    network.settle(process.pid, from);
    const socket = await dial(await network.openTo(to, echoPort()));
    await trip(socket, 1);
    const tookMs = Math.min(...(await trips(socket, 11)));
    expect(tookMs).toBeGreaterThanOrEqual(roundTripMs);
    expect(tookMs).toBeLessThan(roundTripMs + SLACK_MS);
  });

  test("shares one rate among all that goes between two places, whoever dials", async () => {
    const bitsPerS = 10_000_000;
    make(() => ({ delayMs: 5, bitsPerS }));
    const [one, other] = await Promise.all([
      network.openBetween("edge1", "cloud", echoPort()),
      network.openBetween("cloud", "edge1", echoPort()),
    ]);
    const both = await Promise.all([dial(one), dial(other)]);
    await Promise.all(both.map((socket) => trip(socket, 1)));
    const bytes = 125_000;
    const startMs = performance.now();
    await Promise.all(both.map((socket) => trip(socket, bytes)));
    // What one dials and what the other echoes go the same way.
    expect(performance.now() - startMs).toBeGreaterThanOrEqual((2 * bytes * 8000) / bitsPerS);
  });

  test("is not misled by another connection from the same port", async () => {
    make(shapeOf);
    const accepted = once(echo, "connection");
    await dial(echoPort());
    const [dialled] = (await accepted) as [Socket];
    expect(ownerOf(dialled, [process.ppid, process.pid])).toBe(process.pid);
    const { remotePort, localPort = 0 } = dialled;
    expect(ownerOf({ remotePort, localPort: localPort - 1 }, [process.pid])).toBeUndefined();
  });

  test("ends what a stranger dials", async () => {
    make(shapeOf);
    const stranger = await dial(await network.openTo("cloud", echoPort()));
    await once(stranger.resume(), "close");
  });
});
