import { expect, test } from "vitest";

import { deployFiles, send, until } from "../../helpers/node-calls.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";

const MIB = 1024 * 1024;

async function resultOf(running: RunningNode, sizeBytes: number): Promise<string> {
  const headers = { prefer: "respond-async", "content-type": "text/plain" };
  const answer = await send(running.functionsUrl, "/large", {
    method: "POST",
    body: String(sizeBytes),
    headers,
  });
  const location = answer.headers["location"] as string;
  await until("its result", async () => {
    return (await send(running.functionsUrl, location, { method: "HEAD" })).status === 200;
  });
  return location;
}

test("results beyond 64 MiB of a function are dropped, the oldest first, also after a restart", async () => {
  let running = await startNode(PROCESS_ISOLATION);
  try {
    await deployFiles(running, "large", {
      "index.mjs": "export const call = (size) => new Uint8Array(Number(size)).fill(7);",
    });
    const locations: string[] = [];
    for (let i = 0; i < 4; i++) locations.push(await resultOf(running, 15 * MIB));
    running = await running.restart();
    const statuses = async () => {
      const answers = locations.map((path) => send(running.functionsUrl, path, { method: "HEAD" }));
      return (await Promise.all(answers)).map(({ status }) => status);
    };
    expect(await statuses()).toEqual([200, 200, 200, 200]);
    for (let i = 0; i < 2; i++) locations.push(await resultOf(running, 15 * MIB));
    expect(await statuses()).toEqual([404, 404, 200, 200, 200, 200]);
    const kept = await send(running.functionsUrl, locations[2] as string);
    expect(kept.body.length).toBe(15 * MIB);
    expect(kept.body.every((byte) => byte === 7)).toBe(true);
  } finally {
    await running.remove();
  }
});
