import { X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

import { temporaryFolder, writeFiles } from "../../helpers/temporary-folder.js";
import { runCli } from "./run-cli.js";

test("certs init and certs issue make what a node needs, keys for their owner only", async () => {
  const dir = join(await temporaryFolder(), "certs");
  const init = await runCli(["certs", "init", dir]);
  expect([init.code, init.stdout]).toEqual([0, `${dir}/ca-key.pem\n${dir}/ca.pem\n`]);
  const issue = await runCli([
    "certs",
    "issue",
    "edge1",
    "--dir",
    dir,
    "--host",
    "edge1.example.org",
  ]);
  expect([issue.code, issue.stdout]).toEqual([0, `${dir}/edge1-key.pem\n${dir}/edge1.pem\n`]);
  expect(issue.stderr).toContain(`--link-cert ${dir}/edge1.pem`);
  for (const key of ["ca-key.pem", "edge1-key.pem"]) {
    expect((await stat(join(dir, key))).mode & 0o777).toBe(0o600);
  }
  const certificate = new X509Certificate(await readFile(join(dir, "edge1.pem")));
  expect(certificate.subjectAltName).toBe("URI:urn:enoki:node:edge1, DNS:edge1.example.org");
  expect(
    certificate.verify(new X509Certificate(await readFile(join(dir, "ca.pem"))).publicKey),
  ).toBe(true);
});

test("certs overwrites nothing, not even half of a pair", async () => {
  const dir = await temporaryFolder();
  await runCli(["certs", "init", dir]);
  const before = await readFile(join(dir, "ca-key.pem"), "utf8");
  const again = await runCli(["certs", "init", dir]);
  expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("exists already")]);
  expect(await readFile(join(dir, "ca-key.pem"), "utf8")).toBe(before);
  await writeFiles(dir, { "edge1.pem": "mine" });
  expect((await runCli(["certs", "issue", "edge1", "--dir", dir])).code).toBe(2);
  await expect(stat(join(dir, "edge1-key.pem"))).rejects.toThrow("ENOENT");
});

test.each([
  [["issue", "edge 1"], "not a valid node name"],
  [["issue", "ca"], "authority's own files"],
  [["issue", "edge1", "--valid", "30"], "no duration"],
  [["issue", "edge1", "--valid", "99999999d"], "no duration"],
  [["issue", "edge1", "--host", "a b"], "no host name"],
  [["init", "--valid", "0d"], "no duration"],
  [["isue", "edge1"], "Did you mean issue?"],
])("certs %j is wrong use", async (args, message) => {
  const dir = await temporaryFolder();
  await runCli(["certs", "init", dir]);
  const where = args[0] === "issue" ? ["--dir", dir] : args[0] === "init" ? [join(dir, "new")] : [];
  const { code, stderr } = await runCli(["certs", ...args, ...where]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
});

test("certs issue without an authority says how to make one", async () => {
  const dir = await temporaryFolder();
  const { code, stderr } = await runCli(["certs", "issue", "edge1", "--dir", dir]);
  expect([code, stderr]).toEqual([2, expect.stringContaining(`enoki certs init ${dir}`)]);
});
