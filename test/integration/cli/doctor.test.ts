import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";

import { runEnoki } from "../../helpers/cli-program.js";
import { pathWithout } from "../../helpers/path-without.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

const HIDDEN = /^(python\d*(\.\d+)?|bwrap|flock)$/;

const linesOf = (stdout: string): Map<string, string> =>
  new Map(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => [line.split(/\s+/)[1] ?? "", line]),
  );

test("doctor on a machine without Python, bubblewrap and flock says so, a line each, with the fix", async () => {
  const PATH = await pathWithout(await temporaryFolder(), (name) => HIDDEN.test(name));
  const ports = ["--function-port", "0", "--admin-port", "0"];
  const { code, stdout } = await runEnoki(["doctor", ...ports], {
    env: { PATH },
    cwd: await temporaryFolder(),
  });
  const lines = linesOf(stdout);
  expect(lines.get("node")).toMatch(/^✓ node +\d+\.\d+\.\d+$/);
  expect(lines.get("python")).toMatch(/^✗ python .*; .*install.* \(a node works without it\)$/);
  expect(lines.get("bubblewrap")).toMatch(
    /^✗ bubblewrap .*not installed; .*apt-get install bubblewrap.* \(a node works without it\)$/,
  );
  expect(lines.get("flock")).toBe(
    "✗ flock      neither flock nor python3; install util-linux, or python3",
  );
  // A node does need what locks its data directory.
  expect(code).toBe(1);
});

test("doctor names a port that is taken, and how to choose another", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const ports = ["--function-port", String(port), "--admin-port", "0"];
  const { code, stdout } = await runEnoki(["doctor", ...ports], { cwd: await temporaryFolder() });
  expect(stdout).toMatch(new RegExp(`^✗ .*${port}.*; .*--function-port`, "m"));
  expect(code).toBe(1);
});
