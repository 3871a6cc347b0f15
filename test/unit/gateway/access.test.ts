import { describe, expect, test } from "vitest";

import { includesRole, ROLES } from "../../../src/core/rights.js";
import { adminRoutes } from "../../../src/gateway/admin/app.js";
import { adminFixture, codeOf } from "../../helpers/admin-app.js";

describe("with a token", () => {
  test.each(["/metrics", "/v1/node", "/v1/functions", "/v1/openapi.json", "/list", "/nothing"])(
    "%s needs it",
    async (path) => {
      const { request } = await adminFixture({ adminToken: "secret" });
      const refused = await request("GET", path);
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toBe('Bearer realm="enoki"');
      expect(await codeOf(refused)).toBe("ENOKI_UNAUTHORIZED");
      const headers = { Authorization: "Bearer secret" };
      expect((await request("GET", path, { headers })).status).not.toBe(401);
    },
  );

  test.each(["/", "/healthz", "/readyz"])("%s stays open", async (path) => {
    const { request } = await adminFixture({ adminToken: "secret" });
    expect((await request("GET", path)).status).toBe(200);
    expect((await request("HEAD", path)).status).toBe(200);
  });
});

test("with a token any host will do: who has it is no stranger", async () => {
  const { request } = await adminFixture({ adminToken: "secret" });
  const headers = { Host: "node.example.org", Authorization: "Bearer secret" };
  expect((await request("GET", "/v1/functions", { headers })).status).toBe(200);
});

describe("without a token", () => {
  test.each([
    { Origin: "https://example.org" },
    { Origin: "http://example.org:8080" },
    { Origin: "null" },
    { "Sec-Fetch-Site": "cross-site" },
  ])("a web page from elsewhere is refused (%j)", async (headers) => {
    const { request, functions } = await adminFixture();
    const response = await request("POST", "/wipe", { headers });
    expect(response.status).toBe(403);
    expect(await codeOf(response)).toBe("ENOKI_FORBIDDEN");
    expect(functions.removals).toEqual([]);
  });

  test.each(["example.org", "example.org:8080", "127.0.0.1.example.org", "localhost.example.org"])(
    "a page that was pointed at this machine as %s reads nothing",
    async (host) => {
      const { request } = await adminFixture();
      const headers = { Host: host, "Sec-Fetch-Site": "same-origin" };
      const response = await request("GET", "/v1/functions", { headers });
      expect([response.status, await codeOf(response)]).toEqual([403, "ENOKI_FORBIDDEN"]);
      expect((await request("GET", "/healthz", { headers })).status).toBe(200);
      expect((await request("GET", "/readyz", { headers })).status).toBe(200);
    },
  );

  test.each(["localhost", "LOCALHOST:1", "127.0.0.1:8080", "127.3.2.1", "[::1]:8080", "[::1]"])(
    "the host %s is this machine",
    async (host) => {
      const { request } = await adminFixture();
      expect((await request("GET", "/v1/functions", { headers: { Host: host } })).status).toBe(200);
    },
  );

  test("a page of this machine is not", async () => {
    const { request } = await adminFixture();
    const headers = { Origin: "http://localhost:8080", "Sec-Fetch-Site": "same-origin" };
    expect((await request("POST", "/wipe", { headers })).status).toBe(200);
  });
});

test("readiness follows the node", async () => {
  const { request } = await adminFixture({ isReady: () => false });
  expect((await request("GET", "/readyz")).status).toBe(503);
  expect((await request("GET", "/healthz")).status).toBe(200);
});

test("an unknown path is 404, a known one with another method 405 with what is allowed", async () => {
  const { request } = await adminFixture();
  const unknown = await request("GET", "/v1/nothing");
  expect([unknown.status, await codeOf(unknown)]).toEqual([404, "ENOKI_NOT_FOUND"]);
  const wrong = await request("POST", "/v1/keygroups/kg/keys/a");
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD, PUT, DELETE"]);
  expect(await codeOf(wrong)).toBe("ENOKI_METHOD_NOT_ALLOWED");
});

test("a bug in the node is logged, and its document says nothing of it", async () => {
  const { request, errors } = await adminFixture({
    metrics: async () => {
      throw new TypeError("secret detail");
    },
  });
  const response = await request("GET", "/metrics");
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain("secret detail");
  expect(JSON.stringify(errors)).toContain("secret detail");
});

test("no answer may be taken for another type than it says", async () => {
  const { request } = await adminFixture();
  const response = await request("GET", "/v1/node");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
});

describe("with tokens of roles", () => {
  /** Paths with which a request gets as far as its rights. */
  const pathOf = (template: string): string =>
    template.replace("{keygroup}", "kg").replaceAll(/\{\w+\}/g, "none");

  test.each(ROLES)(
    "%s reaches the routes that say so, and is told what the others need",
    async (role) => {
      const { request, rights, deps } = await adminFixture();
      await rights.bearerOf("admin");
      const headers = { Authorization: await rights.bearerOf(role) };
      for (const { id, method, path, access } of adminRoutes(deps)) {
        // What it takes stands in its body: `token-grants.test.ts` has it.
        if (id === "runOperation") continue;
        const response = await request(method, pathOf(path), { headers });
        const mayPass = access === "open" || access === "any" || includesRole(role, access);
        // A stream of changes has no end.
        if (response.ok) await response.body?.cancel();
        const body = response.ok ? "" : await response.text();
        expect([path, response.status === 401]).toEqual([path, false]);
        const isRefused = response.status === 403 && body.includes('"ENOKI_FORBIDDEN"');
        expect([path, isRefused]).toEqual([path, !mayPass]);
        if (!mayPass) expect(JSON.parse(body)).toMatchObject({ role: access });
      }
    },
  );

  test("tokens are made, listed and removed, and shown once", async () => {
    const { request, rights } = await adminFixture();
    const post = (body: object, authorization = "") =>
      request("POST", "/v1/tokens", {
        body: JSON.stringify(body),
        headers: authorization === "" ? {} : { Authorization: authorization },
      });
    expect(await codeOf(await post({ role: "read" }))).toBe("ENOKI_NO_ADMIN_TOKEN");
    const first = await post({ role: "admin", name: "root" });
    expect(first.status).toBe(201);
    const { token } = (await first.json()) as { token: string };
    const root = `Bearer ${token}`;
    expect(await codeOf(await post({ role: "read" }))).toBe("ENOKI_UNAUTHORIZED");
    const made = await post({ role: "read", name: "reader", expires: "30d" }, root);
    expect(await made.json()).toMatchObject({
      name: "reader",
      role: "read",
      expiresAt: new Date(rights.clock.nowMs + 30 * 86_400_000).toISOString(),
    });
    const headers = { Authorization: root };
    const listed = await (await request("GET", "/v1/tokens", { headers })).text();
    expect(JSON.parse(listed)).toMatchObject({ tokens: [{ name: "reader" }, { name: "root" }] });
    expect(listed).not.toContain(token.slice(-64));
    expect((await request("DELETE", "/v1/tokens/reader", { headers })).status).toBe(204);
    const again = await request("DELETE", "/v1/tokens/reader", { headers });
    expect(await codeOf(again)).toBe("ENOKI_TOKEN_NOT_FOUND");
    for (const body of [{ role: "root" }, { role: "read", expires: "30" }, {}]) {
      expect(await codeOf(await post(body, root))).toBe("ENOKI_INVALID_INPUT");
    }
  });
});
