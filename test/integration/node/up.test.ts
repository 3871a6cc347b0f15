import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

import { send } from "../../helpers/node-calls.js";
import { Nursery, runUp, startUp } from "./child-node.js";

const nursery = new Nursery();
afterEach(() => nursery.remove());

describe("enoki up --json", () => {
  it("prints one line with the addresses, and serves by then", async () => {
    const dataDir = await nursery.dir();
    const node = await nursery.start(dataDir, { args: ["--name", "edge1"] });
    expect(node.ready).toMatchObject({ name: "edge1", dataDir, pid: node.process.pid });
    expect((await send(node.adminUrl, "/readyz")).status).toBe(200);
    expect((await send(node.functionsUrl, "/")).status).toBeGreaterThanOrEqual(200);
    const { stdout, code } = await node.end("SIGTERM");
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  });

  it("takes the same settings from flags, variables and a file", async () => {
    const [byFlag, byEnv, byFile] = [await nursery.dir(), await nursery.dir(), await nursery.dir()];
    const file = join(byFile, "node.yaml");
    const said = { name: "edge1", "function-port": "off", "admin-port": "0", isolation: "process" };
    const lines = [...Object.entries(said), ["data-dir", byFile], ["json", "true"]];
    await writeFile(file, lines.map(([name, value]) => `${name}: ${value}\n`).join(""));
    const flags = Object.entries(said).flatMap(([name, value]) => [`--${name}`, value]);
    const env = Object.entries(said).map(([name, value]) => [
      `ENOKI_${name.toUpperCase().replace("-", "_")}`,
      value,
    ]);
    const nodes = await Promise.all([
      startUp({ args: [...flags, "--data-dir", byFlag, "--json"] }),
      startUp({ env: { ...Object.fromEntries(env), ENOKI_DATA_DIR: byEnv, ENOKI_JSON: "true" } }),
      startUp({ args: ["--config", file] }),
    ]);
    nodes.forEach((node) => nursery.keep(node));
    const dirs = [byFlag, byEnv, byFile];
    for (const [index, { ready }] of nodes.entries()) {
      expect(ready).toMatchObject({ name: "edge1", functions: null, dataDir: dirs[index] });
      expect(ready.admin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    }
  });

  it("believes a flag before a variable, and a variable before the file", async () => {
    const dataDir = await nursery.dir();
    const file = join(dataDir, "node.yaml");
    await writeFile(file, "name: by-file\nfunction-port: 'off'\nlog-format: json\n");
    const env = { ENOKI_NAME: "by-env", ENOKI_CONFIG: file };
    const first = await nursery.start(dataDir, { env });
    expect(first.ready.name).toBe("by-env");
    await first.end("SIGTERM");
    const second = await nursery.start(dataDir, { env, args: ["--name", "by-flag"] });
    expect(second.ready.name).toBe("by-flag");
  });

  it("refuses a setting that it does not know, and names the one that was meant", async () => {
    const { code, stderr } = await runUp({ env: { ENOKI_DATADIR: "x" } });
    expect(code).toBe(2);
    expect(stderr).toContain("ENOKI_DATADIR");
    expect(stderr).toContain("did you mean ENOKI_DATA_DIR?");
  });
});

describe("enoki up refuses to start", () => {
  it.each(["--function-port", "--admin-port"])(
    "on an occupied port, with exit code 6 and a line that names the port and %s",
    async (flag) => {
      const occupant = createServer();
      occupant.listen(0, "127.0.0.1");
      await once(occupant, "listening");
      const { port } = occupant.address() as AddressInfo;
      const dataDir = await nursery.dir();
      const others = ["--function-port", "--admin-port"].filter((other) => other !== flag);
      const args = [flag, `${port}`, ...others.flatMap((other) => [other, "0"])];
      const { code, stdout, stderr } = await runUp({ args: ["--data-dir", dataDir, ...args] });
      occupant.close();
      expect(code).toBe(6);
      expect(stdout).toBe("");
      const line = stderr.split("\n").find((text) => text.includes(`${port}`));
      expect(line).toContain(flag);
      expect(stderr).toContain("ENOKI_PORT_IN_USE");
    },
  );

  it("on the data directory of another node, with exit code 6, and the other goes on", async () => {
    const dataDir = await nursery.dir();
    const first = await nursery.start(dataDir);
    const args = ["--data-dir", dataDir, "--function-port", "0", "--admin-port", "0"];
    const { code, stderr } = await runUp({ args });
    expect(code).toBe(6);
    expect(stderr).toContain("ENOKI_DATA_DIR_IN_USE");
    expect(stderr).toContain(`${first.ready.pid}`);
    expect((await send(first.adminUrl, "/readyz")).status).toBe(200);
  });

  it("beyond loopback without credentials, and starts with them", async () => {
    const dataDir = await nursery.dir();
    const args = ["--data-dir", dataDir, "--host", "0.0.0.0"];
    const ports = ["--function-port", "0", "--admin-port", "0"];
    const open = await runUp({ args: [...args, ...ports] });
    expect(open.code).toBe(4);
    expect(open.stderr).toContain("ENOKI_CREDENTIALS_REQUIRED");
    const half = await runUp({ args: [...args, ...ports], env: { ENOKI_ADMIN_TOKEN: "secret" } });
    expect(half.code).toBe(4);
    expect(half.stderr).toContain("--functions public|token");
    const node = await nursery.start(dataDir, {
      args: ["--host", "0.0.0.0", "--functions", "public"],
      env: { ENOKI_ADMIN_TOKEN: "secret" },
    });
    expect((await send(node.adminUrl, "/v1/node")).status).toBe(401);
    const headers = { authorization: "Bearer secret" };
    expect((await send(node.adminUrl, "/v1/node", { headers })).status).toBe(200);
    expect((await send(node.adminUrl, "/healthz")).status).toBe(200);
  });
});
