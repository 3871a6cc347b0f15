import { describe, expect, test, vi } from "vitest";

import type { KeygroupFacade, WatchEvent } from "../../../src/keygroups/types.js";
import { TAG } from "../../../src/core/value.js";
import { adminFixture, codeOf, type AdminFixture } from "../../helpers/admin-app.js";

/** Reads a stream line by line. */
function reader(response: Response) {
  const chunks = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  const next = async (): Promise<unknown> => {
    for (;;) {
      const end = rest.indexOf("\n");
      if (end >= 0) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 1);
        return JSON.parse(line) as unknown;
      }
      const { done, value } = await chunks.read();
      if (done) return undefined;
      rest += decoder.decode(value, { stream: true });
    }
  };
  return { next, leave: () => chunks.cancel() };
}

async function put({ request }: AdminFixture, key: string, value: string): Promise<void> {
  const headers = { "Content-Type": "text/plain" };
  await request("PUT", `/v1/keygroups/kg/keys/${key}`, { body: value, headers });
}

/** A fixture whose only keygroup emits what the test says. */
async function watched() {
  let emit: ((event: WatchEvent) => void) | undefined;
  const unsubscribe = vi.fn<() => void>();
  const fixture = await adminFixture();
  const keygroup = fixture.keygroups.find("kg" as never) as KeygroupFacade;
  vi.spyOn(keygroup, "watch").mockImplementation((_range, onEvent) => {
    emit = onEvent;
    return unsubscribe;
  });
  const send = (text: string): void =>
    emit?.({ key: "k", value: { tag: TAG.str, bytes: Buffer.from(text) }, version: "1" });
  return { ...fixture, unsubscribe, send };
}

describe("a watch", () => {
  test("gives changes of keys with the prefix as they happen, null for a delete", async () => {
    const fixture = await adminFixture();
    const response = await fixture.request("GET", "/v1/keygroups/kg/watch?prefix=a");
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    const { next, leave } = reader(response);
    await put(fixture, "b", "no");
    await put(fixture, "a1", "yes");
    expect(await next()).toEqual({
      key: "a1",
      value: { t: "str", v: "yes" },
      version: expect.any(String) as string,
    });
    await fixture.request("DELETE", "/v1/keygroups/kg/keys/a1");
    expect(await next()).toMatchObject({ key: "a1", value: null });
    await leave();
  });

  test("ends its subscription once when the client stops reading", async () => {
    const { request, unsubscribe } = await watched();
    const { leave } = reader(await request("GET", "/v1/keygroups/kg/watch"));
    expect(unsubscribe).not.toHaveBeenCalled();
    await leave();
    expect(unsubscribe).toHaveBeenCalledTimes(1);
  });

  test("ends its subscription and itself when the connection breaks", async () => {
    const { request, unsubscribe } = await watched();
    const connection = new AbortController();
    const { next } = reader(
      await request("GET", "/v1/keygroups/kg/watch", { signal: connection.signal }),
    );
    connection.abort();
    expect(unsubscribe).toHaveBeenCalledTimes(1);
    expect(await next()).toBe(undefined);
  });

  test("holds no more than a bounded part for a client that does not read", async () => {
    const { request, unsubscribe, send } = await watched();
    const response = await request("GET", "/v1/keygroups/kg/watch");
    const line = "x".repeat(100_000);
    for (let i = 0; i < 100; i++) send(line);
    expect(unsubscribe).toHaveBeenCalledTimes(1);
    const lines = (await response.text()).trimEnd().split("\n");
    expect(lines.length).toBeLessThan(15);
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({
      error: { code: "ENOKI_SLOW_READER" },
    });
  });

  test("asked for with HEAD subscribes to nothing", async () => {
    const { request, keygroups } = await watched();
    expect((await request("HEAD", "/v1/keygroups/kg/watch")).status).toBe(200);
    expect(keygroups.find("kg" as never).watch).not.toHaveBeenCalled();
  });

  test("takes a start or a prefix, not both", async () => {
    const { request } = await adminFixture();
    const response = await request("GET", "/v1/keygroups/kg/watch?start=a&prefix=b");
    expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_INPUT"]);
  });
});

describe("a log", () => {
  async function logged(lines: number): Promise<AdminFixture> {
    const fixture = await adminFixture();
    const body = new FormData();
    body.set("archive", new Blob(["zip"]), "a.zip");
    await fixture.request("PUT", "/v1/functions/hello", { body });
    for (let i = 1; i <= lines; i++) fixture.functions.lines.push(line(i));
    return fixture;
  }

  const line = (i: number) =>
    ({ atMs: i, stream: "stdout", invocation: undefined, text: `line ${i}` }) as const;

  test("gives the last lines, as many as asked for", async () => {
    const { request } = await logged(5);
    const response = await request("GET", "/v1/functions/hello/logs?tail=2");
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    const { next } = reader(response);
    expect(await next()).toEqual({
      at: "1970-01-01T00:00:00.004Z",
      stream: "stdout",
      invocation: null,
      text: "line 4",
    });
    expect(await next()).toMatchObject({ text: "line 5" });
    expect(await next()).toBe(undefined);
  });

  test("goes on with new lines until the client leaves", async () => {
    const { request, functions } = await logged(2);
    const { next, leave } = reader(
      await request("GET", "/v1/functions/hello/logs?tail=1&follow=true"),
    );
    for (const follower of functions.followers) follower(line(3));
    expect(await next()).toMatchObject({ text: "line 2" });
    expect(await next()).toMatchObject({ text: "line 3" });
    await leave();
    expect(functions.followers.size).toBe(0);
  });

  test("with a long tail is no slow client", async () => {
    const { request, functions } = await logged(20_000);
    const url = "/v1/functions/hello/logs?tail=20000&follow=true";
    const { next, leave } = reader(await request("GET", url));
    for (const follower of functions.followers) follower(line(20_001));
    for (let i = 1; i <= 20_001; i++) expect(await next()).toMatchObject({ text: `line ${i}` });
    await leave();
  });

  test("of an unknown function is 404, also when followed", async () => {
    const { request } = await adminFixture();
    expect((await request("GET", "/v1/functions/x/logs?follow=true")).status).toBe(404);
  });
});

describe("export and import", () => {
  async function filled(): Promise<AdminFixture> {
    const fixture = await adminFixture();
    await put(fixture, "text", "line\nline");
    const operation = (body: unknown) =>
      fixture.request("POST", "/v1/keygroups/kg/operations", { body: JSON.stringify(body) });
    await operation({
      op: "batch",
      writes: [
        { op: "set", key: "bytes", value: { t: "bytes", v: "AAH/" } },
        { op: "set", key: "json", value: { t: "json", v: { a: [1, null] } }, ttlMs: 3_600_000 },
        { op: "increment", key: "counter", n: 3 },
      ],
    });
    await operation({ op: "set.add", key: "set", member: "m" });
    await operation({ op: "map.add", key: "map", field: "n", n: 2 });
    return fixture;
  }

  async function exported({ request }: AdminFixture, keygroup: string): Promise<string> {
    return (await request("GET", `/v1/keygroups/${keygroup}/export`)).text();
  }

  async function importInto(fixture: AdminFixture, body: string | ReadableStream) {
    const init = { body, duplex: "half" } as RequestInit;
    return fixture.request("POST", "/v1/keygroups/kg/import", init);
  }

  test("an export has a line per key with type and expiry, CRDTs as state", async () => {
    const lines = (await exported(await filled(), "kg")).trimEnd().split("\n");
    const items = lines.map((line) => JSON.parse(line) as { key: string; value: { t: string } });
    expect(items.map(({ key, value }) => [key, value.t])).toEqual([
      ["bytes", "bytes"],
      ["counter", "counter"],
      ["json", "json"],
      ["map", "map"],
      ["set", "set"],
      ["text", "str"],
    ]);
    expect(items[2]).toEqual({
      key: "json",
      value: { t: "json", v: { a: [1, null] } },
      expiresAt: expect.stringMatching(/^\d{4}-.+Z$/) as string,
    });
    expect(items[5]).toEqual({ key: "text", value: { t: "str", v: "line\nline" } });
  });

  test("what was exported comes back as it was", async () => {
    const text = await exported(await filled(), "kg");
    const other = await adminFixture();
    expect(await (await importInto(other, text)).json()).toEqual({ imported: 6 });
    expect(await exported(other, "kg")).toBe(text);
    const body = JSON.stringify({ op: "increment", key: "counter", n: 1 });
    const reply = await other.request("POST", "/v1/keygroups/kg/operations", { body });
    expect(await reply.json()).toMatchObject({ value: 4 });
  });

  test("lines may be cut anywhere, be empty, or lack the last line feed", async () => {
    const fixture = await adminFixture();
    const text =
      '{"key":"a","value":{"t":"str","v":"ä🌦"}}\n\n \r\n{"key":"b","value":{"t":"str","v":""}}';
    const bytes = Buffer.from(text);
    let at = 0;
    const body = new ReadableStream({
      pull: (controller) => {
        if (at === bytes.length) controller.close();
        else controller.enqueue(new Uint8Array(bytes.subarray(at, ++at)));
      },
    });
    expect(await (await importInto(fixture, body)).json()).toEqual({ imported: 2 });
    const read = await fixture.request("GET", "/v1/keygroups/kg/keys/a");
    expect(await read.text()).toBe("ä🌦");
  });

  test.each([
    ["nonsense", "ENOKI_INVALID_INPUT"],
    ["[]", "ENOKI_INVALID_INPUT"],
    ['{"error":{"code":"ENOKI_INTERNAL","message":""}}', "ENOKI_INVALID_INPUT"],
    ['{"key":"k"}', "ENOKI_INVALID_INPUT"],
    ['{"key":"k","value":"v"}', "ENOKI_INVALID_INPUT"],
    ['{"key":"k","value":{"t":"counter","v":"#"}}', "ENOKI_INVALID_INPUT"],
    ['{"key":"k","value":{"t":"str","v":""},"expiresAt":"soon"}', "ENOKI_INVALID_INPUT"],
    ['{"key":"k","value":{"t":"json","v":9007199254740993}}', "ENOKI_VALUE_UNSUPPORTED"],
  ])("the bad line %s is named by its number", async (bad, code) => {
    const fixture = await adminFixture();
    const good = '{"key":"a","value":{"t":"str","v":""}}\n';
    const response = await importInto(fixture, `${good}\n${bad}\n${good}`);
    expect(response.status).toBe(400);
    const problem = (await response.json()) as { detail: string };
    expect(problem).toMatchObject({ code, line: 3, imported: 0 });
    expect(problem.detail).toContain("line 3");
  });

  test("what came in whole chunks before a bad line stays, and is counted", async () => {
    const fixture = await adminFixture();
    const lines = Array.from(
      { length: 1500 },
      (_, i) => `{"key":"k${i}","value":{"t":"str","v":""}}\n`,
    );
    const response = await importInto(fixture, `${lines.join("")}bad`);
    expect(await response.json()).toMatchObject({ line: 1501, imported: 1000 });
    expect((await fixture.keygroups.find("kg" as never).describe()).keys).toBe(1000);
  });

  test("an export that breaks off says so in its last line", async () => {
    const fixture = await filled();
    const keygroup = fixture.keygroups.find("kg" as never) as KeygroupFacade;
    vi.spyOn(keygroup, "exportItems").mockImplementation(function* () {
      yield { key: "a", value: { tag: TAG.str, bytes: Buffer.from("v") }, expiresAtMs: 0 };
      throw new Error("a secret");
    });
    const lines = (await exported(fixture, "kg")).trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[1] as string)).toEqual({
      error: { code: "ENOKI_INTERNAL", message: expect.not.stringContaining("secret") as string },
    });
    expect(JSON.stringify(fixture.errors)).toContain("a secret");
  });

  test("an export is made only as fast as it is read, and ends when the client leaves", async () => {
    const fixture = await adminFixture();
    const keygroup = fixture.keygroups.find("kg" as never) as KeygroupFacade;
    let made = 0;
    let isEnded = false;
    vi.spyOn(keygroup, "exportItems").mockImplementation(function* () {
      try {
        for (;;) {
          made++;
          yield { key: "k", value: { tag: TAG.str, bytes: Buffer.alloc(10_000) }, expiresAtMs: 0 };
        }
      } finally {
        isEnded = true;
      }
    });
    const response = await fixture.request("GET", "/v1/keygroups/kg/export");
    const { next, leave } = reader(response);
    await next();
    expect(made).toBeLessThan(20);
    await leave();
    expect(isEnded).toBe(true);
  });
});
