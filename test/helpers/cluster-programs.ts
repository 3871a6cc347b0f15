import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAuthority, issueNodeCertificate } from "../../src/certs/certificates.js";
import { parseNodeName } from "../../src/core/ids.js";
import type { LinkCredentials } from "../../src/links/identity.js";
import type { TestEtcd } from "./etcd.js";
import { startProgram, type NodeProgram } from "./node-program.js";
import type { ClusterNode } from "./running-cluster.js";

/** A node in a process of its own, on an etcd, which can be killed and come back. */
export interface ClusterProgram extends ClusterNode {
  readonly program: NodeProgram;
  readonly dataDir: string;
}

/** Nodes as separate processes that prove their names with certificates of one authority. */
export class ProgramCluster {
  readonly #dir: string;
  readonly #etcd: TestEtcd;
  readonly #flags: readonly string[];
  readonly #authority = createAuthority({ nowMs: Date.now(), validMs: 86_400_000 });
  readonly #programs = new Map<string, NodeProgram>();

  private constructor(dir: string, etcd: TestEtcd, flags: readonly string[]) {
    this.#dir = dir;
    this.#etcd = etcd;
    this.#flags = flags;
  }

  static async open(etcd: TestEtcd, flags: readonly string[] = []): Promise<ProgramCluster> {
    const dir = await mkdtemp(join(tmpdir(), "enoki-cluster-"));
    return new ProgramCluster(dir, etcd, flags);
  }

  /** Starts a node, new or again on what its disk holds. */
  async start(
    name: string,
    flags: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
    spawned?: (pid: number) => void,
  ): Promise<ClusterProgram> {
    const dataDir = join(this.#dir, name);
    const own = [
      "--name",
      name,
      "--isolation",
      "process",
      "--link-port",
      "0",
      "--naming",
      `etcd://127.0.0.1:${this.#etcd.port}`,
      ...(await this.#certificate(name)),
      ...this.#flags,
      ...flags,
    ];
    const program = await startProgram(dataDir, own, env, spawned);
    this.#programs.set(name, program);
    return { ...program, name, program, dataDir };
  }

  /** Ends a node at once, as a power cut of its machine that keeps the disk. */
  async kill({ name, program }: ClusterProgram): Promise<void> {
    await program.end("SIGKILL");
    this.#programs.delete(name);
  }

  /** Ends all processes and removes what they wrote. */
  async remove(): Promise<void> {
    await Promise.all([...this.#programs.values()].map((program) => program.end("SIGKILL")));
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** What a node of that name proves its name with. */
  credentialsOf(name: string): LinkCredentials {
    const made = issueNodeCertificate(this.#authority, {
      node: parseNodeName(name),
      hosts: [],
      nowMs: Date.now(),
      validMs: 86_400_000,
    });
    return { cert: made.cert, key: made.key, ca: this.#authority.cert };
  }

  async #certificate(name: string): Promise<string[]> {
    const flags: string[] = [];
    for (const [kind, text] of Object.entries(this.credentialsOf(name))) {
      const path = join(this.#dir, `${name}-${kind}.pem`);
      await writeFile(path, text);
      flags.push(`--link-${kind}`, path);
    }
    return flags;
  }
}
