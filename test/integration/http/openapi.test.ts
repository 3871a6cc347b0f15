import { afterAll, beforeAll, expect, test } from "vitest";

import { deployFiles, send, until } from "../../helpers/node-calls.js";
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
  const { content = {} } = document.paths[template]?.["get"]?.responses["200"] ?? {};
  const [type = "", described] = Object.entries(content)[0] ?? [];
  expect(answer.headers["content-type"]).toBe(type);
  const check = checkOf(document, described?.schema as object);
  const parts = type === "application/x-ndjson" ? answer.text.trimEnd().split("\n") : [answer.text];
  for (const part of parts) {
    expect(check.safeParse(JSON.parse(part)).error?.issues ?? []).toEqual([]);
  }
});
