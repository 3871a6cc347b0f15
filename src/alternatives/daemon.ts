import { connect, createServer, type AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import type { Resources, Server } from "../bench/resources.js";

const READY_TIMEOUT_MS = 30_000;
const POLL_MS = 20;
/** Some keep servers where only root looks for programs. */
export const PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin`;

/** A program of somebody else, and how to start it. */
export interface Daemon {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** It says that it is ready, or where it listens, in the first line on stdout; others are only heard. */
  readonly saysReady?: boolean;
}

/** Starts a daemon; resolves with the first line that it prints: on stdout, or anywhere. */
export function startDaemon(resources: Resources, daemon: Daemon): Promise<Server> {
  const { command, args, env = {}, saysReady = false } = daemon;
  const settings = Object.entries({ ...env, PATH }).map(([name, value]) => `${name}=${value}`);
  const merged = ["sh", "-c", 'exec "$0" "$@" 2>&1'];
  return resources.startServer("env", [
    ...settings,
    ...(saysReady ? [] : merged),
    command,
    ...args,
  ]);
}

/** Waits until a socket takes connections. @throws Error when it takes too long */
export async function whenConnectable(
  target: { readonly port: number } | { readonly path: string },
): Promise<void> {
  await whenTrue(() => canConnect(target), `nobody listens at ${JSON.stringify(target)}`);
}

/** Waits until a URL answers with a status that is no error. @throws Error when it takes too long */
export async function whenHealthy(url: string): Promise<void> {
  const isHealthy = (): Promise<boolean> =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  await whenTrue(isHealthy, `${url} is not healthy`);
}

async function whenTrue(isTrue: () => Promise<boolean>, complaint: string): Promise<void> {
  const endMs = performance.now() + READY_TIMEOUT_MS;
  while (!(await isTrue())) {
    if (performance.now() > endMs) throw new Error(complaint);
    await delay(POLL_MS);
  }
}

/** A port of 127.0.0.1 that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function canConnect(target: { readonly port: number } | { readonly path: string }) {
  return new Promise<boolean>((resolve) => {
    const socket = connect("port" in target ? { ...target, host: "127.0.0.1" } : target);
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
