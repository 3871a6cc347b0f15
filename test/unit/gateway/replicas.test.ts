import { expect, test } from "vitest";

import { adminFixture } from "../../helpers/admin-app.js";
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
