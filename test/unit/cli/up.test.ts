import { expect, test } from "vitest";

import type { Serve } from "../../../src/cli/commands/up.js";
import { EnokiError } from "../../../src/core/errors.js";
import type { NodeConfig } from "../../../src/node/config.js";
import { runCli } from "./run-cli.js";

const READY = {
  name: "node",
  version: "1.2.3",
  functions: "http://127.0.0.1:1",
  admin: null,
  coap: "coap://127.0.0.1:2",
  grpc: null,
  dataDir: "/data",
  pid: 7,
  isolation: "sandbox",
};

/** A node of a test: keeps its configuration, counts its ends, and lets go when told. */
function fakeServe(): { serve: Serve; configs: NodeConfig[]; closed: () => number } {
  const configs: NodeConfig[] = [];
  let closes = 0;
  const serve: Serve = async (config) => {
    configs.push(config);
    return { ready: READY, close: async () => void (closes += 1) };
  };
  return { serve, configs, closed: () => closes };
}

test("--json prints one ready line, and a signal drains the node and ends with 0", async () => {
  const { serve, closed } = fakeServe();
  let signal = (): void => {};
  const result = await runCli(["up", "--json"], {
    serve,
    onStart: (send) => (signal = send),
    onStdout: () => signal(),
  });
  expect(result.code).toBe(0);
  expect(result.stdout).toBe(`${JSON.stringify(READY)}\n`);
  expect(closed()).toBe(1);
});

test("people get a banner with the addresses", async () => {
  let signal = (): void => {};
  const { stdout } = await runCli(["up"], {
    serve: fakeServe().serve,
    onStart: (send) => (signal = send),
    onStdout: () => signal(),
  });
  expect(stdout).toMatch(/^Enoki 1\.2\.3, node node, is ready$/m);
  expect(stdout).toMatch(/functions +http:\/\/127\.0\.0\.1:1$/m);
  expect(stdout).toMatch(/admin +off$/m);
  expect(stdout).toMatch(/coap +coap:\/\/127\.0\.0\.1:2$/m);
  expect(stdout).not.toContain("grpc");
});

test("a second signal ends the process at once, even while the node drains", async () => {
  let signal = (): void => {};
  const exits: number[] = [];
  let finishDraining = (): void => {};
  const serve: Serve = async () => ({
    ready: READY,
    close: () => {
      signal();
      return new Promise((resolve) => (finishDraining = resolve));
    },
  });
  await runCli(["up"], {
    serve,
    onStart: (send) => (signal = send),
    onStdout: () => signal(),
    onExit: (code) => {
      exits.push(code);
      queueMicrotask(() => finishDraining());
    },
  });
  expect(exits).toEqual([130]);
});

test("flags reach the node", async () => {
  const { serve, configs } = fakeServe();
  let signal = (): void => {};
  const args = [
    "--function-port",
    "0",
    "--body-limit",
    "1m",
    "--drain-timeout",
    "2s",
    "--tinyfaas",
  ];
  await runCli(["up", ...args], {
    serve,
    onStart: (send) => (signal = send),
    onStdout: () => signal(),
  });
  expect(configs).toMatchObject([
    { functionPort: 0, bodyLimitBytes: 1024 * 1024, drainTimeoutMs: 2000, tinyfaas: true },
  ]);
});

test("a wrong setting ends with 2 and a busy port with 6, before anything is printed", async () => {
  const wrong = await runCli(["up", "--admin-port", "x"]);
  expect([wrong.code, wrong.stdout]).toEqual([2, ""]);
  expect(wrong.stderr).toContain("--admin-port");
  const serve: Serve = () =>
    Promise.reject(new EnokiError("ENOKI_PORT_IN_USE", "port 8000 (--function-port) is occupied"));
  const busy = await runCli(["up"], { serve });
  expect([busy.code, busy.stdout]).toEqual([6, ""]);
  expect(busy.stderr).toContain("port 8000 (--function-port)");
});

test("variables of the environment are settings too", async () => {
  const { serve, configs } = fakeServe();
  let signal = (): void => {};
  await runCli(["up", "--name", "flag"], {
    serve,
    env: { ENOKI_NAME: "env", ENOKI_STORAGE: "memory", ENOKI_JSON: "1" },
    onStart: (send) => (signal = send),
    onStdout: () => signal(),
  });
  expect(configs).toMatchObject([{ name: "flag", storage: "memory", json: true }]);
});
