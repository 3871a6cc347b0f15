import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";
import { FaultCluster } from "../../helpers/faults/fault-cluster.js";
import { reportFault } from "../../helpers/faults/fault-report.js";
import type { Writer } from "../../helpers/faults/writers.js";

const SEVERAL = 100;

describe.skipIf(ETCD_MISSING !== "")(`links that break under writes${ETCD_MISSING}`, () => {
  let cluster: FaultCluster;

  beforeAll(async () => {
    cluster = await FaultCluster.open(["cloud", "edge1", "edge2"]);
  });
  afterAll(() => cluster?.remove());

  /** Writes on all nodes while `fault` is there, then heals it and waits for equal replicas. */
  async function underWrites(
    name: string,
    fault: () => void,
    lastsMs: number,
    differ: readonly [string, string],
  ): Promise<void> {
    const writers = cluster.write("cloud", "edge1", "edge2");
    await writers[1]?.more(SEVERAL);
    fault();
    await Promise.all(writers.map((writer) => writer.more(SEVERAL)));
    await new Promise((resolve) => setTimeout(resolve, lastsMs));
    await stopAll(writers);
    // why: a fault that keeps nothing from passing would be survived by anything.
    expect(await cluster.areEqual(differ)).toBe(false);
    cluster.relays.heal();
    const { afterMs, dump } = await cluster.equal();
    reportFault(name, writers, afterMs);
    expect(writers.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
  }

  async function stopAll(writers: readonly Writer[]): Promise<void> {
    await Promise.all(writers.map((writer) => writer.stop()));
  }

  test("a node that is cut off in both directions writes on, as all others do; healed, they agree", async () => {
    await underWrites(
      "one node cut off in both directions, 2 s",
      () => {
        cluster.relays.cut("edge1", "cloud");
        cluster.relays.cut("edge1", "edge2");
      },
      2000,
      ["edge1", "cloud"],
    );
  });

  test.each([
    ["shorter than it takes to be noticed", 1500],
    ["longer than it takes to be noticed", 7000],
  ])(
    "a node that hears all others and is heard by none, for %s, loses nothing",
    async (_, lastsMs) => {
      await underWrites(
        `links cut in one direction, ${lastsMs / 1000} s`,
        () => {
          cluster.relays.hold("edge1", "cloud");
          cluster.relays.hold("edge1", "edge2");
        },
        lastsMs,
        ["edge1", "cloud"],
      );
    },
  );

  test("two nodes without a link to each other agree through a third, while there is no link", async () => {
    cluster.relays.cut("edge1", "edge2");
    const writers = cluster.write("edge1", "edge2");
    await Promise.all(writers.map((writer) => writer.more(2 * SEVERAL)));
    await stopAll(writers);
    const { afterMs, dump } = await cluster.equal();
    reportFault("a third node as the only bridge, never healed", writers, afterMs);
    expect(writers.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
    cluster.relays.heal();
  });

  test("slow links that break again and again lose nothing", async () => {
    cluster.relays.slowDown("edge1", "cloud", 100);
    cluster.relays.slowDown("edge2", "cloud", 50);
    const writers = cluster.write("cloud", "edge1", "edge2");
    for (let round = 0; round < 4; round++) {
      await Promise.all(writers.map((writer) => writer.more(SEVERAL / 2)));
      cluster.relays.cut("edge1", round % 2 === 0 ? "cloud" : "edge2");
      await Promise.all(writers.map((writer) => writer.more(SEVERAL / 2)));
      cluster.relays.heal();
      cluster.relays.slowDown("edge1", "cloud", 100);
    }
    await stopAll(writers);
    const { afterMs, dump } = await cluster.equal();
    reportFault("slow links (50 to 100 ms each way) that break 4 times", writers, afterMs);
    expect(writers.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
  });

  test("in the end all replicas hold the same bytes", async () => {
    const [first, ...others] = await cluster.stored();
    expect(first?.length).toBeGreaterThan(SEVERAL);
    for (const other of others) expect(other).toEqual(first);
  });
});
