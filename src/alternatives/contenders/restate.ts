import { join } from "node:path";

import type { Resources } from "../../bench/resources.js";
import type { RequestShape } from "../../bench/wrk.js";
import { TMPFS, type Contender } from "../contender.js";
import { freePort, startDaemon, whenHealthy } from "../daemon.js";
import { VALUE_BYTES, WORKS, type Work } from "../work.js";

const BINARY = `node_modules/@restatedev/restate-server-linux-${process.arch}/bin/restate-server`;
const ANSWER_TIMEOUT_MS = 30_000;
/** More of them than wrk has connections would not have more to do. */
const OBJECTS_MAX = 32;

/** How each piece of work is asked for at the server's ingress. */
const TARGETS: Readonly<Record<Work, { readonly path: string; readonly shape: RequestShape }>> = {
  "no-op": { path: "stateless/noop", shape: { method: "POST" } },
  average: {
    path: "state/0/average",
    shape: { method: "POST", body: "21.5", contentType: "application/json" },
  },
  "read-1kb": { path: "state/0/read", shape: { method: "POST" } },
  "read-1mb": { path: "state/0/read", shape: { method: "POST" } },
};

/**
 * Restate's server, which syncs what it accepts and each step, and a service in Node that it calls. An
 * object takes one call at a time, so several of them say what the server can do.
 */
export const RESTATES: readonly Contender[] = [
  restate("Restate virtual object", 1, "strict", WORKS),
  restate("Restate, 32 virtual objects in turn", OBJECTS_MAX, "strict", ["average"]),
  restate("Restate, 32 virtual objects, data on tmpfs", OBJECTS_MAX, "relaxed", ["average"]),
];

function restate(
  title: string,
  objects: number,
  durability: "relaxed" | "strict",
  works: readonly Work[],
): Contender {
  return {
    system: "restate",
    title,
    durability,
    isolation: "a process of its own, which the server calls",
    works,
    async start({ resources, programs }, work) {
      const service = await startDaemon(resources, {
        command: process.execPath,
        args: [join(programs, "restate/service.mjs")],
        env: { NODE_ENV: "production", RESTATE_LOGGING: "WARN" },
        saysReady: true,
      });
      const data = await resources.makeFolder(durability === "relaxed" ? TMPFS : undefined);
      const { ingressUrl, adminUrl } = await startRestate(resources, programs, data);
      await post(`${adminUrl}/deployments`, { uri: service.readyLine });
      for (let i = 0; i < objects; i++) {
        await post(`${ingressUrl}/state/${i}/prepare`, VALUE_BYTES[work]);
      }
      const { path, shape } = TARGETS[work];
      const url = `${ingressUrl}/${path}`;
      if (objects === 1) return { url, shape };
      const paths = Array.from({ length: objects }, (_, i) => `/${path.replace("/0/", `/${i}/`)}`);
      return { url, shape: { ...shape, paths } };
    },
  };
}

async function startRestate(
  resources: Resources,
  programs: string,
  data: string,
): Promise<{ ingressUrl: string; adminUrl: string }> {
  const [ingress, admin, fabric] = [await freePort(), await freePort(), await freePort()];
  await startDaemon(resources, {
    command: join(programs, BINARY),
    args: [],
    env: {
      RESTATE_BASE_DIR: data,
      RESTATE_NODE_NAME: "peer",
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_ADDRESS: `127.0.0.1:${fabric}`,
      RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${fabric}/`,
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_DISABLE_TELEMETRY: "true",
      RESTATE_LOG_FILTER: "warn,restate=info",
    },
  });
  const ingressUrl = `http://127.0.0.1:${ingress}`;
  const adminUrl = `http://127.0.0.1:${admin}`;
  await whenHealthy(`${adminUrl}/health`);
  await whenHealthy(`${ingressUrl}/restate/health`);
  return { ingressUrl, adminUrl };
}

async function post(url: string, json: unknown): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    headers: { "content-type": "application/json" },
    body: JSON.stringify(json),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
}
