import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { constantArrivals } from "../../../src/experiments/load/arrivals.js";
import { runClosed } from "../../../src/experiments/load/closed-loop.js";
import { HttpCaller, type Connections } from "../../../src/experiments/load/http-caller.js";
import { runOpen } from "../../../src/experiments/load/open-loop.js";
import { runWriterReader } from "../../../src/experiments/load/writer-reader.js";

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;
let connectionsTotal = 0;
const callers: HttpCaller[] = [];

beforeEach(async () => {
  connectionsTotal = 0;
  answer = (_, response, body) => response.end(body);
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.once("end", () => answer(request, response, body));
  });
  server.on("connection", () => (connectionsTotal += 1));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function caller(connections: Connections, timeoutMs?: number): HttpCaller {
  const { port } = server.address() as AddressInfo;
  const made = new HttpCaller({ port, connections, ...(timeoutMs && { timeoutMs }) });
  callers.push(made);
  return made;
}

const echo = (to: HttpCaller, body: string) => to.call({ method: "POST", path: "/", body });
const busyMs = (forMs: number): void => {
  const endMs = performance.now() + forMs;
  while (performance.now() < endMs);
};

describe("a caller", () => {
  test("sends one request after the other over a connection that it keeps", async () => {
    const kept = caller("kept");
    for (const body of ["one", "two", "drei €"]) {
      const { status, body: back } = await echo(kept, body);
      expect([status, back.toString()]).toEqual([200, body]);
    }
    expect(connectionsTotal).toBe(1);
    await Promise.all([echo(kept, "a"), echo(kept, "b")]);
    expect(connectionsTotal).toBe(2);
  });

  test("keeps none that the server may be about to close", async () => {
    const kept = caller("kept");
    const nowMs = performance.now();
    const clock = vi.spyOn(performance, "now").mockReturnValue(nowMs);
    await Promise.all([echo(kept, "a"), echo(kept, "b")]);
    clock.mockReturnValue(nowMs + 1999);
    await echo(kept, "c");
    expect(connectionsTotal).toBe(2);
    clock.mockReturnValue(nowMs + 4000);
    await echo(kept, "d");
    clock.mockRestore();
    expect(connectionsTotal).toBe(3);
  });

  test("opens one for each if it is told to", async () => {
    const fresh = caller("fresh");
    for (const body of ["one", "two"]) expect((await echo(fresh, body)).status).toBe(200);
    expect(connectionsTotal).toBe(2);
  });

  test("gives the status 0 where there is no answer", async () => {
    answer = (request) => request.socket.destroy();
    expect((await echo(caller("kept"), "")).status).toBe(0);
    answer = () => {};
    expect((await echo(caller("kept", 20), "")).status).toBe(0);
    const left = caller("fresh");
    const late = echo(left, "");
    left.close();
    expect((await late).status).toBe(0);
  });
});

describe("an open load", () => {
  test("counts from when a request was due, though the client was busy then", async () => {
    const samples = await runOpen([
      {
        series: "call",
        arrivalsMs: constantArrivals(100, 0.05),
        send: (n) => {
          if (n === 0) busyMs(60);
          return Promise.resolve(200);
        },
      },
    ]);
    expect(samples.map(({ atMs }) => atMs)).toEqual([0, 10, 20, 30, 40]);
    for (const { atMs, valueMs } of samples) expect(valueMs).toBeGreaterThanOrEqual(59 - atMs);
  });

  test("waits for no answer before it sends the next", async () => {
    let underWay = 0;
    let most = 0;
    answer = (_, response) => {
      most = Math.max(most, ++underWay);
      // All are answered together.
      server.emit("held", response);
    };
    const held: ServerResponse[] = [];
    server.on("held", (response: ServerResponse) => {
      held.push(response);
      if (held.length === 20) for (const one of held) one.end();
    });
    const to = caller("kept");
    const send = async () => (await echo(to, "")).status;
    const arrivalsMs = constantArrivals(1000, 0.02);
    const samples = await runOpen([{ series: "call", arrivalsMs, send }]);
    expect(most).toBe(20);
    expect(samples.every(({ status }) => status === 200)).toBe(true);
  });
});

test("a closed load has as many requests under way as it has workers", async () => {
  let underWay = 0;
  let most = 0;
  const to = caller("kept");
  const samples = await runClosed({
    series: "call",
    workers: 5,
    loadS: 0.1,
    send: async (worker) => {
      most = Math.max(most, ++underWay);
      const { status, body } = await echo(to, String(worker));
      underWay -= 1;
      expect(body.toString()).toBe(String(worker));
      return status;
    },
  });
  expect(most).toBe(5);
  expect(samples.length).toBeGreaterThan(5);
  expect(Math.max(...samples.map(({ atMs }) => atMs))).toBeLessThan(100);
});

describe("a writer and a reader", () => {
  const run = (phase: "locked" | "random") => {
    let stored = "";
    return runWriterReader({
      ratePerS: 50,
      loadS: 0.4,
      phase,
      random: () => 0.5,
      write: (value) => {
        stored = value;
        return Promise.resolve(200);
      },
      read: () => Promise.resolve({ status: 200, value: stored }),
    });
  };

  test.each([
    ["locked", 0],
    ["random", 10],
  ] as const)("with %s phases read %d ms after each write", async (phase, apartMs) => {
    const samples = await run(phase);
    const due = (series: string) => samples.filter((one) => one.series === series);
    const [writes, reads, staleness] = [due("write"), due("read"), due("staleness")];
    expect([writes.length, reads.length]).toEqual([20, 20]);
    const apart = reads.map(({ atMs }, tick) => atMs - (writes[tick]?.atMs ?? 0));
    expect(new Set(apart)).toEqual(new Set([apartMs]));
    // One store: nothing is stale.
    expect(staleness.map(({ valueMs }) => valueMs)).toEqual(Array(20).fill(0));
  });
});
