import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { until } from "../../helpers/node-calls.js";
import { startProgram } from "../../helpers/node-program.js";
import type { ClusterNode } from "../../helpers/running-cluster.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { runCli } from "../../unit/cli/run-cli.js";
import { call, deploy, reads } from "./store-function.js";

test.skipIf(ETCD_MISSING !== "")(
  `nodes that stood alone become a cluster: the first brings its data, the second exports its own${ETCD_MISSING}`,
  async () => {
    const etcd = await TestEtcd.start();
    onTestFinished(() => etcd.remove());
    const dir = await temporaryFolder();
    const start = async (name: string, naming: readonly string[]) => {
      const flags = ["--name", name, "--isolation", "process", ...naming];
      const program = await startProgram(join(dir, name), flags);
      onTestFinished(async () => void (await program.end("SIGKILL")));
      return { ...program, name } satisfies ClusterNode;
    };
    for (const [name, words] of [
      ["cloud", ["a=cloud", "b=cloud", "c=cloud"]],
      ["edge", ["a=edge", "own=edge"]],
    ] as const) {
      const alone = await start(name, []);
      await deploy(alone);
      for (const word of words) await call(alone, word);
      expect(await alone.end("SIGTERM")).toBe(0);
    }

    const cluster = ["--link-port", "0", "--naming", `etcd://127.0.0.1:${etcd.port}`];
    const cloud = await start("cloud", cluster);
    expect(await call(cloud, "b")).toBe("cloud");
    await call(cloud, "d=cloud");
    await deploy(cloud);
    await reads(cloud, "d", "cloud");

    const edge = await start("edge", cluster);
    const exported = join(dir, "edge/exports/store-1-1.jsonl");
    const lines = (await readFile(exported, "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(["a", "own"]);
    expect(edge.log()).toMatch(/writes that may be nowhere else are exported/);
    // The cluster does not know yet that it runs a function of that name.
    await expect(call(edge, "own")).rejects.toThrow(/has no part in keygroup/);
    await deploy(edge);
    expect(await call(edge, "a")).toBe("cloud");
    expect(await call(edge, "own")).toBe("missing");
    await until("both serve", async () => {
      const { replicas } = await cloud.client.keygroups.replicas("store");
      return replicas.length === 2 && replicas.every(({ state }) => state === "serving");
    });
    const imported = await runCli(["kv", "import", "store", exported], { node: edge.adminUrl });
    expect(imported.stdout).toBe("imported 2\n");
    await reads(cloud, "own", "edge");
    await reads(cloud, "a", "edge");
  },
);
