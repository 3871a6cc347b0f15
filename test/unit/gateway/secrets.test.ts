import { expect, test } from "vitest";

import { adminFixture, codeOf, type AdminFixture } from "../../helpers/admin-app.js";

const VALUE = "s3cr3t-value";

function deployForm(secrets?: string): FormData {
  const form = new FormData();
  form.set("archive", new Blob(["zip"]), "fn.zip");
  if (secrets !== undefined) form.set("secrets", new Blob([secrets]));
  return form;
}

async function deployed(secrets?: object): Promise<AdminFixture> {
  const fixture = await adminFixture();
  const body = deployForm(secrets && JSON.stringify(secrets));
  const response = await fixture.request("PUT", "/v1/functions/report", { body });
  expect(response.status).toBe(201);
  return fixture;
}

function patch({ request }: AdminFixture, changes: unknown): Promise<Response> {
  const body = typeof changes === "string" ? changes : JSON.stringify(changes);
  return request("PATCH", "/v1/functions/report/secrets", { body });
}

test("a deploy seals its secrets; everything that shows the function has their names", async () => {
  const fixture = await deployed({ API_KEY: VALUE, OTHER: "another one" });
  expect(JSON.stringify(fixture.functions.deploys)).not.toContain(VALUE);
  for (const path of ["", "/report", "/report/revisions", "/report/secrets"]) {
    const text = await (await fixture.request("GET", `/v1/functions${path}`)).text();
    expect(text).toContain("API_KEY");
    expect(text).not.toMatch(/s3cr3t|another one|v1\./);
  }
  const listed = (await (await fixture.request("GET", "/v1/functions/report/secrets")).json()) as {
    secrets: { name: string; key: string }[];
  };
  expect(listed.secrets.map(({ name }) => name)).toEqual(["API_KEY", "OTHER"]);
  expect(listed.secrets[0]?.key).toMatch(/^[0-9a-f]{12}$/);
});

test("a deploy that says nothing of secrets keeps those there; null takes one away", async () => {
  const fixture = await deployed({ A: VALUE, B: VALUE });
  await fixture.request("PUT", "/v1/functions/report", { body: deployForm() });
  expect(fixture.functions.deploys.at(-1)?.secrets).toBeUndefined();
  const body = deployForm(JSON.stringify({ A: null }));
  await fixture.request("PUT", "/v1/functions/report", { body });
  expect(fixture.functions.deploys.at(-1)?.secrets).toEqual({ A: null });
});

test("secrets are changed without a deploy, and the answer has their names", async () => {
  const fixture = await deployed({ A: VALUE });
  const response = await patch(fixture, { B: "two-two", A: null });
  expect(await response.json()).toMatchObject({ revision: 2, config: { secrets: ["B"] } });
  const gone = await patch(fixture, { A: null });
  expect([gone.status, await codeOf(gone)]).toEqual([404, "ENOKI_SECRET_NOT_FOUND"]);
});

test("values are compared without being told", async () => {
  const fixture = await deployed({ A: VALUE, B: VALUE });
  const response = await fixture.request("POST", "/v1/functions/report/secrets/compare", {
    body: JSON.stringify({ A: VALUE, B: "else", C: VALUE, toString: VALUE }),
  });
  expect(await response.json()).toEqual({
    secrets: { A: "same", B: "different", C: "missing", toString: "missing" },
  });
});

test.each([
  ["no JSON", `{"A": ${VALUE}`],
  ["no object", JSON.stringify(VALUE)],
  ["a number", JSON.stringify({ A: 12345678 })],
  ["a name that is none", JSON.stringify({ "A B": VALUE })],
  ["a zero byte", JSON.stringify({ A: `${VALUE}\0` })],
])("%s is refused, and nothing of it quoted", async (_what, text) => {
  const fixture = await deployed({ A: "before" });
  const body = deployForm(text);
  const responses = [
    await patch(fixture, text),
    await fixture.request("PUT", "/v1/functions/report", { body }),
  ];
  for (const response of responses) {
    const said = await response.text();
    expect([response.status, said]).toEqual([400, expect.stringContaining("ENOKI_INVALID_INPUT")]);
    expect(said).not.toMatch(/s3cr3t|12345678/);
  }
  expect(fixture.errors).toEqual([]);
});

test("who may only look sees names, and sets and compares nothing", async () => {
  const fixture = await adminFixture({ adminToken: "root" });
  const { rights, request } = fixture;
  const body = deployForm(JSON.stringify({ A: VALUE }));
  await request("PUT", "/v1/functions/report", { body, headers: { Authorization: "Bearer root" } });
  const made = await rights.tokens.create({ role: "read", name: "eye", validMs: undefined });
  const headers = { Authorization: `Bearer ${made.text}` };
  const status = async (method: string, path: string, text?: string): Promise<number> =>
    (
      await request(method, `/v1/functions/report/secrets${path}`, {
        headers,
        ...(text && { body: text }),
      })
    ).status;
  expect(await status("GET", "")).toBe(200);
  expect(await status("PATCH", "", JSON.stringify({ A: "x" }))).toBe(403);
  expect(await status("POST", "/compare", JSON.stringify({ A: "x" }))).toBe(403);
  expect(await status("POST", "/reseal")).toBe(403);
});
