import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { until } from "../../src/testing/naming-recorder.js";

/** Why tests with a real etcd cannot run here; empty if they can. */
export const ETCD_MISSING =
  spawnSync("etcd", ["--version"]).status === 0 ? "" : " [skipped: needs etcd; npm run setup]";

/** Certificates and users of an etcd under test. */
export interface EtcdSetup {
  readonly serverCert?: string;
  readonly serverKey?: string;
  /** With it, clients need a certificate of this authority. */
  readonly clientCa?: string;
}

/** One etcd process on free ports and a folder of its own. It can be killed and started again. */
export class TestEtcd {
  readonly port: number;
  readonly dir: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, dir: string, args: readonly string[]) {
    this.port = port;
    this.dir = dir;
    this.#args = args;
  }

  static async start(setup: EtcdSetup = {}): Promise<TestEtcd> {
    const [etcd] = await TestEtcd.startCluster(1, setup);
    return etcd as TestEtcd;
  }

  /** Starts a cluster of `size` members. */
  static async startCluster(size: number, setup: EtcdSetup = {}): Promise<TestEtcd[]> {
    const ports = await freePorts(size * 2);
    const peerUrls = ports.slice(size).map((port) => `http://127.0.0.1:${port}`);
    const cluster = peerUrls.map((url, index) => `m${index}=${url}`).join(",");
    const members: TestEtcd[] = [];
    for (const [index, port] of ports.slice(0, size).entries()) {
      const dir = await mkdtemp(join(tmpdir(), "enoki-etcd-"));
      const url = `${setup.serverCert === undefined ? "http" : "https"}://127.0.0.1:${port}`;
      const peerUrl = peerUrls[index] as string;
      const args = [
        `--name m${index} --data-dir ${dir}/data --listen-client-urls ${url} --advertise-client-urls ${url}`,
        `--listen-peer-urls ${peerUrl} --initial-advertise-peer-urls ${peerUrl} --initial-cluster ${cluster}`,
        `--heartbeat-interval 50 --election-timeout 500 --unsafe-no-fsync`,
        `--logger zap --log-level error --log-outputs ${dir}/log`,
      ];
      if (setup.serverCert !== undefined) {
        args.push(`--cert-file ${setup.serverCert} --key-file ${setup.serverKey}`);
      }
      if (setup.clientCa !== undefined) {
        args.push(`--trusted-ca-file ${setup.clientCa} --client-cert-auth`);
      }
      members.push(new TestEtcd(port, dir, args.join(" ").split(" ")));
    }
    await Promise.all(members.map((member) => member.restart()));
    return members;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts the process on the data that are there, and waits until it takes connections. */
  async restart(): Promise<void> {
    this.#process = spawn("etcd", this.#args, { stdio: "ignore" });
    await until(() => isListening(this.port), "etcd listens");
  }

  /** Ends the process at once. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  }

  /** Stops the process without ending it, or lets it go on. */
  freeze(isFrozen: boolean): void {
    this.#process?.kill(isFrozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Runs `etcdctl`. */
  control(...args: string[]): string {
    return execFileSync("etcdctl", [`--endpoints=127.0.0.1:${this.port}`, ...args], {
      encoding: "utf8",
      env: { ...process.env, ETCDCTL_API: "3" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Forgets the history up to now, so that nobody can resume from before. */
  compact(): void {
    const status = JSON.parse(this.control("get", "none", "-w", "json")) as {
      header: { revision: number };
    };
    this.control("compaction", String(status.header.revision));
  }

  async remove(): Promise<void> {
    this.freeze(false);
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}

function isListening(port: number): boolean {
  // `until` asks synchronously, and a test has time for a process.
  return spawnSync("bash", ["-c", `exec 3<>/dev/tcp/127.0.0.1/${port}`]).status === 0;
}

/** Below the ports that the system chooses by itself, for listeners and outgoing connections alike. */
const PORT_MIN = 12_000;
const PORTS = 20_000;

/** Ports of loopback that nothing listens on now, and that nobody is given until they are used. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = PORT_MIN + randomInt(PORTS);
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}
