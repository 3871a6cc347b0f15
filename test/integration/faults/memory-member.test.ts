import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";
import { readRecord } from "../../helpers/faults/cluster-records.js";
import { FaultCluster } from "../../helpers/faults/fault-cluster.js";
import { reportFault } from "../../helpers/faults/fault-report.js";
import type { Writer } from "../../helpers/faults/writers.js";
import { until } from "../../helpers/node-calls.js";
import { runCli } from "../../unit/cli/run-cli.js";

const SEVERAL = 100;

describe.skipIf(ETCD_MISSING !== "")(`replicas on different storage drivers${ETCD_MISSING}`, () => {
  let cluster: FaultCluster;

  beforeAll(async () => {
    const extra = { edge2: ["--storage", "memory"] };
    cluster = await FaultCluster.open(["cloud", "edge1", "edge2"], extra);
  });
  afterAll(() => cluster?.remove());

  const edge2Epoch = async (): Promise<number> => {
    const record = await readRecord(cluster.etcd, "keygroup", "keygroups/work");
    return record.members.find(({ node }) => node === "edge2")?.epoch ?? 0;
  };

  test("two on disks and one in memory, whose node restarts under writes, end equal", async () => {
    const inMemory = cluster.write("edge2");
    const writers = cluster.write("cloud", "edge1");
    for (const writer of [...inMemory, ...writers]) await writer.more(SEVERAL);
    for (const writer of inMemory) await writer.stop();
    const before = await edge2Epoch();
    // What it alone has is gone with it.
    await until("the others have everything of it", async () => {
      const { replication } = await cluster.node("edge2").client.keygroups.get("work");
      return replication?.unreplicated === 0;
    });

    await cluster.stop("edge2");
    for (const writer of writers) await writer.more(SEVERAL);
    await cluster.start("edge2");
    await until("edge2 serves as another member", async () => {
      const { replicas } = await cluster.node("cloud").client.keygroups.replicas("work");
      const { state } = replicas.find(({ node }) => node === "edge2") ?? {};
      return state === "serving" && (await edge2Epoch()) > before;
    });
    // Its functions come back with it.
    const back = cluster.write("edge2");
    for (const writer of [...back, ...writers]) await writer.more(SEVERAL);
    const all: Writer[] = [...inMemory, ...writers, ...back];
    await Promise.all([...writers, ...back].map((writer) => writer.stop()));
    const { afterMs, dump } = await cluster.equal();
    reportFault("a member that stores in memory restarts, two are on disks", all, afterMs);
    expect(all.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
  });

  test("strict is refused for the one in memory, and for each member where it is possible", async () => {
    const enoki = (line: string) =>
      runCli(line.split(" "), { node: cluster.node("edge1").adminUrl });
    const all = await enoki("keygroups configure work --durability strict");
    expect(all.code).not.toBe(0);
    expect(all.stderr).toMatch(/"edge2" stores in memory and cannot be strict/);
    const one = await enoki("keygroups add-replica work edge2 --durability strict");
    expect(one.stderr).toMatch(/ENOKI_UNSUPPORTED/);
    const possible = await enoki("keygroups add-replica work cloud --durability strict");
    expect(possible.code).toBe(0);
    expect(possible.stdout).toMatch(/cloud +serving +strict/);
    expect(possible.stdout).toMatch(/edge2 +serving +relaxed/);
    const writer = cluster.write("cloud")[0] as Writer;
    await writer.more(10);
    await writer.stop();
    expect(writer.lostIn((await cluster.equal()).dump)).toEqual([]);
  });

  test("in the end the replicas on disks hold the same bytes", async () => {
    const [first, second] = await cluster.stored(["cloud", "edge1"]);
    expect(first?.length).toBeGreaterThan(SEVERAL);
    expect(second).toEqual(first);
  });
});
