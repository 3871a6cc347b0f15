import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { EmulatedLink } from "../../../src/experiments/network/emulated-link.js";
import { type LinkShape, PAPER_LINKS } from "../../../src/experiments/network/link-shape.js";

/** What a loaded machine may add to a round trip, which passes through four sockets. */
const SLACK_MS = 5;

let echo: Server;
let link: EmulatedLink;
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
  await link.close();
  await new Promise((resolve) => echo.close(resolve));
});

async function open(shape: LinkShape): Promise<void> {
  const { port } = echo.address() as AddressInfo;
  link = await EmulatedLink.open({ shape, target: () => port, random: () => 0 });
}

async function dial(): Promise<Socket> {
  const socket = connect(link.port, "127.0.0.1");
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

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] as number;

describe("an emulated link", () => {
  test.each(Object.entries(PAPER_LINKS))(
    "%s takes its round trip, and a connection one more",
    async (_, shape) => {
      await open(shape);
      const roundTripMs = 2 * shape.delayMs;
      const socket = await dial();
      const firstMs = await trip(socket, 1);
      expect(firstMs).toBeGreaterThanOrEqual(2 * roundTripMs - 0.2);
      const tripsMs: number[] = [];
      for (let n = 0; n < 41; n++) tripsMs.push(await trip(socket, 1));
      expect(Math.min(...tripsMs)).toBeGreaterThanOrEqual(roundTripMs);
      expect(median(tripsMs)).toBeLessThan(roundTripMs + SLACK_MS);
    },
  );

  test("lets no more through than its rate, over all connections together", async () => {
    const bitsPerS = 10_000_000;
    await open({ delayMs: 5, bitsPerS });
    const both = await Promise.all([dial(), dial()]);
    await Promise.all(both.map((socket) => trip(socket, 1)));
    const bytes = 250_000;
    const startMs = performance.now();
    await Promise.all(both.map((socket) => trip(socket, bytes)));
    const tookMs = performance.now() - startMs;
    // There and back at once: the rate is that of each way.
    const leastMs = (2 * bytes * 8000) / bitsPerS;
    expect(tookMs).toBeGreaterThanOrEqual(leastMs);
    expect(tookMs).toBeLessThan(leastMs * 1.05 + 10 + 30 * SLACK_MS);
  });

  test("that is cut lets nothing through, and what it was given when it is mended", async () => {
    await open({ delayMs: 1 });
    const socket = await dial();
    await trip(socket, 1);
    link.cut();
    let isBack = false;
    const late = trip(socket, 10).then(() => {
      isBack = true;
    });
    // Longer than both ways take, on a clock that runs beside.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isBack).toBe(false);
    link.mend();
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
