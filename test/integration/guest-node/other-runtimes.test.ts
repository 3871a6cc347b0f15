import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { GuestUnderTest } from "../../helpers/fake-node-js.js";

const guests: GuestUnderTest[] = [];

async function deploy(
  files: Record<string, string>,
  options: Record<string, unknown>,
): Promise<GuestUnderTest> {
  const guest = await GuestUnderTest.start();
  guests.push(guest);
  expect(await guest.load(files, options)).toHaveProperty("concurrency");
  return guest;
}

/** False also for a process that has ended and that nobody has waited for. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return !stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
  } catch {
    return false;
  }
}

afterEach(async () => {
  await Promise.all(guests.splice(0).map((guest) => guest.close()));
});

describe("the runtime nodejs", () => {
  const handler = (body: string) => ({ "index.js": `module.exports = ${body}` });
  const nodejs = { runtime: "nodejs" };

  it("gives the body as text whatever its type, with lower-case headers, path and query", async () => {
    const guest = await deploy(
      handler(
        "(req, res) => res.send([typeof req.body, req.body, req.headers, req.method, req.path, req.url, req.query, req.get('X-A')]);",
      ),
      nodejs,
    );
    const { text, contentType } = await guest.call({
      contentType: "application/json",
      body: "{bad",
      headers: { "x-a": "1" },
      path: "/p",
      query: "a=1",
    });
    expect(contentType).toBe("application/json");
    expect(JSON.parse(text!)).toEqual([
      "string",
      "{bad",
      { "x-a": "1" },
      "POST",
      "/p",
      "/p?a=1",
      { a: "1" },
      "1",
    ]);
  });

  it("answers with text, JSON, bytes, status and headers", async () => {
    const guest = await deploy(
      handler(`async (req, res) => ({
        text: () => res.send("t"), object: () => res.send({ a: 1 }), bytes: () => res.send(Buffer.from([1])),
        json: () => res.status(201).json(["x"]), head: () => res.set("X-A", 1).header({ "X-B": "2" }).type("text/html").send("<p>"),
        end: () => res.end(), status: () => res.sendStatus(404), later: () => setTimeout(() => res.send("later"), 5),
        write: () => { res.writeHead(202, { "x-c": "3" }); res.write("a"); res.write(Buffer.from("b")); res.end("c"); },
      })[req.body]();`),
      nodejs,
    );
    const cases: [string, object][] = [
      ["text", { status: 200, text: "t", contentType: "text/plain; charset=utf-8" }],
      ["object", { text: '{"a":1}', contentType: "application/json" }],
      ["bytes", { text: "\u0001", contentType: "application/octet-stream" }],
      ["json", { status: 201, text: '["x"]', contentType: "application/json" }],
      ["head", { text: "<p>", contentType: "text/html", headers: { "x-a": "1", "x-b": "2" } }],
      ["end", { status: 200, text: "", contentType: "" }],
      ["status", { status: 404, text: "404" }],
      ["later", { text: "later" }],
      ["write", { status: 202, text: "abc", headers: { "x-c": "3" } }],
    ];
    for (const [name, outcome] of cases)
      expect(await guest.call(name), name).toMatchObject(outcome);
  });

  it("fails the call when the handler throws, at once or later", async () => {
    const guest = await deploy(
      handler(
        "(req, res) => { if (req.body === 'sync') throw new Error('sync'); return Promise.reject(new Error('async')); };",
      ),
      nodejs,
    );
    expect((await guest.call("sync")).failed?.message).toBe("sync");
    expect((await guest.call("x")).failed?.message).toBe("async");
  });
});

describe("the runtime binary", () => {
  const script = (body: string) => ({ "fn.sh": `#!/bin/sh\n${body}\n` });
  const binary = { runtime: "binary" };

  it("runs a process per call: body on stdin, result on stdout, text when it is UTF-8", async () => {
    const guest = await deploy(script("cat"), binary);
    expect(await guest.call("grün")).toMatchObject({
      text: "grün",
      contentType: "text/plain; charset=utf-8",
    });
    const bytes = await guest.call({ body: Uint8Array.of(0xff, 0, 1) });
    expect(bytes).toMatchObject({ contentType: "application/octet-stream" });
    expect([...bytes.bytes!]).toEqual([0xff, 0, 1]);
    expect(await guest.call()).toMatchObject({ text: "", contentType: "" });
    const large = "x".repeat(2_000_000);
    expect((await guest.call(large)).text).toBe(large);
  });

  it("tells the call in the environment and runs in the folder of the code", async () => {
    const guest = await deploy(
      script(
        'echo "$ENOKI_METHOD $ENOKI_PATH $ENOKI_QUERY $ENOKI_CONTENT_TYPE $ENOKI_INVOCATION_ID $ENOKI_IDEMPOTENCY_KEY $A"; ls',
      ),
      { ...binary, env: { A: "env" } },
    );
    const invocationId = "ab".repeat(16);
    const { text } = await guest.call({
      method: "PUT",
      path: "/p",
      query: "q=1",
      contentType: "text/csv",
      idempotencyKey: "k",
      invocationId,
    });
    expect(text).toBe(`PUT /p q=1 text/csv ${invocationId} k env\nfn.sh\n`);
  });

  it("takes stderr as the log of the call", async () => {
    const guest = await deploy(script("echo to the log >&2; echo result"), binary);
    const { id, outcome } = guest.begin();
    expect((await outcome).text).toBe("result\n");
    expect(guest.logs).toEqual([{ callId: id, stream: 2, text: "to the log" }]);
  });

  it("fails with exit code or signal and the last line of stderr", async () => {
    const guest = await deploy(
      script(
        'echo first >&2; echo "what is wrong" >&2; if [ -n "$ENOKI_PATH" ]; then kill -9 $$; fi; exit 3',
      ),
      binary,
    );
    expect((await guest.call()).failed).toMatchObject({
      errorType: "ExitCode",
      message: "exit code 3: what is wrong",
      code: "ENOKI_FUNCTION_ERROR",
    });
    expect((await guest.call({ path: "/x" })).failed?.message).toBe(
      "signal SIGKILL: what is wrong",
    );
    const missing = await deploy({ "fn.sh": "#!/no/such/interpreter\n" }, binary);
    expect((await missing.call()).failed?.errorType).toBe("Error");
  });

  it("ends a whole process group on CANCEL, also one that ignores SIGTERM", async () => {
    const guest = await deploy(
      script(`trap "" TERM; sleep 600 & echo $! >&2; echo $$ >&2; wait; while :; do sleep 1; done`),
      binary,
    );
    const { id, outcome } = guest.begin();
    await guest.until(
      () =>
        guest.logs
          .map(({ text }) => text)
          .join("\n")
          .split("\n").length >= 2,
    );
    guest.cancel(id);
    expect((await outcome).failed?.message).toMatch(/SIGKILL/);
    const pids = guest.logs.flatMap(({ text }) => text.split("\n")).map(Number);
    expect(pids).toHaveLength(2);
    await expect.poll(() => pids.some(isAlive)).toBe(false);
  });

  it("ends its processes when the channel closes", async () => {
    const guest = await deploy(script("echo $$ >&2; exec sleep 600"), binary);
    void guest.call();
    await guest.until(() => guest.logs.length > 0);
    const pid = Number(guest.logs[0]!.text);
    expect(isAlive(pid)).toBe(true);
    await guest.close();
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it("ends a process that puts out too much", async () => {
    const guest = await deploy(script("exec yes"), { ...binary, outputBytesMax: 100_000 });
    expect((await guest.call()).failed?.code).toBe("ENOKI_OUTPUT_TOO_LARGE");
  });

  it("reaches its state over a socket, from any program, attributed to its call", async () => {
    const program = `#!${process.execPath}
      const http = require("node:http");
      const ask = (method, path, body, headers = {}) => new Promise((resolve, reject) => {
        const request = http.request({ socketPath: process.env.ENOKI_KV_SOCKET, method, path, headers: { ...headers, "enoki-invocation-id": process.env.ENOKI_INVOCATION_ID } }, (response) => {
          let text = ""; response.on("data", (part) => text += part);
          response.on("end", () => resolve([response.statusCode, response.headers["content-type"] ?? null, text]));
        });
        request.on("error", reject); request.end(body);
      });
      (async () => {
        const key = "/keys/" + encodeURIComponent("a/b " + process.env.ENOKI_PATH);
        const out = [];
        out.push(await ask("GET", key));
        out.push(await ask("PUT", key, "text"), await ask("GET", key));
        out.push(await ask("PUT", key, '{"a":1}', { "content-type": "application/json" }), await ask("GET", key));
        out.push(await ask("PUT", key, Buffer.from([65]), { "content-type": "application/octet-stream" }), await ask("GET", key));
        out.push(await ask("PUT", key, "x", { "if-none-match": "*" }), await ask("PUT", key + "?ttl=5", "x"));
        out.push(await ask("DELETE", key), await ask("DELETE", key));
        out.push(await ask("POST", key + "n?increment=5"), await ask("POST", key + "n?increment=2"), await ask("POST", key + "n"));
        out.push(await ask("GET", "/keys?prefix=" + encodeURIComponent("a/b " + process.env.ENOKI_PATH)), await ask("GET", "/other"));
        console.log(JSON.stringify(out.map(([status, type, text]) => [status, type, type?.startsWith("application/problem") ? JSON.parse(text).code : text])));
      })();`;
    const guest = await deploy({ "main.js": program }, binary);
    const calls = ["/1", "/2", "/3"].map((path) => guest.begin({ path }));
    const problem = "application/problem+json";
    for (const [i, { id, outcome }] of calls.entries()) {
      expect(JSON.parse((await outcome).text!)).toEqual([
        [404, problem, "ENOKI_KEY_NOT_FOUND"],
        [204, null, ""],
        [200, "text/plain; charset=utf-8", "text"],
        [204, null, ""],
        [200, "application/json", '{"a":1}'],
        [204, null, ""],
        [200, "application/octet-stream", "A"],
        [412, problem, "ENOKI_VERSION_CONFLICT"],
        [400, problem, "ENOKI_INVALID_INPUT"],
        [204, null, ""],
        [404, null, ""],
        [200, "application/json", "5"],
        [200, "application/json", "7"],
        [400, problem, "ENOKI_INVALID_INPUT"],
        [200, "application/json", JSON.stringify([`a/b /${i + 1}n`])],
        [404, problem, "ENOKI_NOT_FOUND"],
      ]);
      expect(guest.keygroup.seen.filter(({ callId }) => callId === id)).toHaveLength(13);
    }
  });
});

describe("the runtime tinyfaas-binary", () => {
  it("answers with stdout and stderr together", async () => {
    const guest = await deploy(
      { "fn.sh": "#!/bin/sh\necho out\nread input\necho err >&2\necho $input\n" },
      { runtime: "tinyfaas-binary" },
    );
    const { text } = await guest.call("in\n");
    expect(text!.split("\n").sort()).toEqual(["", "err", "in", "out"]);
    expect(guest.logs).toEqual([]);
  });
});
