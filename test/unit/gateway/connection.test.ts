import { getRequestListener } from "@hono/node-server";
import { createServer, get, request as httpRequest, type IncomingMessage } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import type { KeygroupFacade } from "../../../src/keygroups/types.js";
import { adminFixture, type AdminFixture } from "../../helpers/admin-app.js";

/** Lets the admin port listen, as the node does. */
async function listening(): Promise<AdminFixture & { url: string }> {
  const fixture = await adminFixture();
  const server = createServer(
    getRequestListener((request) => fixture.app.fetch(request), { overrideGlobalObjects: false }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { ...fixture, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("a watch answers before anything happens, and ends when its client hangs up", async () => {
  const { url, keygroups } = await listening();
  const keygroup = keygroups.find("kg" as never) as KeygroupFacade;
  const ended = new Promise<void>((resolve) => {
    vi.spyOn(keygroup, "watch").mockImplementation(() => () => resolve());
  });
  const client = get(`${url}/v1/keygroups/kg/watch`);
  const [response] = (await once(client, "response")) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  client.on("error", () => {});
  client.destroy();
  await ended;
});

test("a body beyond the limit is answered although the client would send on", async () => {
  const { url } = await listening();
  const client = httpRequest(`${url}/v1/keygroups/kg/keys/k`, { method: "PUT" });
  client.on("error", () => {});
  const chunk = Buffer.alloc(1024 * 1024);
  let sentBytes = 0;
  const send = (): void => {
    while (sentBytes < 4 * LIMITS.valueSizeBytesMax && client.writable) {
      sentBytes += chunk.length;
      if (!client.write(chunk)) return;
    }
  };
  client.on("drain", send);
  send();
  const [response] = (await once(client, "response")) as [IncomingMessage];
  expect(response.statusCode).toBe(413);
  client.destroy();
});

test("keys reach the store as they were sent, slashes and NUL included", async () => {
  const { url, keygroups } = await listening();
  const key = "a/b\0ü%2F";
  const path = `${url}/v1/keygroups/kg/keys/${encodeURIComponent(key)}`;
  expect((await fetch(path, { method: "PUT", body: "v" })).status).toBe(200);
  expect(keygroups.find("kg" as never).get(key)).toBeDefined();
});
