import { afterAll, beforeAll, expect, test } from "vitest";

import { deployFiles, problemOf, send, until } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

let running: RunningNode;

beforeAll(async () => {
  running = await startNode(PROCESS_ISOLATION);
});
afterAll(() => running?.remove());

test("a keygroup with invocations that are retried goes only after its function", async () => {
  const failing = 'export async function call() { throw new Error("no"); }';
  await deployFiles(running, "failing", { "index.mjs": failing });
  const { client, functionsUrl, adminUrl } = running;
  const headers = { prefer: "respond-async" };
  const accepted = await send(functionsUrl, "/failing", { method: "POST", headers });
  expect(accepted.status).toBe(202);
  await until("a first try", async () => (await client.invocations.list())[0]?.tries === 1);
  const path = "/v1/keygroups/failing";
  const refused = await send(adminUrl, path, { method: "DELETE" });
  expect(problemOf(refused)).toMatchObject({ status: 409, code: "ENOKI_KEYGROUP_IN_USE" });
  await client.functions.remove("failing");
  expect((await send(adminUrl, path, { method: "DELETE" })).status).toBe(204);
  expect(await client.invocations.list()).toEqual([]);
  expect((await send(adminUrl, path)).status).toBe(404);
});
