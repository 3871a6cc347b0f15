import { link, mkdir, open, readFile, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";

import { type ClusterKey, parseClusterKeys, withNewKey } from "../secrets/cluster-keys.js";
import { KeyRing } from "../secrets/key-ring.js";
import type { NodeSettings } from "./node-settings.js";

/** File in the data directory with the key that a node alone makes for itself. */
const OWN_KEY_FILE = "cluster-key";

/** What {@link openKeyRing} needs to know. */
export interface KeyRingPlace {
  /** Keys of the cluster, if the node was given any. */
  readonly given: readonly ClusterKey[];
  /** Where the node's own key lies or would lie. */
  readonly dataDir: string;
  /** False where other nodes could not open what is sealed with a key of one node. */
  readonly mayMakeOwn: boolean;
}

/**
 * The keys that a node seals and opens with. What it has sealed alone it opens also later, as part of
 * a cluster. @throws EnokiError `ENOKI_INVALID_CONFIG` if its own file was spoiled
 */
export async function openKeyRing({ given, dataDir, mayMakeOwn }: KeyRingPlace): Promise<KeyRing> {
  const ownFile = join(dataDir, OWN_KEY_FILE);
  const read = async () => parseClusterKeys(await readFile(ownFile, "utf8"), ownFile);
  const make = async (): Promise<readonly ClusterKey[]> => {
    await createKeyFile(ownFile);
    return read();
  };
  const keys = await read().catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return new KeyRing(given, { keys, make: mayMakeOwn ? make : undefined });
}

/** The ring that a node was given, or one of its own. @throws EnokiError `ENOKI_INVALID_CONFIG` */
export async function keyRingOf({ keyRing, dataDir, cluster }: NodeSettings): Promise<KeyRing> {
  return keyRing ?? (await openKeyRing({ given: [], dataDir, mayMakeOwn: cluster === undefined }));
}

/**
 * Writes a file with a new key, whole or not at all, for its owner alone. One that is there stays.
 * Returns whether it was made.
 */
export async function createKeyFile(path: string): Promise<boolean> {
  const draft = `${path}.${process.pid}.draft`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await writeSynced(draft, withNewKey());
    // Unlike a rename, a link replaces nothing: of two that make one, the second keeps the first's.
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(draft).catch(() => {});
  }
}

async function writeSynced(path: string, content: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
