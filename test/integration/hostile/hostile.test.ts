import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { probeSandbox } from "../../../src/runtimes/sandbox-probe.js";
import { deployFiles, send } from "../../helpers/node-calls.js";
import { startNode, type RunningNode } from "../../helpers/running-node.js";

const CODE = readFileSync(join(import.meta.dirname, "hostile.py"), "utf8");
const GOOD = "import kv\ndef call(i):\n    return kv.get('k')\n";
const ATTACKS = [...CODE.matchAll(/^ {4}"(\w+)": lambda/gm)].map(([, name]) => name as string);
const sandbox = await probeSandbox();
const missing = "missing" in sandbox ? `: ${sandbox.missing}; \`npm run setup\`` : "";

describe.each(["process", "sandbox"] as const)("a hostile guest in a %s", (isolation) => {
  describe.skipIf(isolation === "sandbox" && missing !== "")(`that writes frames${missing}`, () => {
    let running: RunningNode;

    beforeAll(async () => {
      running = await startNode();
      const config = { isolation, timeout: "3s" };
      await deployFiles(running, "hostile", { "fn.py": CODE }, config);
      await deployFiles(running, "good", { "fn.py": GOOD }, { isolation });
      await running.client.kv("good").set("k", "untouched");
      await running.client.kv("hostile").set("big", "x".repeat(15 * 1024 * 1024));
    });
    afterAll(() => running?.remove());

    test.each(ATTACKS)("%s: the node and another function go on", async (attack) => {
      const call = send(running.functionsUrl, "/hostile", { body: attack });
      const state = { isOver: false };
      void call.finally(() => (state.isOver = true));
      while (!state.isOver) {
        const beginMs = performance.now();
        const health = await fetch(`${running.adminUrl}/healthz`);
        expect(health.status).toBe(200);
        expect(performance.now() - beginMs).toBeLessThan(1000);
      }
      await call;
      const good = await send(running.functionsUrl, "/good", { body: "" });
      expect(good.text).toContain("untouched");
    });
  });
});
