import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { runEnoki } from "../../helpers/cli-program.js";
import { ProgramCluster, type ClusterProgram } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { startNodes } from "../../helpers/running-cluster.js";
import { filesWith, KEEPERS } from "./support.js";

const VALUE = "s3cr3t-c0ffee-of-the-cluster";
const ZIP = zipFiles(KEEPERS["node"] ?? {});

function value({ functionsUrl }: { functionsUrl: string }, name = "keeper"): Promise<string> {
  return send(functionsUrl, `/${name}`, { body: "value" }).then(({ text }) => text);
}

test("nodes of one process seal and open with one key of their own", async () => {
  const cluster = await startNodes(["cloud", "edge"]);
  try {
    const [cloud, edge] = cluster.nodes;
    if (!cloud || !edge) throw new Error("no nodes");
    const secrets = { API_KEY: VALUE };
    await cloud.client.functions.deploy("keeper", ZIP, {}, { to: "all", secrets });
    await until("the other node has it", async () => (await value(edge)) === VALUE);
    await edge.client.secrets.change("keeper", { API_KEY: "changed" });
    expect(await value(edge)).toBe("changed");
    await until("the first one follows", async () => (await value(cloud)) === "changed");
    const { revision } = await cloud.client.functions.rollback("keeper");
    expect([revision, await value(cloud)]).toEqual([1, VALUE]);
    expect(await filesWith(cluster.dataDir, [VALUE])).toEqual([]);
  } finally {
    await cluster.remove();
  }
});

describe.skipIf(ETCD_MISSING !== "")(`nodes of a cluster${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let cluster: ProgramCluster;
  const nodes: ClusterProgram[] = [];

  beforeAll(async () => void (etcd = await TestEtcd.start()));
  afterAll(async () => {
    await cluster?.remove();
    await etcd?.remove();
  });

  const stateOn = async (asked: ClusterProgram, node: string) =>
    (await asked.client.functions.get("keeper")).nodes?.find((one) => one.node === node);

  test("share secrets by their key; one without it says so, and the others go on", async () => {
    const folder = await temporaryFolder();
    const [file, other] = [join(folder, "key"), join(folder, "other")];
    for (const path of [file, other])
      expect((await runEnoki(["secrets", "init", path])).code).toBe(0);
    cluster = await ProgramCluster.open(etcd);
    const withKey = ["--cluster-key-file", file];
    const a = await cluster.start("a", withKey);
    const b = await cluster.start("b", withKey);
    nodes.push(a, b);
    const secrets = { API_KEY: VALUE };
    await a.client.functions.deploy("keeper", ZIP, {}, { to: "a,b", secrets });
    await until("b has it", async () => (await value(b)) === VALUE);

    const c = await cluster.start("c", ["--cluster-key-file", other]);
    const d = await cluster.start("d");
    await a.client.functions.deploy("keeper", ZIP, { timeout: "9s" }, { to: "a,b,c,d" });
    for (const node of ["c", "d"]) {
      const failed = await until(`${node} fails`, async () => {
        const state = await stateOn(a, node);
        return state?.state === "failed" && state;
      });
      expect(failed.reason).toMatch(
        /^ENOKI_SECRET_UNREADABLE: secret API_KEY .*which this node lacks/,
      );
    }
    expect([await value(a), await value(b)]).toEqual([VALUE, VALUE]);
    const sealing = d.client.secrets.change("keeper", { MORE: "x" });
    await expect(sealing).rejects.toMatchObject({ code: "ENOKI_CLUSTER_KEY_REQUIRED" });

    await cluster.kill(c);
    const mended = await cluster.start("c", withKey);
    await until("c serves", async () => (await value(mended)) === VALUE);

    const dump = etcd.control("get", "", "--prefix");
    expect(dump).toContain("v1.");
    expect(dump).not.toContain(VALUE);
    const clusterKey = (await readFile(file, "utf8")).trim();
    expect(clusterKey.length).toBeGreaterThan(20);
    expect(dump).not.toContain(clusterKey);
    for (const { dataDir, program } of [a, b, mended, d]) {
      expect(await filesWith(dataDir, [VALUE])).toEqual([]);
      expect(program.log()).not.toContain(VALUE);
    }
  });

  test("sealed text that was put into another function's record does not open there", async () => {
    const [a, b] = nodes;
    if (!a || !b) throw new Error("no nodes");
    await a.client.functions.deploy("thief", ZIP, {}, { to: "a,b", secrets: { API_KEY: "mine" } });
    await until("b has it", async () => (await value(b, "thief")) === "mine");
    const keyOf = (name: string): string =>
      etcd
        .control("get", "", "--prefix", "--keys-only")
        .split("\n")
        .find((line) => line.endsWith(`functions/${name}`)) ?? "";
    const read = (name: string) =>
      JSON.parse(etcd.control("get", keyOf(name), "--print-value-only")) as ForgedRecord;
    const stolen = read("keeper").revisions.at(-1)?.config.function.secrets;
    const record = read("thief");
    const last = record.revisions.at(-1);
    if (!last || !stolen) throw new Error("no revision");
    const { config } = last;
    const forged = {
      ...last,
      number: last.number + 1,
      deploy: "forged",
      config: { ...config, function: { ...config.function, secrets: stolen } },
    };
    const revisions = [...record.revisions, forged];
    const next = {
      ...record,
      serial: record.serial + 1,
      current: forged.number,
      last: forged.number,
      revisions,
    };
    etcd.control("put", keyOf("thief"), JSON.stringify(next));
    const failed = await until("it is refused", async () => {
      const info = await a.client.functions.get("thief");
      return info.nodes?.every(({ state }) => state === "failed") === true && info;
    });
    for (const { reason } of failed.nodes ?? []) {
      expect(reason).toMatch(/ENOKI_SECRET_UNREADABLE.*that of another function/);
    }
    expect([await value(a, "thief"), await value(b, "thief")]).toEqual(["mine", "mine"]);
  });
});

interface ForgedRecord {
  readonly serial: number;
  readonly revisions: readonly {
    readonly number: number;
    readonly config: {
      readonly function: { readonly secrets?: Readonly<Record<string, string>> };
    };
  }[];
}
