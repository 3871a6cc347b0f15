import { describe, expect, test } from "vitest";

import { EnokiError } from "../../../src/core/errors.js";
import { LIMITS } from "../../../src/core/limits.js";
import { type InvocationId, type KeygroupName, parseNodeName } from "../../../src/core/ids.js";
import { adminFixture, codeOf, type AdminFixture } from "../../helpers/admin-app.js";

function form(config?: unknown, archive = "zip bytes"): FormData {
  const data = new FormData();
  data.set("archive", new Blob([archive]), "code.zip");
  if (config !== undefined) data.set("config", JSON.stringify(config));
  return data;
}

async function deployed(): Promise<AdminFixture> {
  const fixture = await adminFixture();
  await fixture.request("PUT", "/v1/functions/hello", { body: form({ runtime: "python" }) });
  return fixture;
}

describe("deploy", () => {
  test("a first deploy answers 201, a second 200 with the next revision", async () => {
    const { request } = await adminFixture();
    const first = await request("PUT", "/v1/functions/hello", { body: form() });
    expect(first.status).toBe(201);
    const second = await request("PUT", "/v1/functions/hello", { body: form() });
    expect(second.status).toBe(200);
    expect(await second.json()).toMatchObject({
      name: "hello",
      revision: 2,
      url: "http://127.0.0.1:8000/hello",
      keygroup: "hello",
      createdAt: "2023-11-14T22:13:20.000Z",
      config: { timeout: "1m", memory: "256m", cpu: "1" },
      status: { queued: 3 },
    });
  });

  test("nodes, labels and all arrive as such, and the answer has a row per node", async () => {
    const { request, functions } = await adminFixture();
    const row = { isPresent: true, serving: 0, reason: "on its way" } as const;
    functions.placesKnown = [{ ...row, node: parseNodeName("edge1"), state: "pending" }];
    const path = "/v1/functions/hello?to=edge1,zone%3Dnorth,all";
    const answer = await request("PUT", path, { body: form() });
    expect(functions.deploys[0]?.targets).toEqual({
      nodes: ["edge1"],
      labels: ["zone=north"],
      isAll: true,
    });
    expect(await answer.json()).toMatchObject({
      nodes: [
        { node: "edge1", present: true, state: "pending", revision: null, reason: "on its way" },
      ],
    });
    for (const to of ["a%3Db%20c", "no%20name", ""]) {
      const refused = await request("PUT", `/v1/functions/hello?to=${to}`, { body: form() });
      expect(refused.status).toBe(400);
    }
  });

  test("durations, sizes and CPUs arrive as numbers, and only what was said arrives", async () => {
    const { request, functions } = await adminFixture();
    const body = form({
      runtime: "node",
      env: { A: "b=c" },
      timeout: "1.5s",
      memory: "128m",
      cpu: "0.5",
      allowBuild: true,
    });
    await request("PUT", "/v1/functions/hello", { body });
    expect(functions.deploys).toEqual([
      {
        name: "hello",
        archive: Buffer.from("zip bytes"),
        runtime: "node",
        config: { env: { A: "b=c" }, timeoutMs: 1500, memoryBytes: 134_217_728, cpus: 0.5 },
        allowBuild: true,
      },
    ]);
  });

  test("triggers arrive in one way of writing them, with their place", async () => {
    const { request, functions } = await adminFixture();
    const triggers = [{ on: "keygroup:hello/" }, { on: "cron:1  2 3 4 5", at: "every" }];
    await request("PUT", "/v1/functions/hello", { body: form({ triggers }) });
    expect(functions.deploys[0]?.config).toEqual({
      triggers: [
        { on: "keygroup:hello", at: "origin" },
        { on: "cron:1 2 3 4 5", at: "every" },
      ],
    });
    const described = await request("GET", "/v1/functions/hello");
    expect(await described.json()).toMatchObject({
      config: { triggers: functions.deploys[0]?.config.triggers },
    });
  });

  test("a trigger that is none is refused", async () => {
    const { request, functions } = await adminFixture();
    const body = form({ triggers: [{ on: "keygroup:hello", at: "once" }] });
    const refused = await request("PUT", "/v1/functions/hello", { body });
    expect([refused.status, await codeOf(refused)]).toEqual([400, "ENOKI_INVALID_TRIGGER"]);
    expect(functions.deploys).toEqual([]);
  });

  test("another function's keygroup is listened to only with the right to", async () => {
    const { request, functions, deps } = await adminFixture();
    const deploy = () =>
      request("PUT", "/v1/functions/hello", {
        body: form({ triggers: [{ on: "keygroup:kg/a" }] }),
      });
    const refused = await deploy();
    expect(refused.status).toBe(403);
    const { code, detail } = (await refused.json()) as { code: string; detail: string };
    expect(code).toBe("ENOKI_FORBIDDEN");
    expect(detail).toContain("enoki keygroups grant kg --to function:hello --rights triggers");
    const hello = { kind: "function", id: "hello" } as const;
    await deps.grants.set("kg" as KeygroupName, hello, ["read"]);
    expect((await deploy()).status).toBe(403);
    expect(functions.deploys).toEqual([]);
    await deps.grants.set("kg" as KeygroupName, hello, ["triggers"]);
    expect((await deploy()).status).toBe(201);
  });

  test("without a config nothing is said", async () => {
    const { request, functions } = await adminFixture();
    await request("PUT", "/v1/functions/hello", { body: form() });
    expect(functions.deploys[0]).toMatchObject({
      runtime: undefined,
      config: {},
      allowBuild: false,
    });
  });

  test.each([
    [{ timeout: 5 }, "config.timeout"],
    [{ timeout: "5" }, "config.timeout"],
    [{ timeout: "0s" }, "config.timeout"],
    [{ timeout: "25h" }, "config.timeout"],
    [{ timeout: "30d" }, "config.timeout"],
    [{ memory: "128 mb" }, "config.memory"],
    [{ cpu: "-1" }, "config.cpu"],
    [{ maxInstances: 0 }, "config.maxInstances"],
    [{ concurrency: 1.5 }, "config.concurrency"],
    [{ isolation: "jail" }, "config.isolation"],
    [{ env: { A: 1 } }, "config.env.A"],
    [{ tiemout: "5s" }, "config.tiemout"],
    ["text", "config"],
  ])("the config %j is refused, naming the field", async (config, field) => {
    const { request, functions } = await adminFixture();
    const response = await request("PUT", "/v1/functions/hello", { body: form(config) });
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { code: string; field: string; detail: string };
    expect(problem).toMatchObject({ code: "ENOKI_INVALID_INPUT", field });
    expect(problem.detail).toContain(field);
    expect(functions.deploys).toEqual([]);
  });

  test.each([
    ["no form", { body: "zip", headers: { "Content-Type": "application/zip" } }],
    [
      "a broken form",
      { body: "x", headers: { "Content-Type": "multipart/form-data; boundary=b" } },
    ],
    ["no archive", { body: new FormData() }],
  ])("%s is refused", async (_title, init) => {
    const { request } = await adminFixture();
    const response = await request("PUT", "/v1/functions/hello", init);
    expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_INPUT"]);
  });

  test("an archive that is announced as too large is refused before it is read", async () => {
    const { request } = await adminFixture();
    let pulls = 0;
    const body = new ReadableStream({ pull: () => void pulls++ }, { highWaterMark: 0 });
    const response = await request("PUT", "/v1/functions/hello", {
      body,
      duplex: "half",
      headers: {
        "Content-Type": "multipart/form-data; boundary=b",
        "Content-Length": String(LIMITS.archiveBytesMax * 2),
      },
    } as RequestInit);
    expect([response.status, await codeOf(response)]).toEqual([413, "ENOKI_ARCHIVE_TOO_LARGE"]);
    expect(pulls).toBe(0);
  });

  test("an endless archive is read no further than the limit", async () => {
    const { request } = await adminFixture();
    const chunk = new Uint8Array(4 * 1024 * 1024);
    let sentBytes = 0;
    let isCancelled = false;
    const body = new ReadableStream(
      {
        pull: (controller) => {
          sentBytes += chunk.length;
          controller.enqueue(chunk);
        },
        cancel: () => {
          isCancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const headers = { "Content-Type": "multipart/form-data; boundary=b" };
    const init = { body, headers, duplex: "half" } as RequestInit;
    const response = await request("PUT", "/v1/functions/hello", init);
    expect([response.status, await codeOf(response)]).toEqual([413, "ENOKI_ARCHIVE_TOO_LARGE"]);
    expect(sentBytes).toBeLessThan(LIMITS.archiveBytesMax + 4 * chunk.length);
    expect(isCancelled).toBe(true);
  });

  test("a bad name is refused", async () => {
    const { request } = await adminFixture();
    const response = await request("PUT", "/v1/functions/a_b", { body: form() });
    expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_NAME"]);
  });

  test("a failing deploy answers what failed, with the extra members", async () => {
    const { request, functions } = await adminFixture();
    functions.failure = new EnokiError("ENOKI_LOAD_FAILED", "SyntaxError", { traceback: "line 1" });
    const response = await request("PUT", "/v1/functions/hello", { body: form() });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ detail: "SyntaxError", traceback: "line 1" });
  });
});

describe("what is deployed", () => {
  test("is listed and described", async () => {
    const { request } = await deployed();
    const { functions } = (await (await request("GET", "/v1/functions")).json()) as {
      functions: { name: string }[];
    };
    expect(functions.map(({ name }) => name)).toEqual(["hello"]);
    expect(await (await request("GET", "/v1/functions/hello")).json()).toEqual(functions[0]);
    expect((await request("GET", "/v1/functions/other")).status).toBe(404);
  });

  test("has revisions, newest first, one of them current", async () => {
    const { request } = await deployed();
    await request("PUT", "/v1/functions/hello", { body: form() });
    await request("POST", "/v1/functions/hello/rollback");
    const { revisions } = (await (
      await request("GET", "/v1/functions/hello/revisions")
    ).json()) as {
      revisions: { number: number; current: boolean }[];
    };
    expect(revisions.map(({ number, current }) => [number, current])).toEqual([
      [2, false],
      [1, true],
    ]);
  });

  test("rolls back to the revision that is named", async () => {
    const { request } = await deployed();
    await request("PUT", "/v1/functions/hello", { body: form() });
    const response = await request("POST", "/v1/functions/hello/rollback", {
      body: '{"revision":1}',
    });
    expect(await response.json()).toMatchObject({ revision: 1 });
    const missing = await request("POST", "/v1/functions/hello/rollback", {
      body: '{"revision":9}',
    });
    expect(missing.status).toBe(404);
    const bad = await request("POST", "/v1/functions/hello/rollback", { body: '{"revision":"1"}' });
    expect(bad.status).toBe(400);
  });

  test("keeps its data when removed, unless data=delete", async () => {
    const { request, functions } = await deployed();
    expect((await request("DELETE", "/v1/functions/hello?data=keep")).status).toBe(400);
    expect((await request("DELETE", "/v1/functions/hello")).status).toBe(204);
    await request("PUT", "/v1/functions/hello", { body: form() });
    expect((await request("DELETE", "/v1/functions/hello?data=delete")).status).toBe(204);
    expect(functions.removals.map(({ deleteData }) => deleteData)).toEqual([false, true]);
  });
});

describe("invocations", () => {
  const id = "0123456789abcdef0123456789abcdef";
  const dead = {
    id: id as InvocationId,
    function: "hello" as never,
    state: "dead",
    tries: 5,
    createdAtMs: 0,
    finishedAtMs: 1000,
    status: 500,
    lastError: { code: "ENOKI_FUNCTION_ERROR", message: "boom" },
  } as const;

  test("are listed by function, state and limit", async () => {
    const { request, invocations } = await adminFixture();
    invocations.all.set(id, dead);
    const response = await request("GET", "/v1/invocations?function=hello&state=dead&limit=5");
    expect(invocations.lastFilter).toEqual({ function: "hello", state: "dead", limit: 5 });
    expect(await response.json()).toEqual({
      invocations: [
        {
          id,
          function: "hello",
          state: "dead",
          tries: 5,
          createdAt: "1970-01-01T00:00:00.000Z",
          finishedAt: "1970-01-01T00:00:01.000Z",
          status: 500,
          lastError: { code: "ENOKI_FUNCTION_ERROR", message: "boom" },
        },
      ],
    });
  });

  test.each(["state=gone", "limit=0", "limit=x", "limit=1&limit=2", "colour=red", "state=%zz"])(
    "the query %s is refused",
    async (query) => {
      const { request } = await adminFixture();
      const response = await request("GET", `/v1/invocations?${query}`);
      expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_INPUT"]);
    },
  );

  test("a dead letter is shown, replayed and forgotten", async () => {
    const { request, invocations } = await adminFixture();
    invocations.all.set(id, dead);
    expect(await (await request("GET", `/v1/invocations/${id}`)).json()).toMatchObject({ id });
    const replayed = await request("POST", `/v1/invocations/${id}/replay`);
    expect(replayed.status).toBe(202);
    expect(await replayed.json()).toMatchObject({ state: "queued" });
    expect((await request("DELETE", `/v1/invocations/${id}`)).status).toBe(204);
    expect((await request("GET", `/v1/invocations/${id}`)).status).toBe(404);
    expect((await request("GET", "/v1/invocations/xyz")).status).toBe(404);
  });
});
