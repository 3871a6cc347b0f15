// An etcd and three nodes on this machine. Each stands behind a relay for what the others send it.
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import { Relay } from "./relay.mjs";

/** The command, or its path in ENOKI. */
export const ENOKI = process.env.ENOKI ?? "enoki";

/** Starts an etcd and a node for each name, with those flags. `undo` gets what ends them again. */
export async function startCluster(names, dir, undo, flags = []) {
  const naming = await startEtcd(dir, undo);
  return Promise.all(names.map((name) => startNode(name, naming, dir, undo, flags)));
}

async function startEtcd(dir, undo) {
  const [client, peer] = await Promise.all([freePort(), freePort()]).then((ports) =>
    ports.map((port) => `http://127.0.0.1:${port}`),
  );
  const urls = ["--listen-client-urls", client, "--advertise-client-urls", client];
  const peers = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
  const rest = ["--initial-cluster", `default=${peer}`, "--logger", "zap", "--log-level", "error"];
  const args = ["--data-dir", join(dir, "etcd"), ...urls, ...peers, ...rest];
  const { failed } = start("etcd", args, undo);
  // Before anybody else looks for free ports: until it listens, one of its own may be given away.
  while (!(await isHealthy(client))) await Promise.race([pause(20), failed]);
  return client.replace("http", "etcd");
}

function isHealthy(url) {
  return fetch(`${url}/health`).then(
    (answer) => answer.ok,
    () => false,
  );
}

async function startNode(name, naming, dir, undo, flags) {
  const linkPort = await freePort();
  const relay = new Relay(linkPort);
  undo.push(() => relay.close());
  const advertised = `127.0.0.1:${await relay.listen()}`;
  const ports = ["--function-port", "0", "--admin-port", "0", "--link-port", String(linkPort)];
  const place = ["--data-dir", join(dir, name), "--naming", naming, "--advertise", advertised];
  const own = ["--name", name, "--isolation", "process", ...ports, ...place];
  const args = ["up", "--json", ...own, ...flags];
  const { child, failed } = start(ENOKI, args, undo);
  const line = new Promise((resolve) => createInterface(child.stdout).once("line", resolve));
  const { functions, admin } = JSON.parse(await Promise.race([line, failed]));
  return { name, relay, functions, admin };
}

function start(command, args, undo) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
  const ended = new Promise((resolve) => child.once("close", resolve));
  const failed = new Promise((_, reject) => {
    child.once("error", (error) => reject(new Error(`${command}: ${error.message}`)));
    void ended.then(() => reject(new Error(`${command} has ended: ${log}`)));
  });
  failed.catch(() => {});
  undo.push(async () => {
    child.kill();
    await Promise.race([ended, failed.catch(() => {})]);
  });
  return { child, failed };
}

/** A free port below those that the system gives out by itself, so that nobody is given it meanwhile. */
async function freePort() {
  for (;;) {
    const port = randomInt(12_000, 32_000);
    const server = createServer();
    const isFree = await new Promise((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
