import { readdir } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";

import { unpackArchive } from "../../../src/archive/unpack.js";
import { EnokiError } from "../../../src/core/errors.js";
import { LIMITS } from "../../../src/core/limits.js";
import { fetchArchive } from "../../../src/gateway/admin/fetch-archive.js";
import { adminFixture, type AdminFixture } from "../../helpers/admin-app.js";
import { craftZip } from "../../helpers/crafted-zip.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

/** What curl sends with `--data`. */
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const ZIP = Buffer.from("zip bytes").toString("base64");

async function post({ request }: AdminFixture, path: string, body?: unknown) {
  const response = await request("POST", path, {
    headers: FORM,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: await response.text() };
}

const upload = { name: "sieve", env: "python3", threads: 4, zip: ZIP, envs: ["A=b=c", "B="] };

describe("/upload", () => {
  test("deploys and answers the function's address", async () => {
    const fixture = await adminFixture();
    expect(await post(fixture, "/upload", upload)).toEqual({
      status: 200,
      text: "http://127.0.0.1:8000/sieve\n",
    });
    expect(fixture.functions.deploys).toEqual([
      {
        name: "sieve",
        archive: Buffer.from("zip bytes"),
        runtime: "python3",
        config: { env: { A: "b=c", B: "" }, maxInstances: 4 },
        allowBuild: false,
      },
    ]);
  });

  test.each([
    ["python3", "python3"],
    ["python3-kv", "python3-kv"],
    ["nodejs", "nodejs"],
    ["binary", "tinyfaas-binary"],
  ])("the environment %s is the runtime %s", async (env, runtime) => {
    const fixture = await adminFixture();
    await post(fixture, "/upload", { ...upload, env });
    expect(fixture.functions.deploys[0]).toMatchObject({ runtime });
  });

  test.each([undefined, null, [], {}])("envs may be %j, threads missing", async (envs) => {
    const fixture = await adminFixture();
    const { threads: _, ...rest } = upload;
    expect((await post(fixture, "/upload", { ...rest, envs })).status).toBe(200);
    expect(fixture.functions.deploys[0]?.config).toEqual({ env: {} });
  });

  test("envs may be an object, threads 0, the base64 wrapped, members unknown", async () => {
    const fixture = await adminFixture();
    const zip = `${ZIP.slice(0, 4)}\n${ZIP.slice(4)}\n`;
    const body = { ...upload, envs: { A: "1" }, threads: 0, zip, more: 1 };
    expect((await post(fixture, "/upload", body)).status).toBe(200);
    expect(fixture.functions.deploys[0]).toMatchObject({
      config: { env: { A: "1" } },
      archive: Buffer.from("zip bytes"),
    });
  });

  test.each([
    ["no body", undefined],
    ["no object", []],
    ["no name", { ...upload, name: undefined }],
    ["a bad name", { ...upload, name: "a/b" }],
    ["no zip", { ...upload, zip: undefined }],
    ["a zip that is not base64", { ...upload, zip: "#" }],
    ["threads below 0", { ...upload, threads: -1 }],
    ["envs without =", { ...upload, envs: ["A"] }],
  ])("with %s it is malformed", async (_title, body) => {
    const fixture = await adminFixture();
    const { status, text } = await post(fixture, "/upload", body);
    expect(status).toBe(400);
    expect(text).toMatch(/^ENOKI_INVALID_(INPUT|NAME): .+\n$/);
    expect(fixture.functions.deploys).toEqual([]);
  });

  test("text that is not JSON is malformed", async () => {
    const { request } = await adminFixture();
    expect((await request("POST", "/upload", { body: "name=x", headers: FORM })).status).toBe(400);
  });

  test("a deploy that fails is 500 with a line of text", async () => {
    const fixture = await adminFixture();
    fixture.functions.failure = new EnokiError("ENOKI_INVALID_RUNTIME", "no runtime cobol");
    expect(await post(fixture, "/upload", upload)).toEqual({
      status: 500,
      text: "ENOKI_INVALID_RUNTIME: no runtime cobol\n",
    });
  });

  test("a bug is 500 without its inside, which is logged", async () => {
    const fixture = await adminFixture();
    fixture.functions.failure = new TypeError("secret");
    const { status, text } = await post(fixture, "/upload", upload);
    expect([status, text.includes("secret")]).toEqual([500, false]);
    expect(JSON.stringify(fixture.errors)).toContain("secret");
  });
});

describe("the rest of the management API", () => {
  async function deployed(): Promise<AdminFixture> {
    const fixture = await adminFixture();
    await post(fixture, "/upload", upload);
    await post(fixture, "/upload", { ...upload, name: "echo" });
    return fixture;
  }

  test("/list has a name per line", async () => {
    const empty = await (await adminFixture()).request("GET", "/list");
    expect([empty.status, await empty.text()]).toEqual([200, ""]);
    const { request } = await deployed();
    const response = await request("GET", "/list");
    expect(response.headers.get("content-type")).toContain("text/plain");
    expect(await response.text()).toBe("sieve\necho\n");
  });

  test("/delete removes a function and keeps its data", async () => {
    const fixture = await deployed();
    expect(await post(fixture, "/delete", { name: "echo" })).toEqual({ status: 200, text: "" });
    expect(fixture.functions.removals).toEqual([{ name: "echo", deleteData: false }]);
    expect((await post(fixture, "/delete", { name: "echo" })).status).toBe(500);
    expect((await post(fixture, "/delete")).status).toBe(400);
  });

  test("/wipe removes all functions, with an empty body", async () => {
    const fixture = await deployed();
    expect(await post(fixture, "/wipe")).toEqual({ status: 200, text: "" });
    expect(fixture.functions.list()).toEqual([]);
  });

  test("/wipe removes what it can when one function resists", async () => {
    const fixture = await deployed();
    fixture.functions.failure = new EnokiError("ENOKI_DISK_FULL", "no space");
    expect((await post(fixture, "/wipe")).status).toBe(500);
    expect(fixture.functions.list()).toHaveLength(1);
  });

  test("/logs has lines of one function or of all", async () => {
    const fixture = await deployed();
    fixture.functions.lines.push({ atMs: 0, stream: "stdout", invocation: undefined, text: "hi" });
    const one = await fixture.request("GET", "/logs?name=echo");
    expect(await one.text()).toBe("function=echo handler=stdout 1970-01-01T00:00:00.000Z hi\n");
    const all = await (await fixture.request("GET", "/logs")).text();
    expect(all.match(/^function=(sieve|echo) /gm)).toHaveLength(2);
    expect((await fixture.request("GET", "/logs?name=x")).status).toBe(500);
  });

  test.each([
    ["GET", "/upload"],
    ["GET", "/delete"],
    ["POST", "/list"],
    ["GET", "/wipe"],
    ["POST", "/logs"],
    ["DELETE", "/uploadURL"],
  ])("%s %s is malformed", async (method, path) => {
    const { request } = await adminFixture();
    const response = await request(method, path);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toContain("text/plain");
  });
});

describe("/uploadURL", () => {
  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test("is refused unless the node allows it, and fetches nothing then", async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests++;
      response.end("zip");
    });
    const fixture = await adminFixture();
    const { status, text } = await post(fixture, "/uploadURL", { ...upload, url });
    expect(status).toBe(403);
    expect(text).toContain("--allow-upload-url");
    expect(requests).toBe(0);
  });

  test("deploys what it fetches", async () => {
    const url = await serve((_request, response) => void response.end("zip bytes"));
    const fixture = await adminFixture({ allowUploadUrl: true });
    expect(await post(fixture, "/uploadURL", { ...upload, url })).toEqual({
      status: 200,
      text: "http://127.0.0.1:8000/sieve\n",
    });
    expect(fixture.functions.deploys[0]?.archive).toEqual(Buffer.from("zip bytes"));
  });

  test("deploys one folder of what it fetches", async () => {
    const zip = craftZip([
      { name: "main/README.md", data: "no" },
      { name: "main/fns/sieve/fn.py", data: "yes" },
      { name: "main/fns/sieve/lib/a.py", data: "yes" },
    ]);
    const url = await serve((_request, response) => void response.end(zip));
    const fixture = await adminFixture({ allowUploadUrl: true });
    const body = { ...upload, url, subfolder_path: "main/fns/sieve/" };
    expect((await post(fixture, "/uploadURL", body)).status).toBe(200);
    const dir = await temporaryFolder();
    await unpackArchive(fixture.functions.deploys[0]?.archive as Buffer, dir);
    expect((await readdir(dir, { recursive: true })).toSorted()).toEqual([
      "fn.py",
      "lib",
      "lib/a.py",
    ]);
  });

  test.each(["main/none", "main/../../..", "../outside"])(
    "the folder %s is not in the archive",
    async (subfolder_path) => {
      const zip = craftZip([{ name: "main/fn.py", data: "x" }]);
      const url = await serve((_request, response) => void response.end(zip));
      const fixture = await adminFixture({ allowUploadUrl: true });
      const { status, text } = await post(fixture, "/uploadURL", {
        ...upload,
        url,
        subfolder_path,
      });
      expect([400, 500]).toContain(status);
      expect(text).toContain("subfolder_path");
      expect(fixture.functions.deploys).toEqual([]);
    },
  );

  test("a download that is not 2xx fails", async () => {
    const url = await serve((_request, response) => void response.writeHead(404).end("no"));
    const fixture = await adminFixture({ allowUploadUrl: true });
    const { status, text } = await post(fixture, "/uploadURL", { ...upload, url });
    expect([status, text.includes("404")]).toEqual([500, true]);
    expect(fixture.functions.deploys).toEqual([]);
  });

  test("an endless download ends at the limit", async () => {
    const url = await serve((_request, response) => {
      const chunk = Buffer.alloc(1024 * 1024);
      const more = (): void => {
        while (response.write(chunk));
      };
      response.on("drain", more);
      more();
    });
    await expect(fetchArchive(url, "")).rejects.toMatchObject({
      code: "ENOKI_ARCHIVE_TOO_LARGE",
      message: expect.stringContaining(String(LIMITS.archiveBytesMax)) as string,
    });
  });

  test("a download that stalls ends after the timeout", async () => {
    const url = await serve((_request, response) => void response.write("begin"));
    await expect(fetchArchive(url, "", 50)).rejects.toThrow("no answer within 50 ms");
  });

  test.each(["ftp://example.org/a.zip", "file:///etc/passwd", "nonsense"])(
    "%s is no address to fetch",
    async (url) => {
      const fixture = await adminFixture({ allowUploadUrl: true });
      expect((await post(fixture, "/uploadURL", { ...upload, url })).status).toBe(400);
    },
  );

  test("a connection that is refused is a failure with a reason", async () => {
    const fixture = await adminFixture({ allowUploadUrl: true });
    const { status, text } = await post(fixture, "/uploadURL", {
      ...upload,
      url: "http://127.0.0.1:1/a.zip",
    });
    expect([status, text]).toEqual([
      500,
      "ENOKI_INVALID_ARCHIVE: cannot fetch http://127.0.0.1:1/a.zip: no connection (bad port)\n",
    ]);
  });
});
