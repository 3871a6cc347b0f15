import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createConnection } from "node:net";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { freePorts } from "./etcd.js";

/** Debian puts it where only root looks. */
const BROKER = ["mosquitto", "/usr/sbin/mosquitto"].find(
  (name) => spawnSync(name, ["-h"]).error === undefined,
);

/** Why tests with a real broker cannot run here; empty if they can. */
export const MOSQUITTO_MISSING =
  BROKER !== undefined && spawnSync("mosquitto_pub", ["--help"]).error === undefined
    ? ""
    : " [skipped: needs mosquitto and its clients; npm run setup]";

/** Who may connect; nobody named = anybody. */
export interface BrokerSetup {
  readonly user?: string;
  readonly password?: string;
  /** For TLS. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** One mosquitto on a free port of loopback, which keeps sessions on disk. It can be stopped and come back. */
export class TestBroker {
  readonly port: number;
  readonly dir: string;
  readonly #setup: BrokerSetup;
  #process: ChildProcess | undefined;

  private constructor(port: number, setup: BrokerSetup) {
    this.port = port;
    this.#setup = setup;
    this.dir = mkdtempSync(join(tmpdir(), "enoki-mqtt-"));
    this.#configure();
  }

  static async start(setup: BrokerSetup = {}): Promise<TestBroker> {
    const broker = await TestBroker.prepare(setup);
    await broker.restart();
    return broker;
  }

  /** One that does not run yet. */
  static async prepare(setup: BrokerSetup = {}): Promise<TestBroker> {
    const [port] = await freePorts(1);
    return new TestBroker(port as number, setup);
  }

  /** `HOST:PORT`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts the process on what it has kept, and waits until it takes connections. */
  async restart(): Promise<void> {
    this.#process = spawn(BROKER ?? "", ["-c", join(this.dir, "conf")], { stdio: "ignore" });
    while (!(await isListening(this.port))) {
      if (this.#process.exitCode !== null) throw new Error(`mosquitto ended: ${this.log()}`);
    }
  }

  /** Stops it; it keeps its sessions. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  }

  /** Stops the process without ending it, or lets it go on. */
  freeze(isFrozen: boolean): void {
    this.#process?.kill(isFrozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Publishes with mosquitto's own client, and waits until the broker has it. */
  async publish(
    topic: string,
    payload: string | Buffer,
    ...more: readonly string[]
  ): Promise<void> {
    const file = join(this.dir, "payload");
    writeFileSync(file, payload);
    const { user, password } = this.#setup;
    const who = user === undefined ? [] : ["-u", user, "-P", password ?? ""];
    const where = ["-h", "127.0.0.1", "-p", String(this.port), "-t", topic, "-f", file];
    await promisify(execFile)("mosquitto_pub", [...where, "-q", "1", ...who, ...more]);
  }

  /** Publishes each line as a message, by one connection. */
  async publishLines(topic: string, lines: readonly string[]): Promise<void> {
    const args = ["-h", "127.0.0.1", "-p", String(this.port), "-t", topic, "-q", "1", "-l"];
    const child = spawn("mosquitto_pub", args, { stdio: ["pipe", "ignore", "ignore"] });
    child.stdin.end(`${lines.join("\n")}\n`);
    await once(child, "exit");
  }

  /** Lets the user have another password from the next start on. */
  setPassword(password: string): void {
    const file = join(this.dir, "passwords");
    execFileSync("mosquitto_passwd", ["-b", "-c", file, this.#setup.user ?? "", password]);
  }

  log(): string {
    return readFileSync(join(this.dir, "log"), "utf8");
  }

  async remove(): Promise<void> {
    this.freeze(false);
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  #configure(): void {
    const { user, password, certFile, keyFile } = this.#setup;
    const lines = [
      `listener ${this.port} 127.0.0.1`,
      "persistence true",
      `persistence_location ${this.dir}/`,
      `log_dest file ${this.dir}/log`,
      "log_type all",
      "user root",
      user === undefined ? "allow_anonymous true" : `password_file ${this.dir}/passwords`,
    ];
    if (certFile !== undefined) lines.push(`certfile ${certFile}`, `keyfile ${keyFile}`);
    writeFileSync(join(this.dir, "conf"), `${lines.join("\n")}\n`);
    if (user !== undefined) this.setPassword(password ?? "");
  }
}

async function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => setTimeout(resolve, 20, false));
  });
}
