import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";
import { FaultCluster } from "../../helpers/faults/fault-cluster.js";
import { reportRow } from "../../helpers/faults/fault-report.js";
import { runCli } from "../../unit/cli/run-cli.js";

const ITEMS = 100_000;
const ITEM = "x".repeat(1000);
/** Items of one commit. */
const BATCH = 100;

/** The most memory that the process ever had. */
function peakMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

describe.skipIf(ETCD_MISSING !== "")(`a replica that is added under writes${ETCD_MISSING}`, () => {
  let cluster: FaultCluster;

  beforeAll(async () => {
    cluster = await FaultCluster.open(["cloud", "edge1"]);
  });
  afterAll(() => cluster?.remove());

  test("has all of 100,000 items of 1 KB that were being written meanwhile", async () => {
    let written = 0;
    let reached: () => void = () => {};
    const half = new Promise<void>((resolve) => (reached = resolve));
    /** Every second batch, so that two nodes write at once. */
    const fill = async (name: string, first: number): Promise<void> => {
      const kv = cluster.node(name).client.kv("work");
      for (let batch = first; batch < ITEMS / BATCH; batch += 2) {
        const commit = kv.batch();
        for (let at = 0; at < BATCH; at++)
          commit.set(`item-${batch * BATCH + at}`, `${batch} ${ITEM}`);
        await commit.commit();
        written += BATCH;
        if (written >= ITEMS / 3) reached();
      }
    };
    const begunMs = performance.now();
    const filling = Promise.all([fill("cloud", 0), fill("edge1", 1)]);
    await half;
    await cluster.start("edge2");
    const [joinedMs, joinedAt] = [performance.now(), written];
    const added = await runCli("keygroups add-replica work edge2 --wait 60s".split(" "), {
      node: cluster.node("cloud").adminUrl,
    });
    const [servedMs, servedAt] = [performance.now(), written];
    expect(added).toMatchObject({ code: 0, stdout: expect.stringMatching(/edge2 +serving/) });
    await filling;
    const writtenMs = performance.now() - begunMs;
    const { afterMs, dump } = await cluster.equal();
    expect(dump.values.size).toBe(ITEMS);
    for (let item = 0; item < ITEMS; item += 997) {
      expect(dump.values.get(`item-${item}`)).toBe(`${Math.floor(item / BATCH)} ${ITEM}`);
    }
    const { pid } = cluster.node("edge2").program.child;
    const measured =
      `joined at ${joinedAt} items, served after ${Math.round(servedMs - joinedMs)} ms at ${servedAt}; ` +
      `all written within ${Math.round(writtenMs)} ms; its peak memory ${peakMiB(pid as number)} MiB`;
    reportRow("a replica added while 100,000 items of 1 KB are written", measured, afterMs);
  }, 300_000);

  test("in the end all replicas hold the same bytes", async () => {
    const [first, ...others] = await cluster.stored();
    expect(first?.length).toBe(ITEMS);
    for (const other of others) expect(other?.length).toBe(ITEMS);
    expect(others.every((other) => other.every((row, at) => row === first?.[at]))).toBe(true);
  });
});
