import { spawnSync } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import type { Resources } from "./resources.js";

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 50;

/** True where etcd is installed. */
export function hasEtcd(): boolean {
  return hasProgram("etcd");
}

/** True where a program is installed that tells its version. */
export function hasProgram(name: string): boolean {
  return spawnSync(name, ["--version"], { stdio: "ignore" }).error === undefined;
}

/** Starts a naming service for several nodes and returns its endpoint, `etcd://HOST:PORT`. */
export async function startEtcd(resources: Resources): Promise<string> {
  const client = await freePort();
  const clientUrl = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${await freePort()}`;
  const settings = {
    name: "bench",
    "data-dir": `${await resources.makeFolder()}/data`,
    "listen-client-urls": clientUrl,
    "advertise-client-urls": clientUrl,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `bench=${peerUrl}`,
    "log-level": "error",
    // The data of the rows go through no etcd.
    "unsafe-no-fsync": "true",
  };
  resources.start(
    "etcd",
    Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
  );
  const endMs = performance.now() + READY_TIMEOUT_MS;
  while (!(await isHealthy(clientUrl))) {
    if (performance.now() > endMs) throw new Error("etcd did not get ready");
    await delay(POLL_MS);
  }
  return `etcd://127.0.0.1:${client}`;
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(`${url}/health`).then(
    (response) => response.ok,
    () => false,
  );
}

/** A port of loopback that nothing listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
