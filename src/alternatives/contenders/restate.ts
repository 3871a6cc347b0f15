import { join } from "node:path";

import type { Resources } from "../../bench/resources.js";
import type { RequestShape } from "../../bench/wrk.js";
import type { Contender } from "../contender.js";
import { freePort, startDaemon, whenHealthy } from "../daemon.js";
import { VALUE_BYTES, WORKS, type Work } from "../work.js";

const BINARY = `node_modules/@restatedev/restate-server-linux-${process.arch}/bin/restate-server`;
const ANSWER_TIMEOUT_MS = 30_000;
const OBJECT = "state/one";

/** How each piece of work is asked for at the server's ingress. */
const TARGETS: Readonly<Record<Work, { readonly path: string; readonly shape: RequestShape }>> = {
  "no-op": { path: "stateless/noop", shape: { method: "POST" } },
  average: {
    path: `${OBJECT}/average`,
    shape: { method: "POST", body: "21.5", contentType: "application/json" },
  },
  "read-1kb": { path: `${OBJECT}/read`, shape: { method: "POST" } },
  "read-1mb": { path: `${OBJECT}/read`, shape: { method: "POST" } },
};

/** Restate's server, and a service in Node that it calls. */
export const RESTATE: readonly Contender[] = [
  {
    system: "restate",
    title: "Restate virtual object",
    durability: "strict",
    isolation: "a process of its own, which the server calls",
    works: WORKS,
    async start({ resources, programs }, work) {
      const service = await resources.startServer(process.execPath, [
        join(programs, "restate/service.mjs"),
      ]);
      const { ingressUrl, adminUrl } = await startRestate(resources, programs);
      await post(`${adminUrl}/deployments`, { uri: service.readyLine });
      await post(`${ingressUrl}/${OBJECT}/prepare`, VALUE_BYTES[work]);
      const { path, shape } = TARGETS[work];
      return { url: `${ingressUrl}/${path}`, shape };
    },
  },
];

async function startRestate(
  resources: Resources,
  programs: string,
): Promise<{ ingressUrl: string; adminUrl: string }> {
  const [ingress, admin, fabric] = [await freePort(), await freePort(), await freePort()];
  await startDaemon(resources, {
    command: join(programs, BINARY),
    args: [],
    env: {
      RESTATE_BASE_DIR: await resources.makeFolder(),
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
