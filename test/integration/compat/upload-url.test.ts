import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { zipFiles } from "../../helpers/node-calls.js";
import { startProgram, type NodeProgram } from "../../helpers/node-program.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { curl } from "./support.js";

const ZIP = zipFiles({ "fn.py": "def fn(i): return 'fetched ' + i\n", "requirements.txt": "" });
const NESTED = zipFiles({
  "main/README.md": "no function",
  "main/fns/hello/fn.py": "def fn(i): return 'nested ' + i\n",
  "main/fns/hello/requirements.txt": "",
});

/** What lies at the addresses that the node is told to fetch. */
const PAGES: Readonly<Record<string, RequestListener>> = {
  "/fn.zip": (_, response) => void response.end(ZIP),
  "/nested.zip": (_, response) => void response.end(NESTED),
  "/moved.zip": (_, response) => void response.writeHead(302, { location: "/fn.zip" }).end(),
  "/page.html": (_, response) => void response.end("<html>not a zip</html>"),
  "/file.zip": (_, response) =>
    void response.writeHead(302, { location: "file:///etc/passwd" }).end(),
  "/round.zip": (_, response) => void response.writeHead(302, { location: "/round.zip" }).end(),
  "/announced.zip": (_, response) =>
    void response.writeHead(200, { "content-length": LIMITS.archiveBytesMax + 1 }).write("PK"),
  "/endless.zip": (_, response) => {
    const chunk = Buffer.alloc(1024 * 1024);
    const more = (): void => {
      while (response.write(chunk));
    };
    response.on("drain", more);
    more();
  },
  "/cut.zip": (request, response) => {
    response.writeHead(200, { "content-length": ZIP.length });
    response.write(ZIP.subarray(0, 20), () => request.socket.destroy());
  },
};

let files: Server;
const fetched: string[] = [];

beforeAll(async () => {
  files = createServer((request, response) => {
    const path = request.url ?? "";
    fetched.push(path);
    const page = PAGES[path];
    if (page) page(request, response);
    else response.writeHead(404).end("nothing here");
  });
  await new Promise<void>((resolve) => files.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  files.closeAllConnections();
  files.close();
});

/** Tells a node to deploy what lies at a path of the server of this test. */
function uploadUrl(node: NodeProgram, path: string, name = "fetched", subfolder = "") {
  const url = `http://127.0.0.1:${(files.address() as AddressInfo).port}${path}`;
  const body = { name, env: "python3", threads: 1, url, subfolder_path: subfolder };
  return curl(node.adminUrl, "/uploadURL", JSON.stringify(body));
}

test("a node without --allow-upload-url says how to allow it, and fetches nothing", async () => {
  const node = await startProgram(await temporaryFolder());
  try {
    fetched.length = 0;
    const refused = await uploadUrl(node, "/fn.zip");
    expect([refused.status, refused.text]).toEqual([
      403,
      "this node fetches no URLs; start it with --allow-upload-url\n",
    ]);
    expect(fetched).toEqual([]);
    expect((await curl(node.adminUrl, "/list")).text).toBe("");
  } finally {
    await node.end("SIGTERM");
  }
});

describe("a node with --allow-upload-url", () => {
  let dataDir: string;
  let node: NodeProgram;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "enoki-upload-url-"));
    node = await startProgram(dataDir, ["--allow-upload-url"]);
  });
  afterAll(async () => {
    await node?.end("SIGTERM");
    await rm(dataDir, { recursive: true, force: true });
  });

  test.each([
    ["a zip", "/fn.zip", "", "fetched you"],
    ["a zip that has moved", "/moved.zip", "", "fetched you"],
    ["a folder of a zip", "/nested.zip", "main/fns/hello", "nested you"],
  ])("deploys %s and runs it", async (_, path, subfolder, answer) => {
    const deployed = await uploadUrl(node, path, "works", subfolder);
    expect([deployed.status, deployed.text]).toEqual([200, `${node.functionsUrl}/works\n`]);
    expect((await curl(node.functionsUrl, "/works", "you")).text).toBe(answer);
  });

  test.each([
    ["nothing", "/none.zip", "ENOKI_INVALID_ARCHIVE", "it answered 404"],
    ["no zip", "/page.html", "ENOKI_INVALID_ARCHIVE", "not a zip"],
    ["a redirect to a file", "/file.zip", "ENOKI_INVALID_ARCHIVE", "not http:// or https://"],
    ["a redirect without end", "/round.zip", "ENOKI_INVALID_ARCHIVE", "redirects too often"],
    ["half a zip", "/cut.zip", "ENOKI_INVALID_ARCHIVE", "no connection"],
    ["an announced flood", "/announced.zip", "ENOKI_ARCHIVE_TOO_LARGE", "67108864 bytes"],
    ["an endless flood", "/endless.zip", "ENOKI_ARCHIVE_TOO_LARGE", "67108864 bytes"],
  ])("says what is wrong with %s, and what ran runs on", async (_, path, code, reason) => {
    expect((await uploadUrl(node, "/fn.zip", "stays")).status).toBe(200);
    const refused = await uploadUrl(node, path, "stays");
    expect(refused.status).toBe(500);
    expect(refused.text).toMatch(new RegExp(`^${code}: .*${reason}`));
    expect((await curl(node.functionsUrl, "/stays", "you")).text).toBe("fetched you");
  });
});
