import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";

import { OPENSSL_MISSING, TestAuthority } from "../../helpers/certificates.js";
import { ProgramCluster, type ClusterProgram } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { until } from "../../helpers/node-calls.js";
import { TcpProxy } from "../../helpers/tcp-proxy.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { call, deploy, reads } from "./store-function.js";

async function clusterOn(etcd: TestEtcd): Promise<ProgramCluster> {
  const cluster = await ProgramCluster.open(etcd);
  onTestFinished(async () => {
    await cluster.remove();
    await etcd.remove();
  });
  return cluster;
}

async function follows(node: ClusterProgram, key: string): Promise<void> {
  await until(`${node.name} runs the function`, () =>
    call(node, key).then(
      () => true,
      () => false,
    ),
  );
}

describe.skipIf(ETCD_MISSING !== "")(`nodes and their etcd${ETCD_MISSING}`, () => {
  test("a node that was away while etcd forgot its history follows all that happened", async () => {
    const etcd = await TestEtcd.start();
    const cluster = await clusterOn(etcd);
    const proxy = await new TcpProxy(() => etcd.port).listen();
    onTestFinished(() => proxy.close());
    const edge1 = await cluster.start("edge1");
    const edge2 = await cluster.start("edge2", ["--naming", `etcd://127.0.0.1:${proxy.port}`]);
    await edge1.client.keygroups.create("gone");
    proxy.cut();
    await until("edge2 knows that naming is away", () =>
      edge2.client.keygroups.create("another").then(
        () => false,
        (error: { readonly code?: string }) => error.code === "ENOKI_NAMING_UNAVAILABLE",
      ),
    );
    await edge1.client.keygroups.remove("gone");
    await deploy(edge1, "all");
    await call(edge1, "k=1");
    etcd.compact();
    proxy.heal();
    await follows(edge2, "k");
    await reads(edge2, "k", "1");
  });

  test.skipIf(OPENSSL_MISSING !== "")(
    `an etcd with TLS and users is used by who has the password${OPENSSL_MISSING}`,
    async () => {
      const dir = await temporaryFolder();
      const authority = new TestAuthority(dir, "ours");
      const { certFile, keyFile } = authority.issue("server");
      const etcd = await TestEtcd.start({ serverCert: certFile, serverKey: keyFile });
      const cluster = await clusterOn(etcd);
      const root = (...args: string[]): string =>
        etcd.control("--cacert", authority.caFile, ...args);
      root("user", "add", "root:secret");
      root("user", "grant-role", "root", "root");
      root("role", "add", "nodes");
      root("role", "grant-permission", "nodes", "readwrite", "enoki/", "enoki0");
      root("user", "add", "node:pass word");
      root("user", "grant-role", "node", "nodes");
      root("auth", "enable");
      const passwordFile = join(dir, "password");
      await writeFile(passwordFile, "pass word\n");
      const naming = ["--naming", `etcds://node@127.0.0.1:${etcd.port}`];
      const ca = ["--naming-ca-file", authority.caFile];
      const flags = [...naming, ...ca, "--naming-password-file", passwordFile];
      const edge1 = await cluster.start("edge1", flags);
      const edge2 = await cluster.start("edge2", flags);
      await deploy(edge1);
      await deploy(edge2);
      await call(edge1, "k=1");
      await reads(edge2, "k", "1");

      await writeFile(passwordFile, "guessed\n");
      const edge3 = await cluster.start("edge3", flags);
      await expect(deploy(edge3)).rejects.toMatchObject({
        message: expect.stringMatching(/authentication failed/) as string,
      });
      await until("the log says it", () => /authentication failed/.test(edge3.program.log()));
      expect(edge3.program.log()).not.toContain("guessed");
    },
  );
});
