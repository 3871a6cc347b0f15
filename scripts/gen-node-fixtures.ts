/** Rows of the node's own store, for `gen-fixtures.ts`. */
import { StoredTokens } from "../src/access/stored-tokens.js";
import type { AnyRecord } from "../src/cluster/record-codec.js";
import type { TokenRecord } from "../src/cluster/records.js";
import { StoredView } from "../src/cluster/stored-view.js";
import type { FunctionName, KeygroupName, NodeName } from "../src/core/ids.js";
import type { RowPair } from "../src/core/rows.js";
import { FunctionRegistry } from "../src/functions/registry.js";
import type { Revision } from "../src/functions/types.js";
import { KeygroupStores } from "../src/keygroups/keygroup-stores.js";
import { StoredGrants } from "../src/keygroups/stored-grants.js";
import { nodeIdentity } from "../src/node/node-identity.js";
import { beginRun, endRun } from "../src/node/run-marker.js";
import type { Storage } from "../src/ports/storage.js";
import { createMemoryDriver } from "../src/storage/memory.js";

const WALL_MS = 1_800_000_000_000;

const REVISION: Revision = {
  number: 1,
  runtime: "python",
  entry: "fn.py",
  artefact: "a".repeat(64),
  artefactSizeBytes: 1234,
  hasDeps: true,
  config: {
    env: { A: "b" },
    timeoutMs: 60_000,
    memoryBytes: 1 << 28,
    cpus: 0.5,
    maxInstances: 4,
    concurrency: 1,
    isolation: "sandbox",
    network: "none",
  } as never,
  createdAtMs: WALL_MS,
};

/** Rows of a node's own store, as the parts of a node write them. */
export async function nodeRows(): Promise<RowPair[]> {
  const nodeStore = await createMemoryDriver().open("node");
  const registry = new FunctionRegistry(nodeStore);
  const name = "hello" as FunctionName;
  await registry.addRevision(name, REVISION);
  const origin = { deploy: "d", source: "b".repeat(64), allowBuild: false };
  await registry.addRevision(name, { ...REVISION, number: 2, archive: "c".repeat(64), origin });
  const keygroups = new KeygroupStores({ nodeStore } as never);
  const config = { policy: "siblings", durability: "strict", ttlMs: 5000 } as const;
  const member = { generation: 1, epoch: 300 };
  await keygroups.remember({ name: "alone" as KeygroupName, config, member: undefined });
  await keygroups.remember({ name: "shared" as KeygroupName, config, member });
  await beginRun(nodeStore, "boot");
  await endRun(nodeStore, "boot");
  return allRows(nodeStore);
}

/** Everything that may stand in the configuration of a revision. */
const FULL_REVISION: Revision = {
  ...REVISION,
  builtFor: { platform: "linux-x64-glibc", nodeAbi: "137", python: "3.13" },
  config: {
    ...REVISION.config,
    access: "token",
    remoteWrites: "pipelined",
    application: "city",
    triggers: [{ on: "keygroup:readings/a", at: "one" }],
    secrets: { KEY: "sealed" },
  },
};

/** Rows that a node alone has besides: what it is called, its tokens, and whom it granted what. */
export async function lonelyNodeRows(): Promise<RowPair[]> {
  const nodeStore = await createMemoryDriver().open("node");
  await new FunctionRegistry(nodeStore).addRevision("full" as FunctionName, FULL_REVISION);
  nodeIdentity(nodeStore, "11111111-2222-3333-4444-555555555555");
  const grants = new StoredGrants({ nodeStore, find: () => undefined });
  const readings = "readings" as KeygroupName;
  await grants.set(readings, { kind: "function", id: "mean" }, ["read", "write"]);
  await grants.set(readings, { kind: "token", id: "0123456789abcdef" }, ["read"]);
  const tokens = new StoredTokens(nodeStore);
  await tokens.add(TOKEN);
  await tokens.add({ ...TOKEN, id: "1".repeat(16), expiresAtMs: undefined });
  await tokens.revoke("1".repeat(16));
  await beginRun(nodeStore, "boot");
  await endRun(nodeStore, "boot");
  return allRows(nodeStore);
}

/** Rows of a node of a cluster: its disk, and the last view of the global configuration. */
export async function clusterNodeRows(): Promise<RowPair[]> {
  const nodeStore = await createMemoryDriver().open("node");
  await new StoredView(nodeStore, "disk-1").store(RECORDS.map((record) => ({ record })));
  return allRows(nodeStore);
}

function allRows(store: Storage): RowPair[] {
  return [...store.range({ start: new Uint8Array(), end: Uint8Array.of(255) })];
}

const TOKEN: TokenRecord = {
  id: "0123456789abcdef",
  serial: 1,
  name: "ci",
  role: "deploy",
  hash: "e".repeat(64),
  createdAtMs: WALL_MS,
  expiresAtMs: WALL_MS + 5000,
  isRevoked: false,
};

const [EDGE, CLOUD] = ["edge1" as NodeName, "cloud" as NodeName];
const HELLO = "hello" as FunctionName;

const RECORDS: readonly AnyRecord[] = [
  {
    kind: "node",
    record: {
      name: EDGE,
      disk: "disk-1",
      addresses: ["127.0.0.1:8100"],
      version: "0.1.0",
      platform: "linux-x64",
      python: "3.13.5",
      labels: { zone: "a" },
      storage: "lmdb",
    },
  },
  {
    kind: "function",
    record: {
      name: HELLO,
      serial: 3,
      isRemoved: false,
      lineage: "d",
      current: 1,
      last: 2,
      revisions: [
        {
          number: 1,
          deploy: "d",
          source: "b".repeat(64),
          runtime: "python",
          config: { timeout: "1m" },
          deployedOn: CLOUD,
          deployedAtMs: WALL_MS,
        },
      ],
      targets: { nodes: [EDGE], labels: ["zone=a"], isAll: false },
    },
  },
  {
    kind: "function-node",
    record: {
      function: HELLO,
      node: EDGE,
      state: "failed",
      revision: 2,
      serving: 1,
      reason: "it does not load",
    },
  },
  {
    kind: "keygroup",
    record: {
      name: "readings" as KeygroupName,
      serial: 9,
      generation: 2,
      epoch: 3,
      isDropped: false,
      members: [
        { node: CLOUD, epoch: 1, isFounder: true, durability: "strict", disk: "disk-2" },
        { node: EDGE, epoch: 3, isFounder: false, durability: "relaxed" },
      ],
      past: [2],
      settings: { policy: "merge", ttlMs: 5000 },
      placement: { kind: "at", node: CLOUD },
      grants: [{ kind: "function", id: "mean", rights: ["read"] }],
    },
  },
  { kind: "token", record: TOKEN },
];
