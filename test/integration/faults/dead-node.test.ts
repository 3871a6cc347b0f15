import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ETCD_MISSING } from "../../helpers/etcd.js";
import { storedNow } from "../../helpers/faults/dumps.js";
import { FaultCluster } from "../../helpers/faults/fault-cluster.js";
import { reportFault, reportRow } from "../../helpers/faults/fault-report.js";
import type { Writer } from "../../helpers/faults/writers.js";
import { send, until } from "../../helpers/node-calls.js";
import { runCli, type CliResult } from "../../unit/cli/run-cli.js";

const SEVERAL = 60;
/** What only the dead node has: so many keys, and one that all had before. */
const ALONE = Array.from({ length: 20 }, (_, at) => `alone-${at}`);

describe.skipIf(ETCD_MISSING !== "")(`a node that dies for good${ETCD_MISSING}`, () => {
  let cluster: FaultCluster;
  let writers: readonly Writer[];
  let removedMs = 0;

  beforeAll(async () => {
    cluster = await FaultCluster.open(["cloud", "edge1", "edge2"]);
  });
  afterAll(() => cluster?.remove());

  const enoki = (line: string, at = "cloud"): Promise<CliResult> =>
    runCli(line.split(" "), { node: cluster.node(at).adminUrl });
  const stored = (name: string) => storedNow(cluster.node(name).dataDir, "work");
  /** A call that writes, by a client that has seen something. */
  const call = async (at: string, session = "", timeout = "10s") => {
    const answer = await send(cluster.node(at).functionsUrl, "/work", {
      body: JSON.stringify({ set: { called: at }, remove: [] }),
      headers: {
        "content-type": "application/json",
        "enoki-timeout": timeout,
        ...(session === "" ? {} : { "enoki-session": session }),
      },
    });
    const problem = answer.status === 200 ? {} : (JSON.parse(answer.text) as { code?: string });
    return {
      ...problem,
      status: answer.status,
      session: answer.headers["enoki-session"] as string,
    };
  };
  const placesOf = async (at: string): Promise<string> => {
    const { replicas } = await cluster.node(at).client.keygroups.replicas("work");
    return replicas
      .map(({ node, state }) => `${node} ${state}`)
      .toSorted()
      .join(", ");
  };

  test("is removed from the keygroup, and the others collect what they have deleted", async () => {
    writers = cluster.write("cloud", "edge1", "edge2");
    await Promise.all(writers.map((writer) => writer.more(SEVERAL)));
    await Promise.all(writers.map((writer) => writer.stop()));
    const edge2 = cluster.node("edge2").client;
    await edge2.kv("work").set("both", "old");
    await edge2.kv("work").increment("count", 1);
    await cluster.equal();
    await until("edge2 knows that the others have everything", async () => {
      return (await edge2.keygroups.get("work")).replication?.unreplicated === 0;
    });

    for (const other of ["cloud", "edge1"]) cluster.relays.cut("edge2", other);
    for (const key of ALONE) await edge2.kv("work").set(key, `only ${key}`);
    await edge2.kv("work").set("both", "new");
    await edge2.kv("work").increment("count", 10);
    const seen = await call("edge2");
    expect(seen.session).toMatch(/^[\w-]+$/);
    await cluster.kill("edge2");
    cluster.relays.heal();

    const more = cluster.write("cloud", "edge1");
    await Promise.all(more.map((writer) => writer.more(SEVERAL)));
    await Promise.all(more.map((writer) => writer.stop()));
    writers = [...writers, ...more];
    const { dump } = await cluster.equal(["cloud", "edge1"]);
    expect(writers.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
    // A member that is away may not have heard of a delete.
    expect((await stored("cloud")).tombstones).toBeGreaterThan(0);

    // As long as it may come back, nobody can say that what its client has seen is lost.
    expect((await call("cloud", seen.session, "1s")).code).toBe("ENOKI_SESSION_NOT_REACHED");

    const refused = await enoki("keygroups remove-replica work edge2 --wait 1s");
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/nobody knows which writes of keygroup "work" only it has/);
    const removed = await enoki("keygroups remove-replica work edge2 --force");
    expect(removed).toMatchObject({ code: 0, stderr: expect.stringMatching(/edge2/) as string });
    removedMs = performance.now();
    expect(await placesOf("edge1")).toBe("cloud serving, edge1 serving");
    for (const name of ["cloud", "edge1"]) {
      await until(`${name} collects`, async () => (await stored(name)).tombstones === 0);
    }
    const collectedMs = performance.now() - removedMs;
    await until("what only it had is known to be lost", async () => {
      return (await call("edge1", seen.session, "1s")).code === "ENOKI_SESSION_LOST";
    });
    const kept = await fetch(`${cluster.node("cloud").adminUrl}/v1/keygroups/work/keys/both`, {
      headers: { "Enoki-Session": seen.session },
    });
    expect(kept.status).toBe(503);
    expect(await kept.json()).toMatchObject({ code: "ENOKI_SESSION_LOST" });
    expect((await call("edge1")).status).toBe(200);
    reportFault("a dead node removed: all that was deleted is collected", writers, collectedMs);
  });

  test("when it returns, serves nothing, exports what only it has, drops its copy and may join again", async () => {
    const edge2 = await cluster.start("edge2");
    await until("it has dropped its copy", async () => (await stored("edge2")).items === 0);
    const { members } = await edge2.client.keygroups.get("work").catch(() => ({ members: [] }));
    expect(members).not.toContain("edge2");
    await until("it can ask the others", async () => {
      return (await placesOf("edge2")) === "cloud serving, edge1 serving";
    });
    // Its function goes on, with the data of the others.
    expect((await call("edge2")).status).toBe(200);
    expect(await edge2.client.kv("work").get("both")).toBe("old");
    expect(await edge2.client.kv("work").get(ALONE[0] as string)).toBeUndefined();

    const said = /writes that may be nowhere else are exported/;
    const line = edge2.program
      .log()
      .split("\n")
      .find((text) => said.test(text));
    const file = /\/\S+\/exports\/\S+\.jsonl/.exec(line ?? "")?.[0] ?? "";
    const exported = (await readFile(file, "utf8")).trimEnd().split("\n");
    const keys = exported.map((text) => (JSON.parse(text) as { key: string }).key);
    expect(keys.toSorted()).toEqual([...ALONE, "both", "called", "count"].toSorted());

    const imported = await enoki(`kv import work ${file}`, "edge1");
    expect(imported.stdout).toBe(`imported ${keys.length}\n`);
    const joined = await enoki("keygroups add-replica work edge2", "edge1");
    expect(joined).toMatchObject({ code: 0, stdout: expect.stringMatching(/edge2 +serving/) });
    const { afterMs, dump } = await cluster.equal();
    for (const key of ALONE) expect(dump.values.get(key)).toBe(`only ${key}`);
    expect(dump.values.get("both")).toBe("new");
    expect(await edge2.client.kv("work").get("count")).toBe(11);
    expect(writers.flatMap((writer) => writer.lostIn(dump))).toEqual([]);
    const measured = `${keys.length} keys exported, imported elsewhere, and it joined again`;
    reportRow("the removed node returns", measured, afterMs);
  });

  test("in the end all replicas hold the same bytes", async () => {
    const [first, ...others] = await cluster.stored();
    expect(first?.length).toBeGreaterThan(SEVERAL);
    for (const other of others) expect(other.join("\n") === first?.join("\n")).toBe(true);
  });
});
