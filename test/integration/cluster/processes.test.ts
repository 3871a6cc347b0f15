import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ProgramCluster, type ClusterProgram } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { until } from "../../helpers/node-calls.js";
import { call, deploy, reads } from "./store-function.js";

describe.skipIf(ETCD_MISSING !== "")(`three processes on etcd${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let cluster: ProgramCluster;
  let cloud: ClusterProgram;
  let edge1: ClusterProgram;
  let edge2: ClusterProgram;

  beforeAll(async () => {
    etcd = await TestEtcd.start();
    cluster = await ProgramCluster.open(etcd);
    cloud = await cluster.start("cloud");
    edge1 = await cluster.start("edge1");
    edge2 = await cluster.start("edge2");
    for (const node of [cloud, edge1, edge2]) await deploy(node);
  });

  afterAll(async () => {
    await cluster?.remove();
    await etcd?.remove();
  });

  test("write on any, read on any", async () => {
    await call(edge1, "a=1");
    await call(edge2, "b=2");
    for (const node of [cloud, edge1, edge2]) {
      await reads(node, "a", "1");
      await reads(node, "b", "2");
    }
  });

  test("a node that is stopped in the middle does not hold up the others, and catches up", async () => {
    edge2.program.child.kill("SIGSTOP");
    for (let i = 0; i < 20; i++) await call(edge1, `stopped${i}=${i}`);
    await reads(cloud, "stopped19", "19");
    edge2.program.child.kill("SIGCONT");
    for (let i = 0; i < 20; i++) await reads(edge2, `stopped${i}`, `${i}`);
  });

  test("a node that is killed keeps what it acknowledged and gets what it missed", async () => {
    await call(edge1, "mine=kept");
    await cluster.kill(edge1);
    await call(cloud, "missed=seen");
    edge1 = await cluster.start("edge1");
    expect(await call(edge1, "mine")).toBe("kept");
    await reads(edge1, "missed", "seen");
    await call(edge1, "again=1");
    for (const node of [cloud, edge2]) {
      await reads(node, "mine", "kept");
      await reads(node, "again", "1");
    }
  });

  test("without etcd data go on, also over a restart of a node, and changes fail at once", async () => {
    await etcd.kill();
    await call(edge1, "away=1");
    await reads(edge2, "away", "1");
    await cluster.kill(edge2);
    edge2 = await cluster.start("edge2");
    await call(edge2, "restarted=1");
    await reads(cloud, "restarted", "1");
    await expect(cloud.client.keygroups.create("other")).rejects.toMatchObject({
      code: "ENOKI_NAMING_UNAVAILABLE",
    });
    await etcd.restart();
  });

  test("a node whose disk is gone joins again as another member and has everything", async () => {
    await cluster.kill(edge2);
    await rm(edge2.dataDir, { recursive: true });
    await call(edge1, "lost=disk");
    edge2 = await cluster.start("edge2");
    // Its name is taken until the lease of the node with the other disk has ended; then replica and
    // function come back by themselves.
    await until("its function is back", () =>
      call(edge2, "a").then(
        () => true,
        (error: unknown) => {
          expect(String(error)).toContain("ENOKI_FUNCTION_NOT_FOUND");
          return false;
        },
      ),
    );
    for (const [key, value] of [
      ["a", "1"],
      ["lost", "disk"],
      ["away", "1"],
    ] as const) {
      await reads(edge2, key, value);
    }
    await call(edge2, "back=1");
    await reads(cloud, "back", "1");
  });
});
