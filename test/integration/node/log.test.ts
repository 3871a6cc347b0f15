import { expect, onTestFinished, test } from "vitest";

import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { startNodes, type ClusterNode } from "../../helpers/running-cluster.js";

const MARKER = "marker-5e1f";
/** Keeps what it gets, and fails if it is told to. */
const FILES = zipFiles({
  "index.mjs": `import { kv } from "enoki";
export async function call(input) {
  await kv.set("kept", input);
  if (input.startsWith("fail")) throw new Error("as it was told");
  return input;
}
`,
});

test("a node's log says what changed, and nothing that a request or a value carried", async () => {
  const cluster = await startNodes(["cloud", "edge1"]);
  onTestFinished(() => cluster.remove());
  const [cloud, edge1] = cluster.nodes as [ClusterNode, ClusterNode];
  await cloud.client.functions.deploy("keep", FILES, {}, { to: "all" });
  // why: what says nothing at all would pass, too.
  await until("the log tells of the deploy", () => cluster.log().includes("revision"));

  const body = `body ${MARKER}`;
  const headers = { "x-note": MARKER };
  const path = `/keep/${MARKER}?q=${MARKER}`;
  expect((await send(cloud.functionsUrl, path, { body, headers })).text).toBe(body);
  const failing = await send(cloud.functionsUrl, path, { body: `fail ${MARKER}`, headers });
  expect(failing.status).toBe(500);
  const later = await cloud.client.send("keep", `later ${MARKER}`);
  await until("it was called later", async () => {
    return (await cloud.client.result(later.id))?.status === 200;
  });
  const kv = edge1.client.kv("keep");
  await kv.set(`key-${MARKER}`, `value ${MARKER}`);
  const refused = kv.set(`key-${MARKER}`, `value ${MARKER}`, { ifAbsent: true });
  await expect(refused).rejects.toMatchObject({ code: "ENOKI_VERSION_CONFLICT" });
  await until("the other node has it", async () => {
    return (await cloud.client.kv("keep").get(`key-${MARKER}`)) === `value ${MARKER}`;
  });
  expect((await fetch(`${edge1.adminUrl}/v1/${MARKER}?${MARKER}`)).status).toBe(404);

  expect(cluster.log()).not.toContain(MARKER);
});
