import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";
import { FaultCluster } from "../../helpers/faults/fault-cluster.js";
import { reportFault, reportRow } from "../../helpers/faults/fault-report.js";
import type { Writer } from "../../helpers/faults/writers.js";

const SEVERAL = 100;

async function stop(writers: readonly Writer[]): Promise<void> {
  await Promise.all(writers.map((writer) => writer.stop()));
}

/** Commits that these clients got acknowledged in that time. */
async function rateOf(writers: readonly Writer[], withinMs: number): Promise<number> {
  const count = (): number => writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  const [before, begunMs] = [count(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, withinMs));
  return ((count() - before) / (performance.now() - begunMs)) * 1000;
}

describe.skipIf(ETCD_MISSING !== "")(`nodes that crash under writes${ETCD_MISSING}`, () => {
  let cluster: FaultCluster;

  beforeAll(async () => {
    cluster = await FaultCluster.open(["cloud", "edge1", "edge2"]);
  });
  afterAll(() => cluster?.remove());

  test("killed in the middle of writes and restarted, again and again: nothing acknowledged is lost", async () => {
    const writers = cluster.write("cloud", "edge1", "edge1", "edge2");
    const [atCloud, atEdge] = writers as [Writer, Writer];
    for (let round = 0; round < 2; round++) {
      await atEdge.more(SEVERAL);
      await cluster.kill("edge1");
      await atCloud.more(SEVERAL);
      await cluster.start("edge1");
    }
    await atEdge.more(SEVERAL);
    await stop(writers);
    const { afterMs, dump } = await cluster.equal();
    reportFault("kill -9 in the middle of writes, restart, twice", writers, afterMs);
    expect(writers.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
  });

  test("killed, and its disk deleted: what another member had is not lost", async () => {
    const before = cluster.write("cloud", "edge1", "edge2");
    await (before[2] as Writer).more(SEVERAL);
    await stop(before);
    await cluster.equal();
    const writers = cluster.write("cloud", "edge1");
    const atVictim = cluster.write("edge2");
    await (atVictim[0] as Writer).more(SEVERAL);
    await cluster.kill("edge2");
    await cluster.loseDisk("edge2");
    await (writers[0] as Writer).more(SEVERAL);
    await cluster.start("edge2");
    await stop(atVictim);
    // Nobody deploys anything: its function and its replica come back by themselves.
    const back = cluster.write("edge2");
    await (back[0] as Writer).more(SEVERAL);
    await stop([...writers, ...back]);
    const { afterMs, dump } = await cluster.equal();
    const safe = [...before, ...writers, ...back];
    expect(safe.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
    // Only what it acknowledged and had told nobody yet.
    const lost = atVictim.flatMap((writer) => writer.lostIn(dump)).length;
    const all = atVictim.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
    expect(lost).toBeLessThan(all / 2);
    const measured = `${all} acknowledged by the lost disk, ${lost} of them in the moment before and lost`;
    reportRow("kill -9, and the disk deleted", measured, afterMs);
  });

  test("stopped without an end, it slows nobody's writes, and catches up", async () => {
    const writers = cluster.write("cloud", "edge1", "edge1");
    const atHung = cluster.write("edge2");
    await (atHung[0] as Writer).more(SEVERAL);
    const usual = await rateOf(writers, 2000);
    for (const writer of writers) writer.longestWaitMs = 0;
    cluster.freeze("edge2", true);
    // Longer than the others take to give its links up.
    const meanwhile = await rateOf(writers, 6000);
    const longestMs = Math.max(...writers.map(({ longestWaitMs }) => longestWaitMs));
    cluster.freeze("edge2", false);
    await stop([...writers, ...atHung]);
    const { afterMs, dump } = await cluster.equal();
    const measured =
      `${Math.round(meanwhile)} writes/s elsewhere instead of ${Math.round(usual)}, ` +
      `none waited longer than ${Math.round(longestMs)} ms`;
    reportRow("a hung peer (SIGSTOP, 6 s)", measured, afterMs);
    expect([...writers, ...atHung].flatMap((writer) => writer.lostIn(dump))).toEqual([]);
    expect(meanwhile).toBeGreaterThan(usual * 0.5);
    expect(longestMs).toBeLessThan(2000);
  });

  test("in the end all replicas hold the same bytes", async () => {
    const [first, ...others] = await cluster.stored();
    expect(first?.length).toBeGreaterThan(SEVERAL);
    for (const other of others) expect(other).toEqual(first);
  });
});
