import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";

import { send } from "../../helpers/node-calls.js";
import { pathWithout } from "../../helpers/path-without.js";
import { Nursery, type ChildNode } from "../node/child-node.js";
import { deploy } from "./support.js";

const CLI = join(import.meta.dirname, "../../../dist/cli/main.js");
/** What holds memory depends on the machine; the unit test of the line has each of them. */
const ISOLATION_LINE =
  /^process only, memory by (cgroup v1|cgroup v2|watched RSS) \(bubblewrap \(bwrap\) is not installed; `apt-get install bubblewrap`, or `npm run setup`\)$/;
const HELLO = "def call(i): return 'hello'\n";

const nursery = new Nursery();
afterEach(() => nursery.remove());

it("a machine without bubblewrap says so in the ready line, with the fix", async () => {
  const node = await nursery.start(await nursery.dir(), { env: await pathWithoutBubblewrap() });
  expect(node.ready.isolation).toMatch(ISOLATION_LINE);
});

it("a machine without bubblewrap says so in exactly one line for people", async () => {
  const printed = await bannerOf(await nursery.dir(), await pathWithoutBubblewrap());
  const about = printed.split("\n").filter((line) => /sandbox|bubblewrap|bwrap/.test(line));
  expect(about).toHaveLength(1);
  expect(about[0]?.replace(/^ *isolation +/, "")).toMatch(ISOLATION_LINE);
});

it("a node without bubblewrap runs functions as `process`, and refuses `sandbox`", async () => {
  const env = await pathWithoutBubblewrap();
  const node = await nursery.start(await nursery.dir(), { env });
  await deploy(node, "hello", { "fn.py": HELLO }, {});
  expect((await send(node.functionsUrl, "/hello")).text).toBe("hello");
  expect((await node.client.functions.get("hello")).config.isolation).toBe("process");

  const { code, stderr } = await deployByCli(node, "--isolation", "sandbox");
  expect(code).toBe(1);
  expect(stderr).toContain("ENOKI_RUNTIME_UNAVAILABLE");
  expect(stderr).toContain("bubblewrap (bwrap) is not installed");
  expect((await send(node.functionsUrl, "/confined")).status).toBe(404);
});

/** Everything that `enoki up` prints until it is stopped, which it is once it is ready. */
async function bannerOf(dataDir: string, env: Readonly<Record<string, string>>): Promise<string> {
  const args = [CLI, "up", "--data-dir", dataDir, "--function-port", "0", "--admin-port", "0"];
  const node = spawn(process.execPath, args, {
    env: { HOME: dataDir, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [node.stdout, node.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      if (printed.includes("Next:")) node.kill("SIGTERM");
    });
  }
  await once(node, "close");
  return printed;
}

async function pathWithoutBubblewrap(): Promise<{ PATH: string }> {
  return { PATH: await pathWithout(await nursery.dir(), (name) => name === "bwrap") };
}

async function deployByCli(
  node: ChildNode,
  ...flags: readonly string[]
): Promise<{ code: number; stderr: string }> {
  const dir = join(await nursery.dir(), "confined");
  await mkdir(dir);
  await writeFile(join(dir, "fn.py"), HELLO);
  const args = [CLI, "deploy", dir, "--node", node.adminUrl, ...flags];
  return new Promise((resolve) => {
    execFile(process.execPath, args, (error, _stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stderr });
    });
  });
}
