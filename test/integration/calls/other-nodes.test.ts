import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { EnokiError } from "../../../dist/core/errors.js";
import { parseFunctionName, parseNodeName } from "../../../dist/core/ids.js";
import { DistantNodes, type DistantNode } from "../../helpers/distant-nodes.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { CALLEE, CALLERS, type Called } from "./functions.js";

/** Says which node it runs on: each is given its own name. */
const where = (name: string) =>
  zipFiles({ "index.mjs": `export const call = () => ${JSON.stringify(name)};` });

const [NEAR, FAR] = [parseNodeName("near"), parseNodeName("far")];

let nodes: DistantNodes;
let edge: DistantNode;
let near: DistantNode;
let far: DistantNode;

/** `edge` has the callers only; `near` and `far` have what they call, 20 and 250 ms away. */
beforeAll(async () => {
  nodes = await DistantNodes.open();
  edge = await nodes.start("edge");
  // Nobody dials it, so each of its links is as long as the way that it dials.
  edge.proxy.cut();
  near = await nodes.start("near", 20);
  far = await nodes.start("far", 250);
  for (const [name, files] of Object.entries(CALLERS)) {
    await edge.client.functions.deploy(name, zipFiles(files as Record<string, string>), {});
  }
  for (const { client } of [near, far]) {
    await client.functions.deploy("callee", zipFiles({ "index.mjs": CALLEE }), {});
  }
  await far.client.functions.deploy("only-far", zipFiles({ "index.mjs": CALLEE }), {});
  await until("edge is linked to both, and has measured how far they are", () => {
    const trips = new Map(edge.node.cluster?.links.peers().map((p) => [p.node, p.roundTripMs]));
    return (trips.get(NEAR) ?? Infinity) < (trips.get(FAR) ?? 0);
  });
  await until("edge knows that both serve it", () => {
    const places = edge.node.cluster?.directory.view.functionNodes(parseFunctionName("callee"));
    return places?.filter(({ serving }) => serving > 0).length === 2;
  });
  await until("edge knows of them", async () => (await ask("only-far")).code === undefined);
});
afterAll(() => nodes?.remove());

async function ask(name: string, data: unknown = {}, more: object = {}): Promise<Called> {
  const answer = await raw(name, data, more);
  if (answer.status !== 200) throw new Error(answer.text);
  return JSON.parse(answer.text) as Called;
}

function raw(
  name: string,
  data: unknown,
  {
    caller = "node",
    session,
    traceparent,
    ...options
  }: { caller?: string; session?: string; traceparent?: string } = {},
) {
  return send(edge.functionsUrl, `/${caller}`, {
    body: JSON.stringify({ name, data, options }),
    headers: {
      "content-type": "application/json",
      ...(session === undefined ? {} : { "enoki-session": session }),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
  });
}

const totalOn = ({ node }: DistantNode, name: string): number =>
  node.functions.find(name)?.status.invocationsTotal ?? 0;

describe("a call of a function that runs on other nodes", () => {
  test("takes place on the nearest of them", async () => {
    const before = [totalOn(near, "callee"), totalOn(far, "callee")] as const;
    for (let n = 0; n < 5; n++) await ask("callee");
    expect(totalOn(near, "callee")).toBe(before[0] + 5);
    expect(totalOn(far, "callee")).toBe(before[1]);
  });

  test("takes place here as soon as it runs here", async () => {
    await near.client.functions.deploy("which", where("near"), {});
    await until("it runs there", async () => (await ask("which")).result === "near");
    await edge.client.functions.deploy("which", where("edge"), {});
    expect((await ask("which")).result).toBe("edge");
  });

  test("carries data, trace, deadline and failures as a call on this node does", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    const { result } = await ask("only-far", { a: 1 }, { timeout: "3s", traceparent });
    const seen = result as { leftMs: number; headers: Record<string, string> };
    expect(seen).toMatchObject({ input: { a: 1 }, method: "POST" });
    expect(seen.headers["traceparent"]).toContain(traceId);
    expect(seen.leftMs).toBeLessThanOrEqual(3000);
    expect(await ask("only-far", { throw: "no luck" })).toMatchObject({
      code: "ENOKI_FUNCTION_ERROR",
      message: "Error: no luck",
      extra: { errorType: "Error" },
    });
    expect(await ask("only-far", { status: 409 })).toMatchObject({
      code: "ENOKI_CALL_STATUS",
      extra: { status: 409 },
    });
    const late = await ask("only-far", { sleepMs: 5000 }, { timeout: "700ms" });
    expect(late).toMatchObject({ code: "ENOKI_TIMEOUT" });
    const large = "x".repeat(2_000_000);
    expect((await ask("only-far", { text: large })).result).toBe(large);
  });

  test("counts its depth over all nodes", async () => {
    const circle = zipFiles({
      "index.mjs": `import { call as c } from "enoki";\nexport const call = (i) => c(i === "a" ? "circle-b" : "circle-a", i === "a" ? "b" : "a");`,
    });
    await edge.client.functions.deploy("circle-a", circle, {});
    await near.client.functions.deploy("circle-b", circle, {});
    await until("both know of both", async () => {
      const { status, text } = await send(edge.functionsUrl, "/circle-a", { body: "a" });
      return status === 500 && text.includes("in a circle");
    });
  });

  test("goes on to the next one if it was refused before it had begun", async () => {
    await near.client.functions.deploy("full", zipFiles({ "index.mjs": CALLEE }), {});
    await far.client.functions.deploy("full", zipFiles({ "index.mjs": CALLEE }), {});
    await until("edge knows", async () => (await ask("full")).code === undefined);
    const before = totalOn(far, "full");
    // It goes, and edge has not heard of it yet.
    await near.node.functions.find("full")?.stop(new EnokiError("ENOKI_DRAINING"));
    expect((await ask("full")).code).toBeUndefined();
    expect(totalOn(far, "full")).toBe(before + 1);
  });

  test("says where it runs if there is no link to there, and goes on when there is", async () => {
    far.proxy.cut();
    await until("the link is down", () => edge.node.cluster?.links.peers().length === 1);
    expect(await ask("only-far")).toMatchObject({
      code: "ENOKI_PEER_UNREACHABLE",
      message: 'no link to a node that runs "only-far": far',
    });
    far.proxy.heal();
    await until("it can be called", async () => (await ask("only-far")).code === undefined);
  });

  test("over HTTP is refused here, with the names of the nodes that run it", async () => {
    const { status, text } = await send(edge.functionsUrl, "/only-far", { body: "x" });
    expect(status).toBe(404);
    const detail = 'there is no function "only-far" here; it runs on far';
    expect(JSON.parse(text)).toMatchObject({ code: "ENOKI_FUNCTION_NOT_FOUND", detail });
  });

  test("shows its caller's client what the function has written, on every node", async () => {
    for (let n = 0; n < 5; n++) {
      const stored = await raw("callee", { store: `value ${n}` });
      const session = stored.headers["enoki-session"] as string;
      expect(session).toBeDefined();
      const read = await send(far.functionsUrl, "/callee", {
        body: JSON.stringify({ load: true }),
        headers: { "content-type": "application/json", "enoki-session": session },
      });
      expect(read.text).toBe(`value ${n}`);
    }
  });

  test("waits, there, for what its caller's client has seen elsewhere", async () => {
    for (let n = 0; n < 5; n++) {
      const stored = await send(far.functionsUrl, "/callee", {
        body: JSON.stringify({ store: `far ${n}` }),
        headers: { "content-type": "application/json" },
      });
      const session = stored.headers["enoki-session"] as string;
      const read = JSON.parse((await raw("callee", { load: true }, { session })).text) as Called;
      expect(read.result).toBe(`far ${n}`);
    }
  });

  test.each(["python", "asyncio"])("works the same from %s", async (caller) => {
    const { result } = await ask("callee", { a: 1 }, { caller });
    expect(result).toMatchObject({ input: { a: 1 } });
  });
});
