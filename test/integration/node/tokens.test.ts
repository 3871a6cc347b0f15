import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

import { connect } from "../../../src/client/index.js";
import { runEnoki } from "../../helpers/cli-program.js";
import { ProgramCluster, type ClusterProgram } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { deployFiles, until } from "../../helpers/node-calls.js";
import { startProgram, type NodeProgram } from "../../helpers/node-program.js";
import { PROCESS_ISOLATION, startNode, type RunningNode } from "../../helpers/running-node.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

async function statusOf(url: string, token?: string, init: RequestInit = {}): Promise<number> {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const response = await fetch(url, { ...init, headers: { ...init.headers, ...headers } });
  await response.arrayBuffer();
  return response.status;
}

async function makeOffline(dataDir: string, ...more: string[]): Promise<string> {
  const args = ["tokens", "create", "--role", "admin", "--data-dir", dataDir, ...more];
  const { code, stdout, stderr } = await runEnoki(args);
  expect([code, stderr]).toEqual([0, expect.stringContaining("it is not shown again")]);
  return stdout.trim();
}

async function started(dataDir: string, flags: readonly string[] = []): Promise<NodeProgram> {
  const program = await startProgram(dataDir, flags);
  onTestFinished(async () => void (await program.end("SIGKILL")));
  return program;
}

describe("tokens that are made offline", () => {
  test("let the first admin in, and a node listen beyond loopback", async () => {
    const dataDir = join(await temporaryFolder(), "data");
    const beyond = ["--host", "0.0.0.0", "--functions", "token"];
    await expect(startProgram(dataDir, beyond)).rejects.toThrow("ENOKI_CREDENTIALS_REQUIRED");
    const token = await makeOffline(dataDir, "--name", "root");
    const node = await started(dataDir, beyond);
    const port = new URL(node.adminUrl).port;
    const url = `http://127.0.0.1:${port}/v1/functions`;
    expect(await statusOf(url)).toBe(401);
    expect(await statusOf(url, token)).toBe(200);
    expect(await node.end("SIGTERM")).toBe(0);
    const again = await started(dataDir, beyond);
    const admin = connect({ url: again.adminUrl, token });
    expect(await admin.tokens.list()).toMatchObject([{ name: "root", role: "admin" }]);
  });

  test("are refused while the node runs, with a word on what to do", async () => {
    const dataDir = await temporaryFolder();
    await started(dataDir);
    const args = ["tokens", "create", "--role", "admin", "--data-dir", dataDir];
    const { code, stdout, stderr } = await runEnoki(args);
    expect([code, stdout]).toEqual([6, ""]);
    expect(stderr).toMatch(/runs: stop it, or ask it without --data-dir/);
  });
});

test("the command line makes, lists and removes tokens, and says what a role lacks", async () => {
  const node = await started(await temporaryFolder());
  const enoki = (token: string, ...args: string[]) =>
    runEnoki([...args, "--node", node.adminUrl], { env: { ENOKI_TOKEN: token } });
  const first = await enoki("", "tokens", "create", "--role", "read");
  expect([first.code, first.stderr]).toEqual([1, expect.stringMatching(/ENOKI_NO_ADMIN_TOKEN/)]);
  const root = (await enoki("", "tokens", "create", "--role", "admin")).stdout.trim();
  expect((await enoki("", "tokens", "ls")).code).toBe(4);
  const made = await enoki(root, "tokens", "create", "--role", "read", "--name", "eye", "--json");
  const { token: eye } = JSON.parse(made.stdout) as { token: string };
  expect((await enoki(eye, "functions", "ls")).code).toBe(0);
  const refused = await enoki(eye, "keygroups", "create", "mine");
  expect([refused.code, refused.stderr]).toEqual([
    4,
    expect.stringContaining('this needs a token with the role deploy; "eye" has read'),
  ]);
  const listed = await enoki(root, "tokens", "ls");
  expect(listed.stdout).toMatch(/^NAME +ROLE +AGE +EXPIRES +ID\nadmin-\w{4} +admin .*\neye +read /);
  expect(listed.stdout).not.toContain(eye.slice(-32));
  expect((await enoki(root, "tokens", "rm", "eye")).stdout).toBe("removed eye\n");
  expect((await enoki(eye, "functions", "ls")).code).toBe(4);
  expect(node.log()).not.toContain(eye.slice(-32));
});

describe("functions", () => {
  const code = {
    "index.mjs": "export const call = (i, ctx) => ({ auth: ctx.headers.authorization ?? null });",
  };
  let node: RunningNode;
  let admin: string;
  let caller: string;
  let reader: string;

  beforeAll(async () => {
    node = await startNode(PROCESS_ISOLATION);
    const make = async (role: "admin" | "invoke" | "read"): Promise<string> => {
      const url = node.adminUrl;
      return (await connect({ url, token: admin }).tokens.create({ role })).token;
    };
    admin = await make("admin");
    [caller, reader] = [await make("invoke"), await make("read")];
    const client = connect({ url: node.adminUrl, token: admin });
    await deployFiles({ ...node, client }, "open", code);
    await deployFiles({ ...node, client }, "closed", code, { access: "token" });
  });
  afterAll(() => node?.remove());

  test("of a node with tokens stay public unless they say otherwise", async () => {
    expect(await statusOf(`${node.functionsUrl}/open`)).toBe(200);
    for (const token of [undefined, "guess", `enoki_${"0".repeat(16)}_${"0".repeat(64)}`]) {
      expect(await statusOf(`${node.functionsUrl}/closed`, token)).toBe(401);
    }
    expect(await statusOf(`${node.functionsUrl}/closed`, reader)).toBe(403);
    expect(await statusOf(`${node.functionsUrl}/closed`, caller)).toBe(200);
    expect(await statusOf(`${node.functionsUrl}/closed`, admin)).toBe(200);
  });

  test("never see a token of the node, also where they are public", async () => {
    for (const name of ["open", "closed"]) {
      const headers = { Authorization: `Bearer ${caller}` };
      const answer = await fetch(`${node.functionsUrl}/${name}`, { headers });
      expect(await answer.json()).toEqual({ auth: null });
    }
    const headers = { Authorization: "Bearer of-another-service" };
    const answer = await fetch(`${node.functionsUrl}/open`, { headers });
    expect(await answer.json()).toEqual({ auth: "Bearer of-another-service" });
  });

  test("give their results to who may call them", async () => {
    const headers = { Authorization: `Bearer ${caller}`, Prefer: "respond-async" };
    const accepted = await fetch(`${node.functionsUrl}/closed`, { method: "POST", headers });
    const result = node.functionsUrl + (accepted.headers.get("location") ?? "");
    expect(accepted.status).toBe(202);
    expect(await statusOf(result)).toBe(401);
    expect(await statusOf(result, reader)).toBe(403);
    await until("it is done", async () => (await statusOf(result, caller)) === 200);
  });

  test("take a client's token where they ask for one", async () => {
    const client = connect({ url: node.adminUrl, token: caller });
    expect((await client.call("closed")).json()).toEqual({ auth: null });
  });

  test("with token access on a node without tokens are called by nobody, who is told why", async () => {
    const bare = await startNode({ ...PROCESS_ISOLATION, functionsNeedToken: true });
    onTestFinished(() => bare.remove());
    await deployFiles(bare, "hello", code);
    const answer = await fetch(`${bare.functionsUrl}/hello`);
    expect([answer.status, await answer.text()]).toEqual([
      401,
      expect.stringContaining("this node has none yet"),
    ]);
  });
});

describe.skipIf(ETCD_MISSING !== "")(`in a cluster${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let cluster: ProgramCluster;
  let edge1: ClusterProgram;
  let edge2: ClusterProgram;
  let root: string;

  beforeAll(async () => {
    etcd = await TestEtcd.start();
    cluster = await ProgramCluster.open(etcd);
    edge1 = await cluster.start("edge1");
    edge2 = await cluster.start("edge2");
  });
  afterAll(async () => {
    await cluster?.remove();
    await etcd?.remove();
  });

  const listing = (node: ClusterProgram, token?: string): Promise<number> =>
    statusOf(`${node.adminUrl}/v1/functions`, token);

  test("a token that was made offline for one node opens all of them", async () => {
    expect(await edge2.program.end("SIGTERM")).toBe(0);
    root = await makeOffline(edge2.dataDir);
    edge2 = await cluster.start("edge2");
    expect(await listing(edge2, root)).toBe(200);
    await until("edge1 knows it", async () => (await listing(edge1)) === 401);
    expect(await listing(edge1, root)).toBe(200);
  });

  test("a token that is removed on one node is refused on the others within a second", async () => {
    const admin = connect({ url: edge1.adminUrl, token: root });
    const { token, id } = await admin.tokens.create({ role: "read", name: "brief" });
    await until("edge2 takes it", async () => (await listing(edge2, token)) === 200);
    await admin.tokens.remove(id);
    const removedMs = performance.now();
    expect(await listing(edge1, token)).toBe(401);
    await until("edge2 refuses it", async () => (await listing(edge2, token)) === 401);
    expect(performance.now() - removedMs).toBeLessThan(1000);
  });

  test("what a token is granted on one node counts on the others within a second, and so does its end", async () => {
    const { keygroups, tokens } = connect({ url: edge1.adminUrl, token: root });
    await connect({ url: edge2.adminUrl, token: root }).keygroups.create("weather", {});
    const { token } = await tokens.create({ role: "invoke", name: "station" });
    const station = connect({ url: edge2.adminUrl, token });
    const outcome = (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => "done",
        (error: { code?: string }) => error.code ?? String(error),
      );
    const read = () => outcome(station.kv("weather").get("k"));
    const follows = async (
      change: Promise<unknown>,
      ask: () => Promise<string>,
      expected: string,
    ) => {
      await change;
      const changedMs = performance.now();
      await until(expected, async () => (await ask()) === expected);
      expect(performance.now() - changedMs).toBeLessThan(1000);
    };
    const grant = (...rights: ("read" | "replicas")[]) =>
      keygroups.grant("weather", "token:station", rights);

    await until("edge1 knows the keygroup", async () => {
      return (await outcome(keygroups.grants("weather"))) === "done";
    });
    await until("edge2 knows the token", async () => (await read()) === "ENOKI_FORBIDDEN");
    await follows(grant("read"), read, "done");
    const add = () => outcome(station.keygroups.addReplica("weather", "edge1"));
    expect(await add()).toBe("ENOKI_FORBIDDEN");
    await follows(grant("replicas"), add, "done");
    expect(await read()).toBe("ENOKI_FORBIDDEN");
    const { replicas } = await keygroups.replicas("weather");
    expect(replicas.map(({ node }) => node)).toContain("edge1");
    await follows(keygroups.revoke("weather", "token:station"), add, "ENOKI_FORBIDDEN");
  });

  test("no secret of a token is in the naming service", async () => {
    const kept = etcd.control("get", "--prefix", "enoki/tokens/");
    expect(kept).toContain('"role":"admin"');
    expect(kept).not.toContain(root.slice(-64));
  });

  test("tokens verify while etcd is away, also on a node that starts then", async () => {
    await etcd.kill();
    expect(await listing(edge1, root)).toBe(200);
    expect(await listing(edge1)).toBe(401);
    await cluster.kill(edge1);
    edge1 = await cluster.start("edge1");
    expect([await listing(edge1, root), await listing(edge1)]).toEqual([200, 401]);
    const admin = connect({ url: edge1.adminUrl, token: root });
    await expect(admin.tokens.create({ role: "read" })).rejects.toMatchObject({
      code: "ENOKI_NAMING_UNAVAILABLE",
    });
    await etcd.restart();
  });
});
