import { readFile } from "node:fs/promises";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";

import { runEnoki } from "../../helpers/cli-program.js";
import { DistantNodes, type DistantNode } from "../../helpers/distant-nodes.js";
import { until } from "../../helpers/node-calls.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { deploy, reads } from "./store-function.js";

let nodes: DistantNodes;
let edge1: DistantNode;
let edge2: DistantNode;

beforeAll(async () => {
  nodes = await DistantNodes.open();
  edge1 = await nodes.start("edge1");
  edge2 = await nodes.start("edge2");
  await deploy(edge1);
  await deploy(edge2);
  await edge1.client.kv("store").set("moved", "old");
  await reads(edge2, "moved", "old");
});
afterAll(() => nodes?.remove());

/** What a command says, or the code of the error that it ends with. */
async function enoki(
  node: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, stdout, stderr } = await runEnoki([...args, "--node", node], { env });
  return code === 0 ? stdout.trim() : (/ENOKI_\w+/.exec(stderr)?.[0] ?? stderr);
}

/** A way to a node that keeps the session of each request. */
async function listening(to: string): Promise<{ server: Server; url: string; seen: unknown[] }> {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers["enoki-session"]);
    const { method, headers } = request;
    const onward = httpRequest(`${to}${request.url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

test("what a command wrote another reads on another node, or says that it cannot", async () => {
  const file = join(await temporaryFolder(), "session");
  const kept = { ENOKI_SESSION: file };
  nodes.each((proxy) => proxy.cut());
  await enoki(edge1.adminUrl, ["kv", "set", "store", "moved", "new", "--session", file]);
  const token = (await readFile(file, "utf8")).trim();
  expect(token).toMatch(/^[\w-]+$/);

  const { server, url, seen } = await listening(edge2.adminUrl);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  // The link is cut, so nothing of it can be there: only who has the session knows that.
  expect(await enoki(url, ["kv", "get", "store", "moved"])).toBe("old");
  expect(seen.splice(0)).toEqual([undefined]);
  const refused = await enoki(url, ["kv", "get", "store", "moved"], kept);
  expect(refused).toBe("ENOKI_SESSION_NOT_REACHED");
  expect(seen).toEqual([token]);

  nodes.each((proxy) => proxy.heal());
  await until("it is read there", async () => {
    const read = await enoki(url, ["kv", "get", "store", "moved", "--session", file]);
    expect(["new", "ENOKI_SESSION_NOT_REACHED"]).toContain(read);
    return read === "new";
  });
  // Calls of functions are a part of it, too.
  expect(await enoki(edge1.adminUrl, ["invoke", "store", "moved=called"], kept)).toBe("set");
  expect((await readFile(file, "utf8")).trim()).not.toBe(token);
  expect(await enoki(edge2.adminUrl, ["invoke", "store", "moved"], kept)).toBe("called");
});
