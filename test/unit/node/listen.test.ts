import { once } from "node:events";
import { createServer, request, Agent, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";

import { closeServer, listen, urlHost } from "../../../src/node/listen.js";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

function newServer(handler?: RequestListener): Server {
  const server = createServer(handler);
  servers.push(server);
  return server;
}

test("listen gives the port that it got", async () => {
  const server = newServer();
  const port = await listen(server, { host: "127.0.0.1", port: 0, flag: "--admin-port" });
  expect(port).toBe((server.address() as AddressInfo).port);
});

test("an occupied port is refused with its number, the flag that chose it and an exit code of its own", async () => {
  const port = await listen(newServer(), { host: "127.0.0.1", port: 0, flag: "--admin-port" });
  const again = listen(newServer(), { host: "127.0.0.1", port, flag: "--function-port" });
  await expect(again).rejects.toMatchObject({ code: "ENOKI_PORT_IN_USE" });
  await expect(again).rejects.toThrow(`port ${port} (--function-port)`);
});

test("an address that is not this machine's is no occupied port", async () => {
  const wrong = listen(newServer(), { host: "192.0.2.1", port: 0, flag: "--admin-port" });
  await expect(wrong).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
});

test("closing waits for an exchange that goes on, and not for an idle connection", async () => {
  let answer = (): void => {};
  const server = newServer((_, response) => {
    answer = () => response.end("done");
    server.emit("arrived");
  });
  const port = await listen(server, { host: "127.0.0.1", port: 0, flag: "" });
  const agent = new Agent({ keepAlive: true });
  const arrived = once(server, "arrived");
  const asked = once(request({ port, agent }).end(), "response");
  await arrived;
  let isClosed = false;
  const closed = closeServer(server, 60_000).then(() => (isClosed = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  answer();
  const [response] = await asked;
  response.resume();
  await closed;
  agent.destroy();
});

test("closing cuts what is left after its time", async () => {
  const server = newServer(() => server.emit("arrived"));
  const port = await listen(server, { host: "127.0.0.1", port: 0, flag: "" });
  const arrived = once(server, "arrived");
  const failed = once(request({ port }).end(), "error");
  await arrived;
  await closeServer(server, 1);
  expect(await failed).toMatchObject([{ code: "ECONNRESET" }]);
});

test("a URL names any-addresses by loopback and puts IPv6 in brackets", () => {
  expect(["127.0.0.1", "0.0.0.0", "::", "::1", "edge1"].map(urlHost)).toEqual([
    "127.0.0.1",
    "127.0.0.1",
    "127.0.0.1",
    "[::1]",
    "edge1",
  ]);
});
