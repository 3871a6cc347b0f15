import { createPrng } from "../../src/base/prng.js";
import { Directory } from "../../src/cluster/directory.js";
import type { KeygroupDefaults } from "../../src/cluster/keygroup-changes.js";
import type { NodeRecord } from "../../src/cluster/records.js";
import { parseNodeName } from "../../src/core/ids.js";
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

let seeds = 1;

/** Opens and starts the directory of a node. */
export async function startDirectory(
  name: string,
  naming: Naming,
  options: {
    readonly storage?: Storage;
    readonly timers?: Timers;
    readonly self?: Partial<typeof SELF>;
    readonly logger?: Logger;
  } = {},
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
