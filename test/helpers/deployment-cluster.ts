import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { Sequences } from "../../src/base/sequences.js";
import type { Directory } from "../../src/cluster/directory.js";
import { EnokiError } from "../../src/core/errors.js";
import { type FunctionName, type NodeName, parseNodeName } from "../../src/core/ids.js";
import { Deployment } from "../../src/deployment/deployment.js";
import type { LocalFunctions } from "../../src/deployment/local-functions.js";
import { type ArtefactStore, createArtefactStore } from "../../src/functions/artefacts.js";
import { type BuildTarget, builtFor } from "../../src/functions/build-target.js";
import { type BuildStep, Deployer } from "../../src/functions/deployer.js";
import type { DeployTargets } from "../../src/functions/facade.js";
import type { Candidate } from "../../src/functions/functions.js";
import { FunctionRegistry } from "../../src/functions/registry.js";
import type { FunctionRecord, Revision } from "../../src/functions/types.js";
import { MemoryLinkHub } from "../../src/links/memory.js";
import type { MemoryNaming } from "../../src/naming/memory.js";
import { PeerRequests } from "../../src/peers/requests.js";
import { PeerRouter } from "../../src/peers/router.js";
import { systemClock } from "../../src/ports/clock.js";
import { silentLogger } from "../../src/ports/logger.js";
import type { Storage } from "../../src/ports/storage.js";
import { systemTimers } from "../../src/ports/timers.js";
import { LinkRecorder } from "../../src/testing/links-recorder.js";
import { DirectoryCluster, openNodeStore } from "./directories.js";
import { temporaryFolder } from "./temporary-folder.js";

/** The machine of a node unless a test says another. */
export const MACHINE: BuildTarget = {
  platform: "linux-x64-glibc",
  nodeAbi: "115",
  python: "3.11",
};

/** What tests may bring for a node. */
export interface NodeParts {
  readonly labels?: Readonly<Record<string, string>>;
  readonly target?: BuildTarget;
  readonly wrapStore?: (store: ArtefactStore) => ArtefactStore;
  readonly wrapRequests?: (
    requests: Pick<PeerRequests, "serve" | "stream">,
  ) => Pick<PeerRequests, "serve" | "stream">;
}

/** Functions that are never run. An archive whose text holds `broken` does not load. */
class NotedFunctions implements LocalFunctions {
  readonly registry: FunctionRegistry;
  readonly #store: ArtefactStore;
  readonly #sequences = new Sequences();
  /** Every load, as `NAME REVISION`. */
  readonly loads: string[] = [];
  /** What was done with the data of functions. */
  readonly dataNotes: string[] = [];
  readonly #textOf: (artefact: string) => string;
  inUse: () => Set<string> = () => new Set();
  /** Waited for before a revision has loaded. */
  loading: () => Promise<void> = async () => {};
  #changing = 0;

  constructor(storage: Storage, store: ArtefactStore, textOf: (artefact: string) => string) {
    this.registry = new FunctionRegistry(storage);
    this.#store = store;
    this.#textOf = textOf;
  }

  list = () => this.registry.list();
  recordOf = (name: FunctionName) => this.registry.find(name);
  logs = () => [];
  followLogs = () => () => {};

  status(): ReturnType<LocalFunctions["status"]> {
    const none = { instances: 0, running: 0, queued: 0 };
    return { ...none, invocationsTotal: 0, failuresTotal: 0, coldStartsTotal: 0 };
  }

  async changing<T>(name: FunctionName, work: () => Promise<T>): Promise<T> {
    return this.#sequences.run(name, () => this.keepingArtefacts(work));
  }

  async keepingArtefacts<T>(work: () => Promise<T>): Promise<T> {
    this.#changing += 1;
    try {
      return await work();
    } finally {
      this.#changing -= 1;
      if (this.#changing === 0) await this.#collect();
    }
  }

  async tryOut(name: FunctionName, revision: Revision): Promise<Candidate> {
    if (!(await this.#store.has(revision.artefact))) throw new Error("the artefact is not here");
    this.loads.push(`${name} ${revision.number}`);
    await this.loading();
    if (this.#textOf(revision.artefact).includes("broken")) {
      throw new EnokiError("ENOKI_LOAD_FAILED", "it is broken");
    }
    return {
      serve: (final) => this.registry.addRevision(name, final),
      discard: async () => {},
    };
  }

  async reconfigure(): Promise<FunctionRecord> {
    throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND");
  }

  async rollback(): Promise<FunctionRecord> {
    throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND");
  }

  async remove(name: FunctionName): Promise<void> {
    await this.#sequences.run(name, async () => {
      this.registry.get(name);
      await this.registry.remove(name);
      await this.#collect();
    });
  }

  async #collect(): Promise<void> {
    const inUse = new Set([...this.registry.artefactsInUse(), ...this.inUse()]);
    for (const hash of await this.#store.list()) {
      if (!inUse.has(hash) && this.#changing === 0) await this.#store.remove(hash);
    }
  }
}

/** A node that follows functions. */
export interface DeploymentNode {
  readonly name: NodeName;
  readonly directory: Directory;
  readonly naming: MemoryNaming;
  readonly deployment: Deployment;
  readonly local: NotedFunctions;
  readonly store: ArtefactStore;
  readonly builds: string[];
  /** The text of the code that serves here. */
  serving(name: FunctionName): string | undefined;
  close(): Promise<void>;
}

/** Nodes on one naming service in memory, all linked to each other, whose builds copy the archive. */
export class DeploymentCluster {
  readonly hub = new MemoryLinkHub();
  readonly directories = new DirectoryCluster();
  readonly nodes = new Map<string, DeploymentNode>();
  /** Text by artefact, over all nodes. */
  readonly #texts = new Map<string, string>();

  /** Starts a node; `storage` and `dir` of an earlier one make it that one again. */
  async add(
    text: string,
    parts: NodeParts = {},
    kept: { storage?: Storage; dir?: string } = {},
  ): Promise<DeploymentNode & { storage: Storage; dir: string }> {
    const name = parseNodeName(text);
    const { target = MACHINE, labels = {} } = parts;
    const storage = kept.storage ?? (await openNodeStore());
    const dir = kept.dir ?? (await temporaryFolder());
    const links = this.hub.join(name);
    const requests = new PeerRequests({ links, timers: systemTimers, logger: silentLogger });
    links.listen(new PeerRouter({ requests, keygroups: new LinkRecorder() }));
    for (const other of this.nodes.keys()) this.hub.connect(name, parseNodeName(other));
    const real = await createArtefactStore(join(dir, "artefacts"));
    const store = parts.wrapStore?.(real) ?? real;
    const naming = this.directories.service.connect();
    const directory = await this.directories.open(text, naming, { storage, self: { labels } });
    const local = new NotedFunctions(storage, store, (hash) => this.#texts.get(hash) ?? "");
    const builds: string[] = [];
    const deployment = new Deployment({
      node: name,
      labels,
      target,
      directory,
      requests: parts.wrapRequests?.(requests) ?? requests,
      functions: local,
      deployer: new Deployer({
        build: this.#build(store, target, builds),
        scratchDir: dir,
        clock: systemClock,
        defaults: {
          env: {},
          timeoutMs: 60_000,
          memoryBytes: 1,
          cpus: 0,
          maxInstances: 1,
          isolation: "process",
          network: "host",
        },
      }),
      store,
      data: {
        remove: async () => {},
        create: async (text, placement) => {
          local.dataNotes.push(`place ${text} ${JSON.stringify(placement)}`);
        },
        takeFrom: async (text, node) => {
          local.dataNotes.push(`take ${text} from ${node}`);
          return 0;
        },
      },
      clock: systemClock,
      timers: systemTimers,
      logger: silentLogger,
      pieceTimeoutMs: 2000,
    });
    local.inUse = () => deployment.functions.artefactsInUse();
    deployment.start();
    const node = {
      name,
      directory,
      naming,
      deployment,
      local,
      store,
      builds,
      storage,
      dir,
      serving: (fn: FunctionName) => {
        const record = local.recordOf(fn);
        const revision = record?.revisions.find(({ number }) => number === record.current);
        return revision && this.#texts.get(revision.artefact);
      },
      close: async () => {
        this.nodes.delete(text);
        await deployment.close();
        await directory.close();
        await links.close();
        await naming.close();
      },
    };
    this.nodes.set(text, node);
    return node;
  }

  async close(): Promise<void> {
    await Promise.all([...this.nodes.values()].map((node) => node.close()));
    await this.directories.close();
  }

  #build(store: ArtefactStore, target: BuildTarget, builds: string[]): BuildStep {
    return async ({ archive, runtime = "python", workDir }) => {
      const text = archive.toString("latin1");
      if (text.includes("unbuildable")) throw new EnokiError("ENOKI_BUILD_FAILED", "no");
      builds.push(text.slice(0, 40));
      const outDir = join(workDir, "built");
      await mkdir(join(outDir, "code"), { recursive: true });
      await writeFile(join(outDir, "code/fn.py"), archive);
      await writeFile(join(outDir, "code/for.txt"), `${target.platform} ${target.python}`);
      await writeFile(join(outDir, "code/empty.txt"), "");
      const { hash, sizeBytes } = await store.add(outDir);
      this.#texts.set(hash, text);
      const made = builtFor(runtime, text.includes("native"), target);
      return { runtime, entry: "fn.py", hasDeps: false, hash, sizeBytes, builtFor: made };
    };
  }
}

/** A deploy of a text as the archive. */
export function deployText(
  node: DeploymentNode,
  name: FunctionName,
  text: string,
  targets?: Partial<DeployTargets>,
  runtime?: string,
) {
  return node.deployment.functions.deploy({
    name,
    archive: Buffer.from(text, "latin1"),
    runtime,
    config: {},
    allowBuild: false,
    targets: targets && { nodes: [], labels: [], isAll: false, ...targets },
  });
}
