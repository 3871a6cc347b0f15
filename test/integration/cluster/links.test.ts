import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ProgramCluster } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { startProgram } from "../../helpers/node-program.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { call, deploy, reads } from "./store-function.js";

describe.skipIf(ETCD_MISSING !== "")(`links of nodes on etcd${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let cluster: ProgramCluster;

  beforeAll(async () => {
    etcd = await TestEtcd.start();
    cluster = await ProgramCluster.open(etcd);
  });

  afterAll(async () => {
    await cluster?.remove();
    await etcd?.remove();
  });

  test("edges that nobody can dial replicate through the cloud, also after it was away", async () => {
    const dialsOut = ["--advertise", "none", "--link-port", "off"];
    let cloud = await cluster.start("cloud");
    const edge1 = await cluster.start("edge1", dialsOut);
    const edge2 = await cluster.start("edge2", dialsOut);
    for (const node of [cloud, edge1, edge2]) await deploy(node);
    await call(edge1, "a=1");
    await reads(edge2, "a", "1");
    const metrics = await (await fetch(`${edge1.adminUrl}/metrics`)).text();
    expect(metrics).toContain('enoki_replica_linked{keygroup="store",node="cloud"} 1');
    expect(metrics).toContain('enoki_replica_linked{keygroup="store",node="edge2"} 0');
    await cluster.kill(cloud);
    await call(edge1, "b=from edge1");
    await call(edge2, "c=from edge2");
    cloud = await cluster.start("cloud");
    for (const node of [cloud, edge1, edge2]) {
      await reads(node, "b", "from edge1");
      await reads(node, "c", "from edge2");
    }
    for (const node of [cloud, edge1, edge2]) await cluster.kill(node);
  });

  test("a node starts with its own certificate only", async () => {
    const dir = await temporaryFolder();
    const { cert, key, ca } = cluster.credentialsOf("edge8");
    const flags: string[] = [];
    for (const [kind, text] of Object.entries({ cert, key, ca })) {
      await writeFile(join(dir, kind), text);
      flags.push(`--link-${kind}`, join(dir, kind));
    }
    await expect(cluster.start("edge9", flags)).rejects.toThrow(
      /--link-cert names edge8, and this node is edge9\ncode: ENOKI_INVALID_CONFIG/,
    );
  });

  test("without certificates nodes are linked on this machine only, and one line warns of it", async () => {
    const dir = await temporaryFolder();
    const naming = ["--naming", `etcd://127.0.0.1:${etcd.port}/bare`, "--isolation", "process"];
    const start = (name: string, flags: readonly string[] = []) =>
      startProgram(join(dir, name), ["--name", name, "--link-port", "0", ...naming, ...flags]);
    const programs = [await start("bare1"), await start("bare2")] as const;
    try {
      const [one, two] = programs.map((program) => ({ ...program, name: "bare" }));
      if (!one || !two) throw new Error("two were started");
      await deploy(one);
      await deploy(two);
      await call(one, "k=1");
      await reads(two, "k", "1");
      for (const program of programs) {
        const warnings = program.log().match(/names are claimed, not proven/g);
        expect(warnings).toHaveLength(1);
      }
      const tokenFile = join(dir, "token");
      await writeFile(tokenFile, "a-token-that-is-long-enough\n");
      const beyond = [
        "--host",
        "0.0.0.0",
        "--functions",
        "public",
        "--admin-token-file",
        tokenFile,
      ];
      await expect(start("bare3", beyond)).rejects.toThrow(
        /need --link-cert, --link-key and --link-ca\ncode: ENOKI_CREDENTIALS_REQUIRED/,
      );
    } finally {
      await Promise.all(programs.map((program) => program.end("SIGKILL")));
    }
  });
});
