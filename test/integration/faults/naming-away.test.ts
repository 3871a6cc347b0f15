import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";
import { FaultCluster } from "../../helpers/faults/fault-cluster.js";
import { reportFault } from "../../helpers/faults/fault-report.js";
import { until, zipFiles } from "../../helpers/node-calls.js";
import type { Writer } from "../../helpers/faults/writers.js";

const AWAY_MS = 60_000;
/** Longer than the lease of nodes: whatever hangs on it is gone when etcd is back. */
const LEASE_MS = 11_000;
const HELLO = zipFiles({ "index.mjs": "export const call = () => 'hello';\n" });

describe.skipIf(ETCD_MISSING !== "")(`a naming service that is away${ETCD_MISSING}`, () => {
  let cluster: FaultCluster;

  beforeAll(async () => {
    cluster = await FaultCluster.open(["cloud", "edge1", "edge2"]);
  });
  afterAll(() => cluster?.remove());

  // Its limit is longer than others: etcd is away for a minute of it.
  test("data and functions go on, also over a restart; changes fail at once; then all resumes", async () => {
    const { client } = cluster.node("edge1");
    await client.functions.deploy("other", HELLO);
    await client.keygroups.create("spare");
    const writers = cluster.write("cloud", "edge1", "edge2");
    await writers[0]?.more(100);
    await cluster.etcd.kill();
    const killedMs = performance.now();
    await cluster.kill("edge2");
    await cluster.start("edge2");
    await Promise.all(writers.map((writer) => writer.more(100)));

    const changes: Record<string, () => Promise<unknown>> = {
      "a deploy": () => client.functions.deploy("work", HELLO),
      "a deploy of another": () => client.functions.deploy("new", HELLO, {}, { to: "all" }),
      "a rollback": () => client.functions.rollback("work", 1),
      "a removal": () => client.functions.remove("other"),
      "a keygroup": () => client.keygroups.create("new"),
      "the end of a keygroup": () => client.keygroups.remove("spare"),
      "a replica more": () => client.keygroups.addReplica("spare", "cloud"),
      "a replica less": () => client.keygroups.removeReplica("work", "cloud"),
      "a move": () => client.keygroups.move("spare", "at:cloud"),
      "other settings": () => client.keygroups.configure("spare", { durability: "strict" }),
      "a grant": () => client.keygroups.grant("spare", "function:other", ["read"]),
      "a token": () => client.tokens.create({ role: "admin" }),
    };
    for (const [what, change] of Object.entries(changes)) {
      const begunMs = performance.now();
      await expect(change(), what).rejects.toMatchObject({
        code: "ENOKI_NAMING_UNAVAILABLE",
        message: expect.stringMatching(/naming service|^etcd: /) as string,
      });
      expect(performance.now() - begunMs, what).toBeLessThan(1000);
    }
    expect((await client.call("other")).text()).toBe("hello");

    const awayFor = (ms: number): Promise<void> =>
      new Promise((resolve) => setTimeout(resolve, ms - (performance.now() - killedMs)));
    await awayFor(LEASE_MS);
    // Who is where is known without etcd: links come back, and so does a node that has crashed.
    cluster.relays.cut("edge1", "cloud");
    cluster.relays.cut("edge1", "edge2");
    await Promise.all(writers.map((writer) => writer.more(100)));
    cluster.relays.heal();
    await cluster.kill("cloud");
    await cluster.start("cloud");
    await Promise.all(writers.map((writer) => writer.more(100)));
    await awayFor(AWAY_MS);
    await Promise.all(writers.map((writer) => writer.more(100)));
    await cluster.etcd.restart();
    await until("changes are taken again", () =>
      client.keygroups.create("new").then(
        () => true,
        () => false,
      ),
    );
    await client.functions.deploy("other", HELLO, {}, { to: "all" });
    for (const name of cluster.names) {
      await until(`other at ${name}`, () =>
        cluster
          .node(name)
          .client.call("other")
          .then(
            (answer) => answer.text() === "hello",
            () => false,
          ),
      );
    }
    await Promise.all(writers.map((writer: Writer) => writer.stop()));
    const { afterMs, dump } = await cluster.equal();
    reportFault(
      `etcd killed for ${AWAY_MS / 1000} s, two nodes restarted and one cut off meanwhile`,
      writers,
      afterMs,
    );
    expect(writers.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
  }, 240_000);
});
