import { describe, expect, test } from "vitest";

import { LIMITS } from "../../../src/core/limits.js";
import { adminFixture, codeOf, type AdminFixture } from "../../helpers/admin-app.js";

const KEYS = "/v1/keygroups/kg/keys";

async function put(
  { request }: AdminFixture,
  key: string,
  value: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = { "Content-Type": "text/plain" },
): Promise<Response> {
  return request("PUT", `${KEYS}/${encodeURIComponent(key)}`, { body: value, headers });
}

async function versionOf(response: Response): Promise<string> {
  expect(response.status).toBe(200);
  return ((await response.json()) as { version: string }).version;
}

describe("a raw value", () => {
  test.each([
    ["text/plain", "hello", "text/plain; charset=utf-8"],
    ["text/csv; charset=UTF-8", "a,b", "text/plain; charset=utf-8"],
    ["text/plain", "", "text/plain; charset=utf-8"],
    ["application/json", ' {"a": 1.0}\n', "application/json"],
    ["application/octet-stream", "\0\x01", "application/octet-stream"],
    ["image/png", "x", "application/octet-stream"],
  ])("sent as %s comes back byte by byte", async (contentType, value, expected) => {
    const fixture = await adminFixture();
    const stored = await put(fixture, "k", value, { "Content-Type": contentType });
    const version = await versionOf(stored);
    expect(stored.headers.get("etag")).toBe(`"${version}"`);
    const read = await fixture.request("GET", `${KEYS}/k`);
    expect(read.headers.get("content-type")).toBe(expected);
    expect(read.headers.get("etag")).toBe(`"${version}"`);
    expect(read.headers.get("enoki-expires-at")).toBe(null);
    expect(await read.text()).toBe(value);
  });

  test("without a content type is bytes", async () => {
    const fixture = await adminFixture();
    await put(fixture, "k", new Uint8Array([255, 0]), {});
    const read = await fixture.request("GET", `${KEYS}/k`);
    expect(read.headers.get("content-type")).toBe("application/octet-stream");
    expect(new Uint8Array(await read.arrayBuffer())).toEqual(new Uint8Array([255, 0]));
  });

  test("HEAD tells all but the value", async () => {
    const fixture = await adminFixture();
    await put(fixture, "k", "hello");
    const head = await fixture.request("HEAD", `${KEYS}/k`);
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe("5");
    expect(head.headers.get("etag")).toMatch(/^".+"$/);
    expect(await head.text()).toBe("");
    expect((await fixture.request("HEAD", `${KEYS}/other`)).status).toBe(404);
  });

  test("that is missing is 404, in a missing keygroup another 404", async () => {
    const { request } = await adminFixture();
    expect(await codeOf(await request("GET", `${KEYS}/k`))).toBe("ENOKI_KEY_NOT_FOUND");
    const other = await request("GET", "/v1/keygroups/other/keys/k");
    expect([other.status, await codeOf(other)]).toEqual([404, "ENOKI_KEYGROUP_NOT_FOUND"]);
  });

  test("with a ttl tells when it expires", async () => {
    const fixture = await adminFixture();
    const headers = { "Content-Type": "text/plain", "Enoki-Ttl": "1h" };
    await versionOf(await put(fixture, "k", "v", headers));
    const read = await fixture.request("GET", `${KEYS}/k`);
    const expiresAtMs = Date.parse(read.headers.get("enoki-expires-at") ?? "");
    expect(Math.abs(expiresAtMs - Date.now() - 3_600_000)).toBeLessThan(60_000);
  });

  test.each(["60", "0s", "soon", "999999999d"])("the ttl %s is refused", async (ttl) => {
    const fixture = await adminFixture();
    const response = await put(fixture, "k", "v", { "Enoki-Ttl": ttl });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ field: "Enoki-Ttl" });
  });

  test.each([
    ["application/json", "{", "ENOKI_INVALID_INPUT"],
    ["application/json", "", "ENOKI_INVALID_INPUT"],
    ["application/json", "9007199254740992", "ENOKI_VALUE_UNSUPPORTED"],
    ["application/json", '{"a":[-9007199254740993]}', "ENOKI_VALUE_UNSUPPORTED"],
    ["application/json", "1e999", "ENOKI_VALUE_UNSUPPORTED"],
    ["application/json", "[".repeat(2000) + "]".repeat(2000), "ENOKI_VALUE_UNSUPPORTED"],
    ["text/plain; charset=latin1", "x", "ENOKI_INVALID_INPUT"],
  ])("%s %.40s is refused", async (contentType, value, code) => {
    const fixture = await adminFixture();
    const response = await put(fixture, "k", value, { "Content-Type": contentType });
    expect([response.status, await codeOf(response)]).toEqual([400, code]);
  });

  test.each(["9007199254740991", "1e300", '"9007199254740993"', '"a\\"9007199254740993"', "-0.5"])(
    "the JSON %s is stored",
    async (value) => {
      const fixture = await adminFixture();
      await versionOf(await put(fixture, "k", value, { "Content-Type": "application/json" }));
    },
  );

  test("that is no UTF-8 is no text", async () => {
    const fixture = await adminFixture();
    const response = await put(fixture, "k", new Uint8Array([0xff]), { "Content-Type": "text/x" });
    expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_INPUT"]);
  });

  test("has a largest size: one byte more is refused", async () => {
    const fixture = await adminFixture();
    const largest = new Uint8Array(LIMITS.valueSizeBytesMax);
    expect((await put(fixture, "k", largest, {})).status).toBe(200);
    const larger = await put(fixture, "k", new Uint8Array(largest.length + 1), {});
    expect([larger.status, await codeOf(larger)]).toEqual([413, "ENOKI_VALUE_TOO_LARGE"]);
  });
});

describe("keys in a path", () => {
  test.each(["a/b", "a%2Fb", "%", "\0", " ", "ключ/🌦", "explain", "a?b#c", "a+b", "\n", '"'])(
    "%j is percent-encoded and comes back",
    async (key) => {
      const fixture = await adminFixture();
      await versionOf(await put(fixture, key, "v"));
      const read = await fixture.request("GET", `${KEYS}/${encodeURIComponent(key)}`);
      expect(await read.text()).toBe("v");
      const page = await (await fixture.request("GET", KEYS)).json();
      expect(page).toEqual({ items: [{ key }], next: null });
    },
  );

  test.each(["%zz", "%", "%ff", "%e2%82"])("%s is malformed", async (key) => {
    const { request } = await adminFixture();
    const response = await request("GET", `${KEYS}/${key}`);
    expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_INPUT"]);
  });

  test.each(["", "%2e", "."])("%j names no key", async (key) => {
    const { request } = await adminFixture();
    const response = await request("PUT", `${KEYS}/${key}`, { body: "v" });
    expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_KEY"]);
  });

  test("a key of 1,025 bytes is refused", async () => {
    const fixture = await adminFixture();
    expect((await put(fixture, "k".repeat(1024), "v")).status).toBe(200);
    const response = await put(fixture, "k".repeat(1025), "v");
    expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_KEY"]);
  });
});

describe("conditions", () => {
  test("If-Match writes only over the version it names", async () => {
    const fixture = await adminFixture();
    const first = await versionOf(await put(fixture, "k", "1"));
    const second = await versionOf(await put(fixture, "k", "2", { "If-Match": `"${first}"` }));
    expect(second).not.toBe(first);
    const late = await put(fixture, "k", "3", { "If-Match": `"${first}"` });
    expect([late.status, await codeOf(late)]).toEqual([412, "ENOKI_VERSION_CONFLICT"]);
    expect(await (await fixture.request("GET", `${KEYS}/k`)).text()).toBe("2");
    expect((await put(fixture, "k", "3", { "If-Match": `"x", "${second}"` })).status).toBe(200);
    expect((await put(fixture, "new", "3", { "If-Match": `"${first}"` })).status).toBe(412);
  });

  test("If-Match: * needs the key, If-None-Match: * its absence", async () => {
    const fixture = await adminFixture();
    expect((await put(fixture, "k", "1", { "If-Match": "*" })).status).toBe(412);
    expect((await put(fixture, "k", "1", { "If-None-Match": "*" })).status).toBe(200);
    expect((await put(fixture, "k", "2", { "If-None-Match": "*" })).status).toBe(412);
    expect((await put(fixture, "k", "2", { "If-Match": "*" })).status).toBe(200);
  });

  test("If-Match: * holds although others write at once", async () => {
    const fixture = await adminFixture();
    await put(fixture, "k", "0");
    const writes = Array.from({ length: 8 }, (_, i) =>
      put(fixture, "k", String(i), { "If-Match": "*" }),
    );
    expect((await Promise.all(writes)).map(({ status }) => status)).toEqual(Array(8).fill(200));
  });

  test("of many If-None-Match: * at once one wins", async () => {
    const fixture = await adminFixture();
    const writes = Array.from({ length: 8 }, (_, i) =>
      put(fixture, "k", String(i), { "If-None-Match": "*" }),
    );
    const statuses = (await Promise.all(writes)).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([200, ...Array(7).fill(412)]);
  });

  test("If-None-Match makes a read 304 while the version is the same", async () => {
    const fixture = await adminFixture();
    const version = await versionOf(await put(fixture, "k", "1"));
    const read = (tag: string) =>
      fixture.request("GET", `${KEYS}/k`, { headers: { "If-None-Match": tag } });
    for (const tag of [`"${version}"`, `W/"${version}"`, `"a", "${version}"`, "*"]) {
      const unchanged = await read(tag);
      expect([unchanged.status, await unchanged.text()]).toEqual([304, ""]);
      expect(unchanged.headers.get("etag")).toBe(`"${version}"`);
    }
    expect((await read('"other"')).status).toBe(200);
  });

  test.each(["v1", '"v1', '"a" "b"', "W/v1", "*, *"])("the tag %s is malformed", async (tag) => {
    const fixture = await adminFixture();
    const response = await put(fixture, "k", "1", { "If-Match": tag });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ field: "If-Match" });
  });

  test("a delete tells whether there was something, and honours If-Match", async () => {
    const fixture = await adminFixture();
    const { request } = fixture;
    const version = await versionOf(await put(fixture, "k", "1"));
    const wrong = await request("DELETE", `${KEYS}/k`, { headers: { "If-Match": '"x"' } });
    expect(wrong.status).toBe(412);
    const headers = { "If-Match": `"${version}"` };
    expect(await (await request("DELETE", `${KEYS}/k`, { headers })).json()).toEqual({
      existed: true,
    });
    expect(await (await request("DELETE", `${KEYS}/k`)).json()).toEqual({ existed: false });
  });
});

describe("pages of keys", () => {
  async function filled(): Promise<AdminFixture> {
    const fixture = await adminFixture();
    for (const key of ["a", "b1", "b2", "b3", "c"]) await put(fixture, key, `v${key}`);
    return fixture;
  }

  async function keysOf({ request }: AdminFixture, query: string): Promise<[string[], unknown]> {
    const { items, next } = (await (await request("GET", `${KEYS}?${query}`)).json()) as {
      items: { key: string }[];
      next: string | null;
    };
    return [items.map(({ key }) => key), next];
  }

  test.each([
    ["", ["a", "b1", "b2", "b3", "c"], null],
    ["prefix=b", ["b1", "b2", "b3"], null],
    ["start=b2", ["b2", "b3", "c"], null],
    ["start=b1&end=b3", ["b1", "b2"], null],
    ["limit=2", ["a", "b1"], "b1"],
    ["limit=2&after=b1", ["b2", "b3"], "b3"],
    ["limit=2&after=b3", ["c"], null],
    ["start=b2&after=a", ["b2", "b3", "c"], null],
    ["prefix=b&limit=1&after=b1", ["b2"], "b2"],
    ["reverse=true&limit=2", ["c", "b3"], "b3"],
    ["reverse=true&limit=2&after=b3", ["b2", "b1"], "b1"],
    ["reverse=true&prefix=b&after=b3", ["b2", "b1"], null],
    ["reverse=true&end=b2&after=c", ["b1", "a"], null],
    ["limit=0", ["a", "b1", "b2", "b3", "c"], null],
    ["prefix=b%31", ["b1"], null],
  ])("?%s gives %j and then %j", async (query, keys, next) => {
    expect(await keysOf(await filled(), query)).toEqual([keys, next]);
  });

  test("carry values of every type if asked for", async () => {
    const fixture = await adminFixture();
    await put(fixture, "a", "text");
    await put(fixture, "b", new Uint8Array([1, 2]), {});
    await put(fixture, "c", '{"x":null}', { "Content-Type": "application/json" });
    expect(await (await fixture.request("GET", `${KEYS}?values=true`)).json()).toEqual({
      items: [
        { key: "a", value: { t: "str", v: "text" } },
        { key: "b", value: { t: "bytes", v: "AQI=" } },
        { key: "c", value: { t: "json", v: { x: null } } },
      ],
      next: null,
    });
  });

  test.each(["prefix=a&start=b", "limit=-1", "limit=1e3", "reverse=yes", "prefix=%zz", "x=1"])(
    "%s is refused",
    async (query) => {
      const { request } = await adminFixture();
      const response = await request("GET", `${KEYS}?${query}`);
      expect([response.status, await codeOf(response)]).toEqual([400, "ENOKI_INVALID_INPUT"]);
    },
  );
});

test("explain tells version, time and writer of a value", async () => {
  const fixture = await adminFixture();
  const version = await versionOf(await put(fixture, "a/b", "1"));
  const response = await fixture.request("GET", `${KEYS}/a%2Fb/explain`);
  expect(await response.json()).toMatchObject({
    key: "a/b",
    versions: [{ version, invocation: null, type: "str", expiresAt: null }],
  });
  expect((await fixture.request("GET", `${KEYS}/x/explain`)).status).toBe(404);
});

describe("keygroups", () => {
  test("are created, listed, configured and deleted", async () => {
    const { request } = await adminFixture();
    const body = '{"name":"data","policy":"siblings","ttl":"7d"}';
    const created = await request("POST", "/v1/keygroups", { body });
    expect(created.status).toBe(201);
    const expected = {
      name: "data",
      policy: "siblings",
      durability: "relaxed",
      ttl: "7d",
      storage: "memory",
      keys: 0,
      sizeBytes: 0,
      members: ["n1"],
    };
    expect(await created.json()).toEqual(expected);
    const changed = await request("PATCH", "/v1/keygroups/data", { body: '{"ttl":null}' });
    expect(await changed.json()).toEqual({ ...expected, ttl: null });
    const { keygroups } = (await (await request("GET", "/v1/keygroups")).json()) as {
      keygroups: { name: string }[];
    };
    expect(keygroups.map(({ name }) => name)).toEqual(["data", "kg"]);
    expect((await request("DELETE", "/v1/keygroups/data")).status).toBe(204);
    expect((await request("GET", "/v1/keygroups/data")).status).toBe(404);
    expect((await request("DELETE", "/v1/keygroups/data")).status).toBe(404);
  });

  test.each([
    ["{}", 400, "ENOKI_INVALID_INPUT"],
    ["", 400, "ENOKI_INVALID_INPUT"],
    ["nonsense", 400, "ENOKI_INVALID_INPUT"],
    ['{"name":"_x"}', 400, "ENOKI_INVALID_NAME"],
    ['{"name":"kg"}', 409, "ENOKI_KEYGROUP_EXISTS"],
    ['{"name":"n","ttl":7}', 400, "ENOKI_INVALID_INPUT"],
    ['{"name":"n","policy":"best"}', 400, "ENOKI_INVALID_INPUT"],
    ['{"name":"n","durability":"strict"}', 501, "ENOKI_UNSUPPORTED"],
  ])("a request %s for a new one is refused", async (body, status, code) => {
    const { request } = await adminFixture();
    const response = await request("POST", "/v1/keygroups", { body });
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
  });
});
