import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { ProgramCluster, type ClusterProgram } from "../../helpers/cluster-programs.js";
import { ETCD_MISSING, TestEtcd } from "../../helpers/etcd.js";
import { readRecord } from "../../helpers/faults/cluster-records.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";
import { runCli } from "../../unit/cli/run-cli.js";
import { call, reads, STORE_FILES } from "./store-function.js";

/** Puts a program of that name before all others on the PATH. */
async function pathWith(dir: string, name: string, script: string): Promise<{ PATH: string }> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, name), script);
  await chmod(join(dir, name), 0o755);
  return { PATH: `${dir}:${process.env["PATH"]}` };
}

async function answers({ name, client }: ClusterProgram, fn: string, text: string): Promise<void> {
  await until(
    `${fn} at ${name} answers ${text}`,
    () =>
      client.call(fn, "you").then(
        (answer) => answer.text() === text,
        () => false,
      ),
    60_000,
  );
}

describe.skipIf(ETCD_MISSING !== "")(`functions of nodes on etcd${ETCD_MISSING}`, () => {
  let etcd: TestEtcd;
  let cluster: ProgramCluster;
  let edge1: ClusterProgram;
  let edge2: ClusterProgram;

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

  /** The row of a node in what `enoki functions describe` prints. */
  async function row(fn: string, node: string): Promise<string> {
    const { stdout } = await runCli(["functions", "describe", fn], { node: edge1.adminUrl });
    return stdout.split("\n").find((line) => line.startsWith(`${node} `)) ?? "";
  }

  async function shows(fn: string, node: string, pattern: RegExp): Promise<void> {
    let shown = "";
    await until(
      `${fn} at ${node} is ${pattern}`,
      async () => pattern.test((shown = await row(fn, node))),
      60_000,
    ).catch((error: unknown) => {
      throw new Error(`it is: ${shown}`, { cause: error });
    });
  }

  test("two nodes that deploy the same function at the same instant end with one keygroup of both", async () => {
    for (let round = 0; round < 3; round++) {
      const name = `same${round}`;
      const zip = zipFiles(STORE_FILES);
      await Promise.all([edge1, edge2].map(({ client }) => client.functions.deploy(name, zip)));
      const record = await readRecord(etcd, "keygroup", `keygroups/${name}`);
      expect(record).toMatchObject({ generation: 1, epoch: 2, past: [], isDropped: false });
      expect(record.members.map(({ node }) => node).sort()).toEqual(["edge1", "edge2"]);
      const set = await send(edge1.functionsUrl, `/${name}`, { body: "k=from edge1" });
      expect(set.status).toBe(200);
      await until("it is at edge2", async () => {
        const { text } = await send(edge2.functionsUrl, `/${name}`, { body: "k" });
        return text === "from edge1";
      });
    }
  });

  test("/upload on one node and then on another, and nothing else, replicates", async () => {
    const zip = zipFiles(STORE_FILES).toString("base64");
    const body = JSON.stringify({ name: "store", env: "node", threads: 1, zip, envs: [] });
    for (const { adminUrl } of [edge1, edge2]) {
      expect(await send(adminUrl, "/upload", { body })).toMatchObject({ status: 200 });
    }
    await call(edge1, "from1=x");
    await call(edge2, "from2=y");
    await reads(edge2, "from1", "x");
    await reads(edge1, "from2", "y");
  });

  test("code travels from node to node by the hash of its content, and never through etcd", async () => {
    const marker = "words that only this function has";
    const filler = randomBytes(300_000).toString("hex");
    await edge1.client.functions.deploy(
      "large",
      zipFiles({
        "index.mjs": `const filler = "${filler}";\nexport const call = () => "${marker}" + filler.length;\n`,
      }),
      {},
      { to: "all" },
    );
    await answers(edge2, "large", `${marker}${filler.length}`);
    const { artefact } = await edge1.client.functions.get("large");
    for (const { dataDir } of [edge1, edge2]) {
      expect(await readdir(join(dataDir, "artefacts"))).toContain(artefact);
    }
    const held = etcd.control("get", "", "--prefix");
    expect(held).toContain(artefact);
    expect(held).not.toContain(marker);
    expect(held.length).toBeLessThan(100_000);
  });

  test("a node that fails to load a revision keeps the one before, and describe says why", async () => {
    const source = (text: string, more = "") =>
      zipFiles({ "index.mjs": `${more}\nexport const call = () => "${text}";\n` });
    await edge1.client.functions.deploy("camera", source("old"), {}, { to: "all" });
    await answers(edge2, "camera", "old");
    const fails = 'if (import.meta.url.includes("/edge2/")) throw new Error("there is no camera");';
    await edge1.client.functions.deploy("camera", source("new", fails));
    await answers(edge1, "camera", "new");
    await shows("camera", "edge2", /failed: ENOKI_LOAD_FAILED: .*there is no camera/);
    expect((await edge2.client.call("camera")).text()).toBe("old");
    await edge1.client.functions.deploy("camera", source("newer"));
    await shows("camera", "edge2", /ready$/);
    await answers(edge2, "camera", "newer");
  });

  test("a node with another Python builds the function anew, and describe says so", async () => {
    const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
      encoding: "utf8",
    }).trim();
    const dir = await temporaryFolder();
    const facts = `import sys; print("${join(dir, "python3")}", 3, 99, 0, sys.base_prefix, sys.base_exec_prefix, sep="\\n")`;
    // Says that it is another version, and compiles to other files, as that would.
    const path = await pathWith(
      dir,
      "python3",
      `#!/bin/sh
case "$*" in *base_exec_prefix*) exec ${python} -I -S -c '${facts}' ;; esac
exec ${python} -O "$@"
`,
    );
    const edge3 = await cluster.start("edge3", [], path);
    const files = { "fn.py": "def call(i):\n    return 'hello ' + i\n" };
    await edge1.client.functions.deploy("py", zipFiles(files), {}, { to: "edge1,edge2,edge3" });
    await answers(edge3, "py", "hello you");
    await shows("py", "edge3", /ready: rebuilt for .*Python 3\.99/);
    await shows("py", "edge2", /ready$/);
    const hashes = await Promise.all(
      [edge1, edge2, edge3].map(({ dataDir }) => readdir(join(dataDir, "artefacts"))),
    );
    const { artefact } = await edge1.client.functions.get("py");
    // It did not get what the others run.
    expect(hashes.map((names) => names.includes(artefact as string))).toEqual([true, true, false]);
    await cluster.kill(edge3);
  });

  test("packages come along with the code: a node needs no registry, nor npm, also one that comes later", async () => {
    const dir = await temporaryFolder();
    const registry = await openRegistry(dir);
    const dependencies = { greeting: "1.0.0" };
    const files = {
      "package.json": JSON.stringify({ name: "fn", main: "index.ts", dependencies }),
      "package-lock.json": JSON.stringify({
        name: "fn",
        lockfileVersion: 3,
        requires: true,
        packages: {
          "": { name: "fn", dependencies },
          "node_modules/greeting": {
            version: "1.0.0",
            resolved: registry.url,
            integrity: registry.integrity,
          },
        },
      }),
      "index.ts": `import { greet } from "greeting";\nexport const call = (name: string) => greet(name);\n`,
    };
    await edge1.client.functions.deploy("ts", zipFiles(files), {}, { to: "edge1,edge2,edge4" });
    expect(registry.requests()).toBeGreaterThan(0);
    await registry.close();
    await shows("ts", "edge4", /pending: absent, follows by itself/);
    const called = join(dir, "npm-was-called");
    const path = await pathWith(join(dir, "bin"), "npm", `#!/bin/sh\ntouch ${called}\nexit 1\n`);
    const dead = "http://127.0.0.1:1";
    const env = { ...path, npm_config_registry: dead, PIP_INDEX_URL: dead };
    const edge4 = await cluster.start("edge4", [], env);
    await answers(edge4, "ts", "hello you");
    await answers(edge2, "ts", "hello you");
    await shows("ts", "edge4", /ready$/);
    await expect(readFile(called)).rejects.toMatchObject({ code: "ENOENT" });
    await cluster.kill(edge4);
  });
});

/** A registry with one package. */
async function openRegistry(dir: string): Promise<{
  readonly url: string;
  readonly integrity: string;
  requests(): number;
  close(): Promise<void>;
}> {
  const folder = join(dir, "package");
  await mkdir(folder);
  const manifest = { name: "greeting", version: "1.0.0", main: "main.js" };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "main.js"), "exports.greet = (name) => `hello ${name}`;\n");
  const file = join(dir, "greeting-1.0.0.tgz");
  execFileSync("tar", ["czf", file, "package"], { cwd: dir });
  const bytes = await readFile(file);
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    response.writeHead(200, { "content-type": "application/octet-stream" }).end(bytes);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/greeting-1.0.0.tgz`,
    integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
    requests: () => requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
