import { rm } from "node:fs/promises";

import type { LinkCredentials } from "../../../src/links/identity.js";
import { ProgramCluster, type ClusterProgram } from "../cluster-programs.js";
import { freePorts, TestEtcd } from "../etcd.js";
import { until, zipFiles } from "../node-calls.js";
import { differences, dumpOf, storedItems, type Dump } from "./dumps.js";
import { LinkRelays } from "./link-relays.js";
import { WORK_FILES, Writer } from "./writers.js";

/** What is replicated, and the function that writes it. */
const WORK = "work";

/**
 * Nodes in processes of their own on a real etcd, whose links go through relays, and a function `work` on
 * all of them. Whatever is done to them, in the end all replicas must be equal.
 */
export class FaultCluster {
  readonly etcd: TestEtcd;
  readonly relays = new LinkRelays();
  readonly #programs: ProgramCluster;
  readonly #nodes = new Map<string, ClusterProgram>();
  readonly #dirs = new Map<string, string>();
  readonly #linkPorts = new Map<string, number>();
  readonly #flags = new Map<string, readonly string[]>();
  readonly #extra: Readonly<Record<string, readonly string[]>>;
  readonly #writers = new Set<Writer>();
  #writersTotal = 0;

  private constructor(
    etcd: TestEtcd,
    programs: ProgramCluster,
    extra: Readonly<Record<string, readonly string[]>>,
  ) {
    this.etcd = etcd;
    this.#programs = programs;
    this.#extra = extra;
  }

  /**
   * Starts an etcd and, one after the other, nodes with the function on each; `extra`: more flags, by
   * node.
   */
  static async open(
    names: readonly string[],
    extra: Readonly<Record<string, readonly string[]>> = {},
  ): Promise<FaultCluster> {
    const etcd = await TestEtcd.start();
    const cluster = new FaultCluster(etcd, await ProgramCluster.open(etcd), extra);
    for (const name of names) await cluster.start(name);
    for (const name of names) await cluster.deploy(name);
    return cluster;
  }

  get names(): string[] {
    return [...this.#nodes.keys()];
  }

  node(name: string): ClusterProgram {
    const node = this.#nodes.get(name);
    if (!node) throw new Error(`${name} was never started`);
    return node;
  }

  /** Where a node takes links, without the relay before it. */
  linkAddress(name: string): string {
    return `127.0.0.1:${this.#linkPorts.get(name)}`;
  }

  /** What a node of that name proves its name with. */
  credentialsOf(name: string): LinkCredentials {
    return this.#programs.credentialsOf(name);
  }

  /** Starts a node, or starts it again, at the same address. */
  async start(name: string): Promise<ClusterProgram> {
    if (!this.#flags.has(name)) this.#flags.set(name, await this.#linkFlags(name));
    // why so early: it dials before it is ready, and the relays have to know who does.
    const spawned = (pid: number): void => this.relays.setProcess(name, pid);
    const node = await this.#programs.start(name, this.#flags.get(name), {}, spawned);
    this.#nodes.set(name, node);
    this.#dirs.set(name, node.dataDir);
    return node;
  }

  async deploy(name: string): Promise<void> {
    await this.node(name).client.functions.deploy(WORK, zipFiles(WORK_FILES));
  }

  /** Ends a node as it should be ended. */
  async stop(name: string): Promise<void> {
    await this.node(name).program.end("SIGTERM");
  }

  /** Ends a node at once. */
  async kill(name: string): Promise<void> {
    await this.#programs.kill(this.node(name));
  }

  /** Removes all that a killed node has on its disk. */
  async loseDisk(name: string): Promise<void> {
    await rm(this.node(name).dataDir, { recursive: true });
  }

  /** Stops a node without ending it, or lets it go on. */
  freeze(name: string, isFrozen: boolean): void {
    this.node(name).program.child.kill(isFrozen ? "SIGSTOP" : "SIGCONT");
  }

  /** Starts clients, each on one of these nodes. */
  write(...names: readonly string[]): Writer[] {
    return names.map((name) => {
      this.#writersTotal += 1;
      const writer = new Writer(`w${this.#writersTotal}-${name}`, () => this.node(name));
      this.#writers.add(writer);
      return writer.start();
    });
  }

  /** Whether the replicas of two nodes show the same now. */
  async areEqual(names: readonly [string, string]): Promise<boolean> {
    const asked = names.map((name) => dumpOf(this.node(name), WORK));
    const [left, right] = (await Promise.all(asked)) as [Dump, Dump];
    return left.text === right.text;
  }

  /** Waits until the replicas of these nodes show the same. Nobody may write meanwhile. */
  async equal(
    names: readonly string[] = this.names,
  ): Promise<{ readonly afterMs: number; readonly dump: Dump }> {
    const begunMs = performance.now();
    let dumps: Dump[] = [];
    try {
      return await until(
        "all replicas are equal",
        async () => {
          const asked = names.map((name) => dumpOf(this.node(name), WORK));
          const answers = await Promise.all(asked).catch(unlessFilled);
          if (!answers) return undefined;
          dumps = answers;
          const [first, ...others] = dumps as [Dump, ...Dump[]];
          if (others.some(({ text }) => text !== first.text)) return undefined;
          return { afterMs: performance.now() - begunMs, dump: first };
        },
        60_000,
      );
    } catch (error) {
      const [first, ...others] = dumps;
      if (!first) throw error;
      const found = others.flatMap((other) => differences(first, other)).slice(0, 10);
      throw new Error(`replicas differ:\n${found.join("\n")}\n${this.logs()}`, { cause: error });
    }
  }

  /** Ends the nodes as they should be ended, and gives what is stored of all items on each of these. */
  async stored(names: readonly string[] = this.names): Promise<string[][]> {
    await Promise.all(this.names.map((name) => this.stop(name)));
    return Promise.all(names.map((name) => storedItems(this.#dirs.get(name) as string, WORK)));
  }

  /** What the nodes said, for messages of failed tests. */
  logs(): string {
    return this.names.map((name) => `${name}:\n${this.node(name).program.log()}`).join("\n");
  }

  async remove(): Promise<void> {
    for (const name of this.names) this.freeze(name, false);
    await Promise.all([...this.#writers].map((writer) => writer.stop()));
    await this.#programs.remove();
    await this.relays.close();
    await this.etcd.remove();
  }

  async #linkFlags(name: string): Promise<string[]> {
    const [port = 0] = await freePorts(1);
    const relay = await this.relays.add(name, port);
    this.#linkPorts.set(name, port);
    const extra = this.#extra[name] ?? [];
    return ["--link-port", String(port), "--advertise", `127.0.0.1:${relay}`, ...extra];
  }
}

/** A replica that is still being filled shows nothing. */
function unlessFilled(error: { readonly code?: string }): undefined {
  if (error.code !== "ENOKI_STALE") throw error;
}
