import { Agent } from "node:http";
import { expect, test } from "vitest";

import { deployFiles, problemOf, send, until } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode } from "../../helpers/running-node.js";

const SLOW = {
  "index.mjs": "export const call = (i) => new Promise((r) => setTimeout(r, Number(i), 'ended'));",
};

/** A call over a connection that its client keeps open. */
function callWith(agent: Agent, base: string, body: string) {
  const headers = { "content-type": "text/plain" };
  return send(base, "/slow", { method: "POST", body, headers, agent });
}

test("a node that stops answers the calls that run, and then waits for no open connection", async () => {
  const running = await startNode(PROCESS_ISOLATION);
  const agent = new Agent({ keepAlive: true });
  await deployFiles(running, "slow", SLOW);
  await callWith(agent, running.functionsUrl, "0");
  const last = callWith(agent, running.functionsUrl, "500");
  await until("it runs", async () => {
    const { status } = await running.client.functions.get("slow");
    return status.running === 1;
  });
  const began = performance.now();
  const removed = running.remove();
  expect(await last).toMatchObject({ status: 200, text: "ended" });
  await removed;
  // Idle connections are kept for five seconds otherwise.
  expect(performance.now() - began).toBeLessThan(4000);
  agent.destroy();
});

test("a call that takes longer than the drain time is cut off with its reason", async () => {
  const running = await startNode({ ...PROCESS_ISOLATION, drainTimeoutMs: 300 });
  await deployFiles(running, "slow", SLOW);
  const agent = new Agent();
  const cut = callWith(agent, running.functionsUrl, "60000").catch(() => undefined);
  await until("it runs", async () => {
    const { status } = await running.client.functions.get("slow");
    return status.running === 1;
  });
  const began = performance.now();
  await running.remove();
  expect(performance.now() - began).toBeLessThan(4000);
  const answer = await cut;
  if (answer) expect(problemOf(answer)).toMatchObject({ status: 502, code: "ENOKI_INSTANCE_DIED" });
});

test("calls that wait for an instance are refused when the node stops, and may be sent elsewhere", async () => {
  const running = await startNode(PROCESS_ISOLATION);
  await deployFiles(running, "slow", SLOW, { concurrency: 1, maxInstances: 1 });
  const agent = new Agent();
  const first = callWith(agent, running.functionsUrl, "500");
  const waiting = callWith(agent, running.functionsUrl, "0");
  await until("one waits", async () => {
    const { status } = await running.client.functions.get("slow");
    return status.queued === 1;
  });
  const removed = running.remove();
  const refused = await waiting;
  expect(problemOf(refused)).toMatchObject({ status: 503, code: "ENOKI_DRAINING" });
  expect(refused.headers["retry-after"]).toBeDefined();
  expect((await first).status).toBe(200);
  await removed;
});
