import { createPrng } from "../../src/base/prng.js";
import { Directory } from "../../src/cluster/directory.js";
import type { Deploy } from "../../src/cluster/function-changes.js";
import type { KeygroupDefaults } from "../../src/cluster/keygroup-changes.js";
import type { NodeRecord } from "../../src/cluster/records.js";
import type { EnokiError } from "../../src/core/errors.js";
import { parseNodeName } from "../../src/core/ids.js";
import { MemoryNamingService } from "../../src/naming/memory.js";
import { type Logger, silentLogger } from "../../src/ports/logger.js";
import type { Naming } from "../../src/ports/naming.js";
import type { Storage } from "../../src/ports/storage.js";
import { systemTimers, type Timers } from "../../src/ports/timers.js";
import { createMemoryDriver } from "../../src/storage/memory.js";

/** What a node of tests says of itself. */
export const SELF: Omit<NodeRecord, "name" | "disk"> = {
  addresses: ["127.0.0.1:7000"],
  version: "0.1.0",
  platform: "linux-x64",
  python: "3.11.2",
  labels: { zone: "edge" },
  storage: "lmdb",
};

/** A keygroup as functions make it. */
export const DEFAULTS: KeygroupDefaults = {
  settings: { policy: "lww", ttlMs: 0 },
  placement: { kind: "replicate" },
  durability: "relaxed",
};

/** An empty store of a node. */
export function openNodeStore(): Promise<Storage> {
  return createMemoryDriver().open("node");
}

/** What tests may bring for a directory. */
export interface DirectoryParts {
  readonly storage?: Storage;
  readonly timers?: Timers;
  readonly self?: Partial<typeof SELF>;
  readonly logger?: Logger;
}

/** Directories of several nodes on one naming service in memory. */
export class DirectoryCluster {
  readonly service = new MemoryNamingService({ timers: systemTimers, leaseMs: 200 });
  readonly #opened: Directory[] = [];

  /** Starts the directory of a node and waits until it is ready. */
  async open(
    name: string,
    naming: Naming = this.service.connect(),
    parts: DirectoryParts = {},
  ): Promise<Directory> {
    const directory = await startDirectory(name, naming, parts);
    this.#opened.push(directory);
    await directory.ready();
    return directory;
  }

  /** The JSON of a record, `null` if there is none. */
  rawOf(key: string): unknown {
    return JSON.parse(this.service.entries(key)[0]?.value ?? "null");
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.splice(0).map((directory) => directory.close()));
  }
}

/** The code that a change fails with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "it did not fail",
    (error: unknown) => (error as EnokiError).code,
  );
}

/** A deploy of `source`, the same one for the same id. */
export function deployOf(source: string, id = `deploy-${source}`): Omit<Deploy, "deployedOn"> {
  return { deploy: id, source, runtime: "python", config: {}, deployedAtMs: 1 };
}

let seeds = 1;

/** Opens and starts the directory of a node. */
export async function startDirectory(
  name: string,
  naming: Naming,
  options: DirectoryParts = {},
): Promise<Directory> {
  const directory = new Directory({
    node: parseNodeName(name),
    naming,
    storage: options.storage ?? (await openNodeStore()),
    timers: options.timers ?? systemTimers,
    random: createPrng(seeds++).next,
    logger: options.logger ?? silentLogger,
  });
  directory.start({ ...SELF, ...options.self });
  return directory;
}
