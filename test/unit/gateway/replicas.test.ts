import { expect, test } from "vitest";

import { parseKeygroupName } from "../../../src/core/ids.js";
import type { Right } from "../../../src/core/rights.js";
import { adminFixture, codeOf } from "../../helpers/admin-app.js";
import { FakeReplicas } from "../../helpers/fake-replicas.js";

const PLACES = {
  name: "kg",
  policy: "lww",
  ttl: null,
  data: "replicate",
  replicas: [
    { node: "edge1", durability: "relaxed", state: "serving" },
    { node: "cloud", durability: "strict", state: "joining" },
  ],
};

test("replicas are shown, added, removed, moved and begun anew, as the request says", async () => {
  const replicas = new FakeReplicas();
  const { request } = await adminFixture({ replicas });
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    return (await request(method, `/v1/keygroups/kg/${path}`, init)).json();
  };
  expect(await ask("GET", "replicas")).toEqual(PLACES);
  expect(await ask("PUT", "replicas/edge2")).toEqual(PLACES);
  await ask("PUT", "replicas/edge2", { durability: "strict" });
  expect(await ask("DELETE", "replicas/edge2")).toEqual({ ...PLACES, lost: 0 });
  replicas.lost = undefined;
  expect(await ask("DELETE", "replicas/edge2?force=true&wait=5s")).toMatchObject({ lost: null });
  await ask("POST", "refound", { node: "cloud", force: true });
  expect(replicas.asked).toEqual([
    "add kg edge2 undefined",
    "add kg edge2 strict",
    "remove kg edge2 false 30000",
    "remove kg edge2 true 5000",
    "refound kg cloud true",
  ]);
  expect(await ask("POST", "move", { data: "at:cloud" })).toMatchObject({ data: "at:cloud" });
  expect(await ask("POST", "move", { data: "somewhere" })).toMatchObject({
    code: "ENOKI_INVALID_INPUT",
    field: "data",
  });
});

test("replicas are managed by tokens with the right to it on that keygroup, and by no right but that and admin", async () => {
  const replicas = new FakeReplicas();
  const { request, rights, deps, keygroups } = await adminFixture({ replicas });
  await keygroups.create(parseKeygroupName("other"), {});
  await rights.bearerOf("admin");
  const { token, text } = await rights.tokens.create({
    role: "invoke",
    name: "operator",
    validMs: undefined,
  });
  const kg = parseKeygroupName("kg");
  const granted = (...given: Right[]) =>
    deps.grants.set(kg, { kind: "token", id: token.id }, given);
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { Authorization: `Bearer ${text}` };
    const init = body === undefined ? { headers } : { headers, body: JSON.stringify(body) };
    const answer = await request(method, `/v1/keygroups/${path}`, init);
    return answer.ok ? "done" : `${answer.status} ${await codeOf(answer)}`;
  };
  const changes = (keygroup: string) => [
    ask("PUT", `${keygroup}/replicas/edge2`),
    ask("DELETE", `${keygroup}/replicas/edge2`),
    ask("POST", `${keygroup}/move`, { data: "at:cloud" }),
  ];
  const begin = () => ask("POST", "kg/refound", { node: "cloud" });
  const show = () => ask("GET", "kg/replicas");
  const [done, refused] = ["done", "403 ENOKI_FORBIDDEN"];

  await granted("read", "write", "triggers");
  expect(await Promise.all([...changes("kg"), begin()])).toEqual(Array(4).fill(refused));
  expect(replicas.asked).toEqual([]);
  await granted("replicas");
  expect(await Promise.all(changes("kg"))).toEqual([done, done, done]);
  // It is no right to see the data or where they lie, to begin anew, or to other keygroups.
  const others = [show(), begin(), ask("GET", "kg/keys/k"), ...changes("other")];
  expect(await Promise.all(others)).toEqual(Array(6).fill(refused));
  await granted("admin");
  expect(await Promise.all([...changes("kg"), begin(), show()])).toEqual(Array(5).fill(done));
  await granted();
  expect(await Promise.all(changes("kg"))).toEqual([refused, refused, refused]);
});

test("a node that is alone has no replicas to manage", async () => {
  const { request } = await adminFixture();
  const answer = await request("POST", "/v1/keygroups/kg/move", { body: '{"data":"at:b"}' });
  expect(answer.status).toBe(501);
  expect(await answer.json()).toMatchObject({ code: "ENOKI_UNSUPPORTED" });
  const made = await request("POST", "/v1/keygroups", { body: '{"name":"new","data":"at:b"}' });
  expect(await made.json()).toMatchObject({ code: "ENOKI_UNSUPPORTED" });
});

test("a deploy says where its data are to lie, and a function is taken off one node", async () => {
  const { request, functions } = await adminFixture();
  const form = new FormData();
  form.set("archive", new Blob(["zip"]), "code.zip");
  await request("PUT", "/v1/functions/hello?data=at:cloud&to=edge1", { body: form });
  expect(functions.deploys[0]).toMatchObject({
    placement: { kind: "at", node: "cloud" },
    targets: { nodes: ["edge1"] },
  });
  const gone = await request("DELETE", "/v1/functions/hello/nodes/edge1?wait=2s");
  expect(await gone.json()).toEqual({ name: "hello", node: "edge1", lost: 0 });
  expect(functions.undeploys).toEqual([
    { name: "hello", node: "edge1", isForced: false, withinMs: 2000, keepsData: false },
  ]);
});
