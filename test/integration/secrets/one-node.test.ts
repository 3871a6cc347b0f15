import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

import { runEnoki, type CliRun } from "../../helpers/cli-program.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { startProgram, type NodeProgram } from "../../helpers/node-program.js";
import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";
import { commandLines, filesWith, KEEPERS } from "./support.js";

const VALUE = "s3cr3t-c0ffee-of-the-test";
const TEXTS = [VALUE, Buffer.from(VALUE).toString("base64").slice(0, 30)];

async function started(dataDir: string, flags: readonly string[] = []): Promise<NodeProgram> {
  const program = await startProgram(dataDir, flags);
  onTestFinished(async () => void (await program.end("SIGKILL")));
  return program;
}

function value({ functionsUrl }: NodeProgram, name: string): Promise<string> {
  return send(functionsUrl, `/${name}`, { body: "value" }).then(({ text }) => text);
}

async function keyFile(dir: string): Promise<string> {
  const path = join(dir, "keys", "cluster-key");
  expect((await runEnoki(["secrets", "init", path])).code).toBe(0);
  return path;
}

test("a secret is in the environment of its instances, and nowhere else", async () => {
  const folder = await temporaryFolder();
  const dataDir = join(folder, "data");
  const node = await started(dataDir, ["--cluster-key-file", await keyFile(folder)]);
  const said: CliRun[] = [];
  const enoki = async (args: string[], stdin = ""): Promise<CliRun> => {
    const run = await runEnoki([...args, "--node", node.adminUrl], { stdin });
    said.push(run);
    return run;
  };
  for (const [name, files] of Object.entries(KEEPERS)) {
    await writeFiles(join(folder, name), files);
    const path = join(folder, name, Object.keys(files)[0] as string);
    const flags = ["--name", name, "--runtime", name, "--secret", "API_KEY=-"];
    const deployed = await enoki(["deploy", path, ...flags], `${VALUE}\n`);
    expect([deployed.code, deployed.stderr]).toEqual([0, expect.stringContaining("ready in")]);
    expect(await value(node, name)).toBe(VALUE);
  }

  const answers: string[] = [];
  for (const name of Object.keys(KEEPERS)) {
    const failed = await send(node.functionsUrl, `/${name}`, { body: "leak" });
    expect([failed.status, failed.text]).toEqual([500, expect.stringContaining("refused with")]);
    const crashed = await send(node.functionsUrl, `/${name}`, { body: "crash" });
    expect(crashed.status).toBeGreaterThanOrEqual(500);
    const later = await send(node.functionsUrl, `/${name}`, {
      body: "leak",
      headers: { prefer: "respond-async" },
    });
    expect(later.status).toBe(202);
    answers.push(failed.text, crashed.text, later.text);
    const logs = await node.client.functions.logs(name, { tail: 100 });
    for await (const { text } of logs) answers.push(text);
    expect((await enoki(["functions", "describe", name])).stdout).toMatch(
      /secrets +API_KEY \(sealed\)/,
    );
    expect((await enoki(["secrets", "ls", name])).stdout).toMatch(/API_KEY +sealed +[0-9a-f]{12}/);
  }
  await enoki(["functions", "ls", "--json"]);
  await until("a failed try is stored", async () => {
    const all = await node.client.invocations.list();
    return all.length === 3 && all.every(({ lastError }) => lastError !== undefined);
  });
  for (const path of [
    "/v1/functions",
    "/v1/functions/node",
    "/v1/functions/node/revisions",
    "/v1/functions/node/secrets",
    "/v1/functions/python/logs",
    "/v1/invocations",
    "/v1/keygroups",
    "/v1/node",
    "/v1/nodes",
    "/v1/openapi.json",
    "/metrics",
  ]) {
    answers.push((await send(node.adminUrl, path)).text);
  }
  answers.push(node.log(), JSON.stringify(said), await commandLines());
  // why one by one: a message of a failure names what has it.
  for (const answer of answers) expect(TEXTS.filter((text) => answer.includes(text))).toEqual([]);
  expect(answers.join("\n")).toContain("printed ••••");
  expect(await filesWith(dataDir, TEXTS)).toEqual([]);
  expect(await node.end("SIGTERM")).toBe(0);
  expect(await filesWith(dataDir, TEXTS)).toEqual([]);
});

test("in a sandbox, too, and what loads badly does not tell it", async () => {
  const node = await started(join(await temporaryFolder(), "data"));
  const { functions, secrets } = node.client;
  const files = zipFiles(KEEPERS["node"] ?? {});
  await functions.deploy("keeper", files, {}, { secrets: { API_KEY: VALUE } });
  expect(await value(node, "keeper")).toBe(VALUE);
  const bad = zipFiles({ "index.mjs": "throw new Error(`no good: ${process.env.API_KEY}`);\n" });
  const refused = functions.deploy("keeper", bad);
  await expect(refused).rejects.toMatchObject({
    code: "ENOKI_LOAD_FAILED",
    message: "Error: no good: ••••",
  });
  await expect(refused).rejects.not.toThrow(VALUE);
  expect(await value(node, "keeper")).toBe(VALUE);
  expect(await secrets.list("keeper")).toHaveLength(1);
});

test("a node alone makes its own key, keeps secrets over deploys and restarts, and rolls them back", async () => {
  const dataDir = join(await temporaryFolder(), "data");
  const first = await started(dataDir);
  const zip = zipFiles(KEEPERS["python"] ?? {});
  await first.client.functions.deploy("keeper", zip);
  await expect(stat(join(dataDir, "cluster-key"))).rejects.toThrow("ENOENT");
  const set = (API_KEY: string) => first.client.secrets.change("keeper", { API_KEY });
  expect(await set("first-value")).toMatchObject({ revision: 2, config: { secrets: ["API_KEY"] } });
  expect(((await stat(join(dataDir, "cluster-key"))).mode & 0o777).toString(8)).toBe("600");
  expect(await value(first, "keeper")).toBe("first-value");
  expect((await set("first-value")).revision).toBe(2);
  expect((await set("second-value")).revision).toBe(3);
  await first.client.functions.deploy("keeper", zip, { timeout: "9s" });
  expect(await value(first, "keeper")).toBe("second-value");
  expect((await first.client.functions.rollback("keeper", 2)).revision).toBe(5);
  expect(await value(first, "keeper")).toBe("first-value");
  expect(await first.end("SIGTERM")).toBe(0);

  const again = await started(dataDir);
  expect(await value(again, "keeper")).toBe("first-value");
  await again.client.secrets.change("keeper", { API_KEY: null });
  expect(await value(again, "keeper")).toBe("none");
  expect(await again.client.secrets.list("keeper")).toEqual([]);
});

test("a node whose key file is another one says so to callers, and serves again with the right one", async () => {
  const folder = await temporaryFolder();
  const dataDir = join(folder, "data");
  const [right, wrong] = [await keyFile(join(folder, "a")), await keyFile(join(folder, "b"))];
  const zip = zipFiles(KEEPERS["node"] ?? {});
  const first = await started(dataDir, ["--cluster-key-file", right]);
  await first.client.functions.deploy("keeper", zip, {}, { secrets: { API_KEY: VALUE } });
  const [sealed] = await first.client.secrets.list("keeper");
  expect(await first.end("SIGTERM")).toBe(0);

  const second = await started(dataDir, ["--cluster-key-file", wrong]);
  const refused = await send(second.functionsUrl, "/keeper", { body: "value" });
  expect([refused.status, JSON.parse(refused.text)]).toMatchObject([
    503,
    { code: "ENOKI_SECRET_UNREADABLE", key: sealed?.key },
  ]);
  expect(refused.text).toContain("--cluster-key-file");
  await expect(second.client.functions.deploy("keeper", zip)).rejects.toMatchObject({
    code: "ENOKI_SECRET_UNREADABLE",
  });
  await second.client.secrets.change("keeper", { API_KEY: "set anew" });
  expect(await value(second, "keeper")).toBe("set anew");
  expect(await second.end("SIGTERM")).toBe(0);

  const both = join(folder, "both");
  const [seals = ""] = (await readFile(wrong, "utf8")).split("\n").slice(1);
  await writeFiles(folder, { both: `${seals}\n${await readFile(right, "utf8")}` });
  await runEnoki(["secrets", "rotate", both]);
  const { mode } = await stat(both);
  const third = await startProgram(dataDir, ["--cluster-key-file", both]).catch((error: unknown) =>
    String(error),
  );
  expect([mode & 0o004, third]).toEqual([0o004, expect.stringContaining(`chmod 600 ${both}`)]);
});

test("the command line sets, lists, removes and rotates, and says what is missing", async () => {
  const folder = await temporaryFolder();
  const file = await keyFile(folder);
  const dataDir = join(folder, "data");
  const first = await started(dataDir, ["--cluster-key-file", file]);
  await first.client.functions.deploy("keeper", zipFiles(KEEPERS["node"] ?? {}));
  const on = ({ adminUrl }: NodeProgram, args: string[], stdin = "") =>
    runEnoki([...args, "--node", adminUrl], { stdin, env: { FROM_ENV: "of the environment" } });
  const set = await on(first, ["secrets", "set", "keeper", "API_KEY=-", "FROM_ENV"], VALUE);
  expect([set.code, set.stdout]).toEqual([0, "set API_KEY, FROM_ENV: revision 2 of keeper\n"]);
  expect(await value(first, "keeper")).toBe(VALUE);
  const gone = await on(first, ["secrets", "rm", "keeper", "FROM_ENV"]);
  expect(gone.stdout).toBe("removed FROM_ENV: revision 3 of keeper\n");
  const missing = await on(first, ["secrets", "rm", "keeper", "FROM_ENV"]);
  expect([missing.code, missing.stderr]).toEqual([
    1,
    expect.stringContaining("ENOKI_SECRET_NOT_FOUND"),
  ]);
  const [before] = await first.client.secrets.list("keeper");

  expect((await runEnoki(["secrets", "init", file])).stderr).toContain("exists already");
  const rotated = await runEnoki(["secrets", "rotate", file]);
  expect(rotated.stdout).toMatch(new RegExp(`^${file}: [0-9a-f]{12}, ${before?.key}\n$`));
  expect(((await stat(file)).mode & 0o777).toString(8)).toBe("600");
  expect(await first.end("SIGTERM")).toBe(0);
  const second = await started(dataDir, ["--cluster-key-file", file]);
  expect(await value(second, "keeper")).toBe(VALUE);
  const resealed = await on(second, ["secrets", "reseal", "keeper"]);
  expect(resealed.stdout).toBe("sealed with the first key: revision 4 of keeper\n");
  const [after] = await second.client.secrets.list("keeper");
  expect(rotated.stdout).toContain(`: ${after?.key},`);
  expect(await value(second, "keeper")).toBe(VALUE);
});
