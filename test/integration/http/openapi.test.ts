import { afterAll, beforeAll, expect, test } from "vitest";

import { deployFiles, send, until, type Answer } from "../../helpers/node-calls.js";
import { checkOf, type OpenApi } from "../../helpers/openapi.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

let running: RunningNode;
let document: OpenApi;
let invocation: string;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
  document = JSON.parse((await get("/v1/openapi.json")).text) as OpenApi;
  for (const answer of ["one", "two"]) {
    const code = `export const call = () => { console.log("called"); return "${answer}"; };`;
    await deployFiles(running, "hello", { "index.mjs": code });
  }
  const headers = { prefer: "respond-async" };
  const accepted = await send(running.functionsUrl, "/hello", { body: "x", headers });
  expect(accepted.status).toBe(202);
  invocation = (accepted.headers["location"] as string).replace("/_enoki/invocations/", "");
  await until("it has ended and is logged", async () => {
    const { text } = await get(`/v1/invocations/${invocation}`);
    const logs = await get("/v1/functions/hello/logs");
    return JSON.parse(text).state === "done" && logs.text.includes("called");
  });
});
afterAll(() => running?.remove());

const get = (path: string) => send(running.adminUrl, path);

test.each([
  ["/v1/node", "/v1/node"],
  ["/v1/functions", "/v1/functions"],
  ["/v1/functions/{name}", "/v1/functions/hello"],
  ["/v1/functions/{name}/revisions", "/v1/functions/hello/revisions"],
  ["/v1/functions/{name}/logs", "/v1/functions/hello/logs"],
  ["/v1/invocations", "/v1/invocations"],
  ["/v1/invocations/{id}", "/v1/invocations/ID"],
])("a real node answers GET %s as its document says", async (template, path) => {
  const answer = await get(path.replace("ID", invocation));
  expect(answer.status, answer.text).toBe(200);
  expectDescribed(template, "get", answer);
});

const KG = "/v1/keygroups/{keygroup}";
const HELLO = "/v1/functions/{name}";

/** Requests in their order: method, route, path, whether it is refused, body, headers. */
const WALK: [string, string, string, "done" | "refused", string?, Record<string, string>?][] = [
  ["post", "/v1/keygroups", "/v1/keygroups", "done", '{"name":"kg","ttl":"1d"}'],
  ["post", "/v1/keygroups", "/v1/keygroups", "refused", '{"name":"not_valid"}'],
  ["get", "/v1/keygroups", "/v1/keygroups", "done"],
  ["get", KG, "/v1/keygroups/kg", "done"],
  ["get", KG, "/v1/keygroups/none", "refused"],
  ["patch", KG, "/v1/keygroups/kg", "done", "{}"],
  ["put", `${KG}/keys/{key}`, "/v1/keygroups/kg/keys/k", "done", '"v"'],
  [
    "put",
    `${KG}/keys/{key}`,
    "/v1/keygroups/kg/keys/k",
    "refused",
    '"w"',
    { "if-none-match": "*" },
  ],
  ["get", `${KG}/keys`, "/v1/keygroups/kg/keys?values=true", "done"],
  ["get", `${KG}/keys/{key}/explain`, "/v1/keygroups/kg/keys/k/explain", "done"],
  ["post", `${KG}/operations`, "/v1/keygroups/kg/operations", "done", '{"op":"get","key":"k"}'],
  [
    "post",
    `${KG}/operations`,
    "/v1/keygroups/kg/operations",
    "done",
    '{"op":"batch","writes":[{"op":"increment","key":"n","n":1}]}',
  ],
  ["post", `${KG}/operations`, "/v1/keygroups/kg/operations", "refused", '{"op":"none"}'],
  ["get", `${KG}/export`, "/v1/keygroups/kg/export", "done"],
  [
    "post",
    `${KG}/import`,
    "/v1/keygroups/kg/import",
    "done",
    '{"key":"i","value":{"t":"str","v":"x"}}\n',
  ],
  ["delete", `${KG}/keys/{key}`, "/v1/keygroups/kg/keys/k", "done"],
  ["get", `${KG}/keys/{key}`, "/v1/keygroups/kg/keys/k", "refused"],
  ["get", `${KG}/replicas`, "/v1/keygroups/kg/replicas", "refused"],
  ["get", `${KG}/grants`, "/v1/keygroups/kg/grants", "done"],
  ["post", `${HELLO}/rollback`, "/v1/functions/hello/rollback", "done"],
  ["post", `${HELLO}/rollback`, "/v1/functions/hello/rollback", "refused", '{"revision":99}'],
  ["put", HELLO, "/v1/functions/broken", "refused", "no form"],
  ["get", `${HELLO}/secrets`, "/v1/functions/hello/secrets", "done"],
  ["post", "/v1/invocations/{id}/replay", "/v1/invocations/ID/replay", "refused"],
  ["delete", HELLO, "/v1/functions/hello", "done"],
  ["get", HELLO, "/v1/functions/hello", "refused"],
  ["delete", KG, "/v1/keygroups/kg", "done"],
];

test("a real node answers what changes it as its document says, and what it refuses", async () => {
  for (const [method, template, path, outcome, body, headers = {}] of WALK) {
    const answer = await send(running.adminUrl, path.replace("ID", invocation), {
      method: method.toUpperCase(),
      headers: { "content-type": "application/json", ...headers },
      ...(body !== undefined && { body }),
    });
    const what = `${method} ${path}: ${answer.status} ${answer.text}`;
    expect(answer.status < 300 ? "done" : "refused", what).toBe(outcome);
    expectDescribed(template, method, answer);
  }
});

/** Checks an answer against what the document says of its status, or of all others. */
function expectDescribed(template: string, method: string, answer: Answer): void {
  const what = `${method} ${template}: ${answer.status}`;
  const responses = document.paths[template]?.[method]?.responses ?? {};
  const response =
    responses[answer.status] ?? (answer.status < 300 ? undefined : responses["default"]);
  expect(response, what).toBeDefined();
  const [type, described] = Object.entries(response?.content ?? {})[0] ?? [];
  expect(answer.headers["content-type"], what).toBe(type);
  if (described?.schema === undefined) return expect(answer.text, what).toBe("");
  const check = checkOf(document, described.schema);
  const parts = type === "application/x-ndjson" ? answer.text.trimEnd().split("\n") : [answer.text];
  for (const part of parts) {
    expect(check.safeParse(JSON.parse(part)).error?.issues ?? [], what).toEqual([]);
  }
}
