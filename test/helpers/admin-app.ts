import { onTestFinished } from "vitest";

import { EnokiError } from "../../src/core/errors.js";
import type { FunctionName, InvocationId } from "../../src/core/ids.js";
import type {
  ConfigChange,
  DeployRequest,
  FunctionPlace,
  FunctionsFacade,
  InvocationsFacade,
  UndeployOptions,
} from "../../src/functions/facade.js";
import type {
  FunctionConfig,
  FunctionRecord,
  InvocationSummary,
  LogLine,
  Revision,
  RuntimeName,
} from "../../src/functions/types.js";
import { createAdminApp } from "../../src/gateway/admin/app.js";
import { parseKeygroupName } from "../../src/core/ids.js";
import { memoryTokens, type MemoryTokens } from "./memory-tokens.js";
import type { AdminDeps } from "../../src/gateway/admin/deps.js";
import { Keygroups } from "../../src/keygroups/keygroups.js";
import { StoredGrants } from "../../src/keygroups/stored-grants.js";
import { systemClock } from "../../src/ports/clock.js";
import { silentLogger } from "../../src/ports/logger.js";
import { systemTimers } from "../../src/ports/timers.js";
import { createTurn } from "../../src/ports/turn.js";
import { parseClusterKeys, withNewKey } from "../../src/secrets/cluster-keys.js";
import { KeyRing } from "../../src/secrets/key-ring.js";
import { Secrets } from "../../src/secrets/secrets.js";
import { createMemoryDriver } from "../../src/storage/memory.js";

/** Functions that are only recorded, never run. */
export class FakeFunctions implements FunctionsFacade {
  readonly records = new Map<string, FunctionRecord>();
  readonly deploys: DeployRequest[] = [];
  readonly removals: { name: string; deleteData: boolean }[] = [];
  readonly undeploys: ({ name: string; node: string } & UndeployOptions)[] = [];
  readonly lines: LogLine[] = [];
  readonly followers = new Set<(line: LogLine) => void>();
  /** Thrown by the next deploy or removal. */
  failure: unknown;
  /** `undefined` = this node is alone. */
  placesKnown: readonly FunctionPlace[] | undefined;

  list(): readonly FunctionRecord[] {
    return [...this.records.values()];
  }

  describe(name: FunctionName): FunctionRecord {
    const record = this.records.get(name);
    if (record) return record;
    throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${name}"`);
  }

  status() {
    return {
      instances: 1,
      running: 2,
      queued: 3,
      invocationsTotal: 40,
      failuresTotal: 5,
      coldStartsTotal: 6,
    };
  }

  places(): readonly FunctionPlace[] | undefined {
    return this.placesKnown;
  }

  async deploy(request: DeployRequest): Promise<{ record: FunctionRecord; isNew: boolean }> {
    this.#failIfAsked();
    this.deploys.push(request);
    const old = this.records.get(request.name);
    const revision: Revision = {
      number: (old?.revisions.length ?? 0) + 1,
      runtime: (request.runtime ?? "python") as RuntimeName,
      entry: "fn.py",
      hasDeps: false,
      artefact: "abc",
      artefactSizeBytes: request.archive.length,
      config: {
        env: {},
        timeoutMs: 60_000,
        memoryBytes: 256 * 1024 * 1024,
        cpus: 1,
        maxInstances: 8,
        isolation: "process",
        network: "none",
        ...request.config,
        ...secretsOf(request, old),
      },
      createdAtMs: 1_700_000_000_000,
    };
    const record: FunctionRecord = {
      name: request.name,
      current: revision.number,
      revisions: [...(old?.revisions ?? []), revision],
    };
    this.records.set(request.name, record);
    return { record, isNew: old === undefined };
  }

  async removeFrom(name: FunctionName, node: string, options: UndeployOptions): Promise<number> {
    this.#failIfAsked();
    this.undeploys.push({ name, node, ...options });
    return 0;
  }

  async reconfigure(name: FunctionName, change: ConfigChange): Promise<FunctionRecord> {
    this.#failIfAsked();
    const record = this.describe(name);
    const last = record.revisions.at(-1) as Revision;
    const config = await change(last.config);
    const revision = { ...last, number: last.number + 1, config };
    const changed = { name, current: revision.number, revisions: [...record.revisions, revision] };
    this.records.set(name, changed);
    return changed;
  }

  async rollback(name: FunctionName, revision: number | undefined): Promise<FunctionRecord> {
    const record = this.describe(name);
    const current = revision ?? record.current - 1;
    if (!record.revisions.some(({ number }) => number === current)) {
      throw new EnokiError("ENOKI_REVISION_NOT_FOUND");
    }
    const changed = { ...record, current };
    this.records.set(name, changed);
    return changed;
  }

  async remove(name: FunctionName, options: { deleteData: boolean }): Promise<void> {
    this.#failIfAsked();
    this.describe(name);
    this.records.delete(name);
    this.removals.push({ name, ...options });
  }

  logs(_name: FunctionName, tail: number): readonly LogLine[] {
    return this.lines.slice(Math.max(0, this.lines.length - tail));
  }

  followLogs(_name: FunctionName, onLine: (line: LogLine) => void): () => void {
    this.followers.add(onLine);
    return () => this.followers.delete(onLine);
  }

  #failIfAsked(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }
}

function secretsOf(
  { secrets }: DeployRequest,
  old: FunctionRecord | undefined,
): Pick<FunctionConfig, "secrets"> {
  const all = { ...old?.revisions.at(-1)?.config.secrets, ...secrets };
  const kept = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null);
  return kept.length === 0 ? {} : { secrets: Object.fromEntries(kept) };
}

/** Invocations in a map. */
export class FakeInvocations implements InvocationsFacade {
  readonly all = new Map<string, InvocationSummary>();
  lastFilter: Parameters<InvocationsFacade["list"]>[0] | undefined;

  list(filter: Parameters<InvocationsFacade["list"]>[0]): readonly InvocationSummary[] {
    this.lastFilter = filter;
    return [...this.all.values()];
  }

  show(id: InvocationId): InvocationSummary {
    const found = this.all.get(id);
    if (found) return found;
    throw new EnokiError("ENOKI_INVOCATION_NOT_FOUND");
  }

  async replay(id: InvocationId): Promise<InvocationSummary> {
    return { ...this.show(id), state: "queued" };
  }

  async forget(id: InvocationId): Promise<void> {
    this.show(id);
    this.all.delete(id);
  }
}

/** An admin port over real keygroups in memory, and fakes of the rest. */
export interface AdminFixture {
  readonly app: ReturnType<typeof createAdminApp>;
  readonly rights: MemoryTokens;
  readonly deps: AdminDeps;
  readonly functions: FakeFunctions;
  readonly invocations: FakeInvocations;
  readonly keygroups: Keygroups;
  /** Sends stored with batches. */
  readonly sends: unknown[];
  /** What was logged as an error. */
  readonly errors: object[];
  /** Sends a request; `body` may be text, bytes or a form. */
  request(method: string, path: string, init?: RequestInit): Promise<Response>;
}

/** Keys of the fixture's cluster. */
const KEYS = parseClusterKeys(withNewKey(), "test");

/** Makes an {@link AdminFixture} with an empty keygroup `kg`; `changes` replaces single deps. */
export async function adminFixture(
  changes: Partial<AdminDeps> & { readonly adminToken?: string } = {},
): Promise<AdminFixture> {
  const { adminToken, ...replaced } = changes;
  const rights = await memoryTokens(adminToken);
  const driver = createMemoryDriver();
  const sends: unknown[] = [];
  const errors: object[] = [];
  const logger = { ...silentLogger, error: (fields: object) => void errors.push(fields) };
  const nodeStore = await driver.open("node");
  const keygroups = new Keygroups({
    driver,
    storageKind: "memory",
    nodeName: "n1",
    nodeStore,
    resumes: true,
    defaults: { policy: "lww", durability: "relaxed", ttlMs: 0 },
    turn: createTurn(),
    timers: systemTimers,
    clock: systemClock,
    logger,
    syncIntervalMs: 100,
    encodeSends: (_keygroup, more) => {
      sends.push(...more);
      return { writes: [], committed: () => {} };
    },
    dropped: (name) => grants.dropped(name),
  });
  const grants = new StoredGrants({ nodeStore, find: (name) => keygroups.find(name) });
  await keygroups.open();
  onTestFinished(() => keygroups.close());
  const functions = new FakeFunctions();
  const invocations = new FakeInvocations();
  const deps: AdminDeps = {
    functions,
    triggerFailures: () => new Map(),
    invocations,
    keygroups,
    overview: undefined,
    replicas: undefined,
    removeKeygroup: (name) => keygroups.remove(name),
    node: () => ({
      name: "n1",
      version: "0.1.0",
      addresses: { functions: "http://127.0.0.1:8000", admin: "http://127.0.0.1:8080" },
      access: "public" as const,
      runtimes: { python: { version: "3.11" }, node: { missing: "install it" } },
      isolation: { available: ["process"], memoryLimit: "watched RSS" },
      storage: { driver: "memory", dataDir: null },
    }),
    nodes: () => [
      {
        name: "n1",
        self: true,
        state: "up",
        version: "0.1.0",
        platform: "linux-x64",
        storage: "memory",
        labels: { zone: "north" },
        links: [],
        functions: [],
        keygroups: ["kg"],
      },
    ],
    isReady: () => true,
    draining: new AbortController().signal,
    metrics: async () => "up 1\n",
    access: rights.access,
    tokens: rights.tokens,
    grants,
    secrets: new Secrets(new KeyRing(KEYS, { keys: [], make: undefined })),
    functionUrl: () => "http://127.0.0.1:8000",
    allowUploadUrl: false,
    logger,
    ...replaced,
  };
  const app = createAdminApp(deps);
  const request = async (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
    app.request(path, { method, ...init });
  await keygroups.create(parseKeygroupName("kg"), {});
  return { app, rights, deps, functions, invocations, keygroups, sends, errors, request };
}

/** The `code` of a problem document. */
export async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}
