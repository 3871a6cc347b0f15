import { describe, expect, test } from "vitest";

import { adminRoutes, honoPath } from "../../../src/gateway/admin/app.js";
import { adminFixture, type AdminFixture } from "../../helpers/admin-app.js";
import { FakeReplicas } from "../../helpers/fake-replicas.js";
import { checkOf, type OpenApi } from "../../helpers/openapi.js";

async function describeBy({ request }: AdminFixture): Promise<OpenApi> {
  return (await (await request("GET", "/v1/openapi.json")).json()) as OpenApi;
}

describe("the document", () => {
  test("describes the routes that the router has, and no others", async () => {
    const { app, deps } = await adminFixture();
    const routed = app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path}`);
    const document = await describeBy(await adminFixture());
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${honoPath(path)}`),
    );
    expect(described.toSorted()).toEqual(routed.toSorted());
    expect(described).toHaveLength(adminRoutes(deps).length);
  });

  test("is OpenAPI 3.1 with unique operation ids and no dangling references", async () => {
    const document = await describeBy(await adminFixture());
    expect(document.openapi).toBe("3.1.0");
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    const text = JSON.stringify(document);
    const references = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, target]) => target);
    expect(references.length).toBeGreaterThan(20);
    for (const target of references) {
      const name = /^#\/components\/schemas\/(\w+)$/.exec(target as string)?.[1] ?? String(target);
      expect(document.components.schemas).toHaveProperty(name);
    }
    expect(text).not.toContain("$defs");
  });

  test("lists the parameters of path, query and headers", async () => {
    const { paths } = await describeBy(await adminFixture());
    const names = (path: string, method: string) =>
      paths[path]?.[method]?.parameters.map((parameter) => `${parameter.in} ${parameter.name}`);
    expect(names("/v1/keygroups/{keygroup}/keys/{key}", "put")).toEqual([
      "path keygroup",
      "path key",
      "header If-Match",
      "header If-None-Match",
      "header Enoki-Ttl",
      "header Enoki-Session",
    ]);
    expect(names("/v1/functions/{name}/logs", "get")).toEqual([
      "path name",
      "query tail",
      "query follow",
    ]);
  });

  test("says which paths are open", async () => {
    const { paths } = await describeBy(await adminFixture());
    const open = Object.entries(paths).filter(([, { get }]) => get?.security?.length === 0);
    expect(open.map(([path]) => path).toSorted()).toEqual(["/", "/healthz", "/readyz"]);
  });
});

describe("an answer is as described", () => {
  const id = "0123456789abcdef0123456789abcdef";
  const seen = new Set<string>();

  async function filled(): Promise<AdminFixture> {
    const fixture = await adminFixture({ replicas: new FakeReplicas() });
    const { request, functions, invocations } = fixture;
    await request("PUT", "/v1/functions/hello", { body: archive() });
    await request("PUT", "/v1/functions/hello", { body: archive() });
    await request("PUT", "/v1/keygroups/kg/keys/k", { body: "v" });
    await request("POST", "/v1/keygroups/kg/operations", {
      body: '{"op":"increment","key":"n","n":1}',
    });
    invocations.all.set(id, {
      id: id as never,
      function: "hello" as never,
      state: "dead",
      tries: 5,
      createdAtMs: 1,
      finishedAtMs: 2,
      lastError: { code: "ENOKI_TIMEOUT", message: "late" },
    });
    functions.lines.push({ atMs: 1, stream: "stderr", invocation: id as never, text: "oops" });
    return fixture;
  }

  function archive(): FormData {
    const form = new FormData();
    form.set("secrets", new Blob([JSON.stringify({ TOKEN: "a value" })]));
    form.set("archive", new Blob(["zip"]), "code.zip");
    return form;
  }

  const cases: [method: string, template: string, path: string, init?: () => RequestInit][] = [
    ["get", "/v1/node", "/v1/node"],
    ["get", "/v1/nodes", "/v1/nodes"],
    ["get", "/v1/functions", "/v1/functions"],
    ["get", "/v1/functions/{name}", "/v1/functions/hello"],
    ["put", "/v1/functions/{name}", "/v1/functions/hello", () => ({ body: archive() })],
    ["put", "/v1/functions/{name}", "/v1/functions/other", () => ({ body: archive() })],
    ["delete", "/v1/functions/{name}", "/v1/functions/hello"],
    [
      "delete",
      "/v1/functions/{name}/nodes/{node}",
      "/v1/functions/hello/nodes/edge1?force=true&wait=5s&data=keep",
    ],
    ["get", "/v1/functions/{name}/revisions", "/v1/functions/hello/revisions"],
    ["post", "/v1/functions/{name}/rollback", "/v1/functions/hello/rollback"],
    ["get", "/v1/functions/{name}/logs", "/v1/functions/hello/logs"],
    ["get", "/v1/invocations", "/v1/invocations"],
    ["get", "/v1/invocations/{id}", `/v1/invocations/${id}`],
    ["post", "/v1/invocations/{id}/replay", `/v1/invocations/${id}/replay`],
    ["delete", "/v1/invocations/{id}", `/v1/invocations/${id}`],
    ["get", "/v1/keygroups", "/v1/keygroups"],
    ["post", "/v1/keygroups", "/v1/keygroups", () => ({ body: '{"name":"new","ttl":"1d"}' })],
    ["get", "/v1/keygroups/{keygroup}", "/v1/keygroups/kg"],
    ["patch", "/v1/keygroups/{keygroup}", "/v1/keygroups/kg", () => ({ body: "{}" })],
    ["delete", "/v1/keygroups/{keygroup}", "/v1/keygroups/kg"],
    ["get", "/v1/keygroups/{keygroup}/replicas", "/v1/keygroups/kg/replicas"],
    [
      "put",
      "/v1/keygroups/{keygroup}/replicas/{node}",
      "/v1/keygroups/kg/replicas/edge1",
      () => ({ body: '{"durability":"strict"}' }),
    ],
    [
      "delete",
      "/v1/keygroups/{keygroup}/replicas/{node}",
      "/v1/keygroups/kg/replicas/edge1?force=true&wait=5s",
    ],
    [
      "post",
      "/v1/keygroups/{keygroup}/move",
      "/v1/keygroups/kg/move",
      () => ({ body: '{"data":"at:edge1"}' }),
    ],
    [
      "post",
      "/v1/keygroups/{keygroup}/refound",
      "/v1/keygroups/kg/refound",
      () => ({ body: '{"node":"edge1"}' }),
    ],
    ["get", "/v1/keygroups/{keygroup}/keys", "/v1/keygroups/kg/keys?values=true"],
    ["put", "/v1/keygroups/{keygroup}/keys/{key}", "/v1/keygroups/kg/keys/k"],
    ["delete", "/v1/keygroups/{keygroup}/keys/{key}", "/v1/keygroups/kg/keys/k"],
    ["get", "/v1/keygroups/{keygroup}/keys/{key}/explain", "/v1/keygroups/kg/keys/k/explain"],
    [
      "post",
      "/v1/keygroups/{keygroup}/operations",
      "/v1/keygroups/kg/operations",
      () => ({ body: '{"op":"get","key":"k"}' }),
    ],
    ["get", "/v1/keygroups/{keygroup}/export", "/v1/keygroups/kg/export"],
    ["post", "/v1/keygroups/{keygroup}/import", "/v1/keygroups/kg/import"],
    ["get", "/v1/functions/{name}/secrets", "/v1/functions/hello/secrets"],
    [
      "patch",
      "/v1/functions/{name}/secrets",
      "/v1/functions/hello/secrets",
      () => ({ body: '{"KEY":"value"}' }),
    ],
    [
      "post",
      "/v1/functions/{name}/secrets/compare",
      "/v1/functions/hello/secrets/compare",
      () => ({ body: '{"KEY":"value"}' }),
    ],
    ["post", "/v1/functions/{name}/secrets/reseal", "/v1/functions/hello/secrets/reseal"],
    ["get", "/v1/tokens", "/v1/tokens"],
    ["get", "/v1/keygroups/{keygroup}/grants", "/v1/keygroups/kg/grants"],
    [
      "put",
      "/v1/keygroups/{keygroup}/grants",
      "/v1/keygroups/kg/grants",
      () => ({ body: '{"to":"function:alarm","rights":["read","write"]}' }),
    ],
    ["delete", "/v1/keygroups/{keygroup}/grants/{to}", "/v1/keygroups/kg/grants/function:alarm"],
    ["post", "/v1/tokens", "/v1/tokens", () => ({ body: '{"role":"admin","expires":"1d"}' })],
  ];

  test.each(cases)("%s %s: %s", async (method, template, path, init) => {
    const fixture = await filled();
    const document = await describeBy(fixture);
    const response = await fixture.request(method.toUpperCase(), path, init?.());
    const described = document.paths[template]?.[method]?.responses[response.status];
    expect(described, `status ${response.status}`).toBeDefined();
    seen.add(`${method} ${template}`);
    const [contentType, content] = Object.entries(described?.content ?? {})[0] ?? [];
    expect(response.headers.get("content-type")).toBe(contentType ?? null);
    const text = await response.text();
    if (content?.schema === undefined) return expect(text).toBe("");
    const check = checkOf(document, content.schema);
    const isStream = contentType === "application/x-ndjson";
    const documents = isStream ? text.trimEnd().split("\n") : [text];
    for (const part of documents) {
      expect(check.safeParse(JSON.parse(part)).error?.issues ?? []).toEqual([]);
    }
  });

  test("as is every error", async () => {
    const fixture = await filled();
    const document = await describeBy(fixture);
    const described = document.paths["/v1/node"]?.["get"]?.responses["default"];
    const schema = described?.content?.["application/problem+json"]?.schema as object;
    const response = await fixture.request("GET", "/v1/functions/missing");
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(checkOf(document, schema).safeParse(await response.json()).success).toBe(true);
  });

  test("and the check itself finds what differs", async () => {
    const document = await describeBy(await adminFixture());
    const described = document.paths["/v1/node"]?.["get"]?.responses["200"];
    const schema = described?.content?.["application/json"]?.schema as object;
    expect(checkOf(document, schema).safeParse({ name: "n1" }).success).toBe(false);
  });

  test("and no described JSON answer was left out", async () => {
    const document = await describeBy(await adminFixture());
    const withSchema = Object.entries(document.paths).flatMap(([template, methods]) =>
      Object.entries(methods)
        .filter(([, { responses }]) =>
          Object.entries(responses).some(
            ([status, { content }]) =>
              status !== "default" && Object.values(content ?? {}).some(({ schema }) => schema),
          ),
        )
        .map(([method]) => `${method} ${template}`),
    );
    const endless = "get /v1/keygroups/{keygroup}/watch";
    expect(withSchema.filter((row) => !seen.has(row))).toEqual([endless]);
  });
});
