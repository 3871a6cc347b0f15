import { EnokiError } from "../core/errors.js";
import type { FunctionName } from "../core/ids.js";
import { isSameConfig } from "./config-equality.js";
import type { Deployer } from "./deployer.js";
import type { ConfigChange, DeployRequest, FunctionsFacade } from "./facade.js";
import { FunctionHost, preparePool, type FunctionHostOptions } from "./function-host.js";
import type { InstancePool } from "./instance-pool.js";
import { LogBook } from "./log-book.js";
import { RefusedOperations } from "./refused-operations.js";
import { currentRevision, revisionOf, type FunctionRegistry } from "./registry.js";
import type { FunctionRecord, FunctionStatus, LogLine, Revision } from "./types.js";

/** What {@link Functions} is built from. */
export interface FunctionsOptions {
  readonly nodeName: string;
  readonly registry: FunctionRegistry;
  readonly deployer: Deployer;
  readonly host: FunctionHostOptions;
  /** Makes the function's keygroup if there is none. */
  readonly ensureKeygroup: (name: FunctionName) => Promise<void>;
  /** Opens the keygroup of a function that was here before the node's last stop. */
  readonly resumeKeygroup: (name: FunctionName) => Promise<void>;
  /** Ends a keygroup. */
  readonly removeKeygroup: (name: FunctionName) => Promise<void>;
  /** Takes a keygroup from this node, and ends it if nobody else has it. */
  readonly leaveKeygroup: (name: FunctionName) => Promise<void>;
  /** Another revision of a function serves here, or none. */
  readonly changed?: (name: FunctionName) => void;
  /** Removes stored artefacts that are not among `inUse`. */
  readonly collectArtefacts: (inUse: ReadonlySet<string>) => Promise<void>;
}

/** A revision that has loaded and serves nothing yet. */
export interface Candidate {
  /** Lets it serve, under that number; the revision before it finishes what it runs. */
  serve(revision: Revision): Promise<FunctionRecord>;
  discard(): Promise<void>;
}

/** The functions of this node: deployed, replaced, rolled back, removed and called by name. */
export class Functions implements FunctionsFacade {
  readonly #options: FunctionsOptions;
  readonly #hosts = new Map<string, FunctionHost>();
  /** Deploys whose artefact no revision may name yet. */
  #deploying = 0;
  #collecting: Promise<void> = Promise.resolve();

  constructor(options: FunctionsOptions) {
    this.#options = options;
  }

  /** Takes up what was deployed before the node's last stop. Instances start with the first call. */
  async open(): Promise<void> {
    for (const record of this.#options.registry.list()) {
      await this.#options.resumeKeygroup(record.name);
      this.#hosts.set(record.name, new FunctionHost(record, this.#options.host));
    }
  }

  /** The function that answers to `name`; `undefined` if there is none. */
  find(name: string): FunctionHost | undefined {
    return this.#hosts.get(name);
  }

  hosts(): Iterable<FunctionHost> {
    return this.#hosts.values();
  }

  list(): readonly FunctionRecord[] {
    return this.#options.registry.list();
  }

  /** What of a function is here; `undefined` if it does not run here. */
  recordOf(name: FunctionName): FunctionRecord | undefined {
    return this.#options.registry.find(name);
  }

  describe(name: FunctionName): FunctionRecord {
    return this.#options.registry.get(name);
  }

  status(name: FunctionName): FunctionStatus {
    return this.#host(name).status;
  }

  async deploy(request: DeployRequest): Promise<{ record: FunctionRecord; isNew: boolean }> {
    const { registry, deployer } = this.#options;
    this.#requireHere(request);
    return this.changing(request.name, async () => {
      const before = registry.find(request.name);
      const revision = await deployer.makeRevision(
        request,
        registry.nextNumber(request.name),
        before && currentRevision(before),
      );
      const candidate = await this.tryOut(request.name, revision);
      return { record: await candidate.serve(revision), isNew: before === undefined };
    });
  }

  /** There is no other node. */
  places(): undefined {
    return undefined;
  }

  /** Runs `work` after all earlier changes of that function, while no artefact is collected. */
  async changing<T>(name: FunctionName, work: () => Promise<T>): Promise<T> {
    return this.#options.deployer.inOrder(name, () => this.keepingArtefacts(work));
  }

  /** Runs `work` while no artefact is collected; those that nobody came to need go afterwards. */
  async keepingArtefacts<T>(work: () => Promise<T>): Promise<T> {
    this.#deploying += 1;
    try {
      await this.#collecting;
      return await work();
    } finally {
      this.#deploying -= 1;
      await this.#collect();
    }
  }

  async rollback(name: FunctionName, to: number | undefined): Promise<FunctionRecord> {
    return this.#again(name, (record) => revisionOf(record, to ?? previousNumber(record)));
  }

  async reconfigure(name: FunctionName, change: ConfigChange): Promise<FunctionRecord> {
    return this.#again(name, async (record) => {
      const revision = currentRevision(record);
      const config = await change(revision.config);
      return isSameConfig(revision.config, config) ? undefined : { ...revision, config };
    });
  }

  /** Lets code that is here serve as the next revision; `pick` says which, `undefined` = none. */
  async #again(
    name: FunctionName,
    pick: (record: FunctionRecord) => Revision | undefined | Promise<Revision | undefined>,
  ): Promise<FunctionRecord> {
    const { registry, deployer, host } = this.#options;
    return deployer.inOrder(name, async () => {
      const record = registry.get(name);
      const wanted = await pick(record);
      if (!wanted) return record;
      const number = registry.nextNumber(name);
      const revision = { ...wanted, number, createdAtMs: host.clock.nowMs() };
      return (await this.tryOut(name, revision)).serve(revision);
    });
  }

  async remove(name: FunctionName, options: { deleteData: boolean }): Promise<void> {
    const { registry, deployer } = this.#options;
    await deployer.inOrder(name, async () => {
      registry.get(name);
      const host = this.#host(name);
      this.#hosts.delete(name);
      await registry.remove(name);
      this.#options.changed?.(name);
      await host.stop(new EnokiError("ENOKI_FUNCTION_NOT_FOUND", "the function was removed"));
      if (options.deleteData) await this.#options.leaveKeygroup(name);
      await this.#collect();
    });
  }

  /** There is no other node that could go on with it. */
  async removeFrom(): Promise<never> {
    const detail = "this node is alone: without --from a function is removed";
    throw new EnokiError("ENOKI_UNSUPPORTED", detail);
  }

  /**
   * Removes a keygroup, with the invocations in it, unless a function of its name needs it.
   * @throws EnokiError `ENOKI_KEYGROUP_IN_USE`, `ENOKI_KEYGROUP_NOT_FOUND`
   */
  async removeKeygroup(name: FunctionName): Promise<void> {
    const { registry, deployer, removeKeygroup } = this.#options;
    // In order with deploys: one that has made sure of its keygroup finds it to its end.
    await deployer.inOrder(name, async () => {
      if (registry.find(name)) {
        throw new EnokiError("ENOKI_KEYGROUP_IN_USE", `the function "${name}" is deployed`);
      }
      await removeKeygroup(name);
    });
  }

  /**
   * Lets new instances take the place of those that run, because what they may read has changed.
   * Running calls end first; resolves when no earlier instance is left.
   */
  async renew(name: FunctionName): Promise<void> {
    const host = this.#hosts.get(name);
    if (!host || host.status.instances === 0) return;
    const pool = preparePool(name, host.revision, host.log, this.#options.host);
    await host.switchTo(host.record, pool);
  }

  logs(name: FunctionName, tail: number): readonly LogLine[] {
    return this.#host(name).log.tail(tail);
  }

  followLogs(name: FunctionName, onLine: (line: LogLine) => void): () => void {
    return this.#host(name).log.follow(onLine);
  }

  /** Finishes running calls and stops every instance. */
  async stop(): Promise<void> {
    const refusal = new EnokiError("ENOKI_DRAINING");
    const hosts = [...this.#hosts.values()];
    for (const host of hosts) host.refuse(refusal);
    // Those that run may call any of the others to their end.
    for (let busy = hosts.find(isBusy); busy; busy = hosts.find(isBusy)) await busy.idle();
    await Promise.all(hosts.map((host) => host.stop(refusal)));
  }

  /** Ends every instance at once. */
  async kill(): Promise<void> {
    await Promise.all([...this.#hosts.values()].map((host) => host.kill()));
  }

  /**
   * Starts the revision beside the one that serves, and switches only once it has loaded: no call
   * meets a revision that cannot run. `elsewhere`: it is not to serve on this node, which then
   * needs no keygroup for it.
   */
  async tryOut(
    name: FunctionName,
    revision: Revision,
    where: "here" | "elsewhere" = "here",
  ): Promise<Candidate> {
    const { host: given } = this.#options;
    const hostOptions = where === "here" ? given : { ...given, ...WITHOUT_DATA };
    const log = this.#hosts.get(name)?.log ?? new LogBook(() => given.clock.nowMs());
    if (where === "here") await this.#options.ensureKeygroup(name);
    const pool = preparePool(name, revision, log, hostOptions);
    try {
      await pool.warmUp();
    } catch (error) {
      await pool.kill();
      if (error instanceof EnokiError) {
        log.write(
          "platform",
          undefined,
          `revision ${revision.number} did not load: ${error.message}`,
        );
      }
      throw error;
    }
    return {
      serve: async (final) => this.#switch(name, final, pool, log),
      discard: async () => pool.kill(),
    };
  }

  async #switch(
    name: FunctionName,
    revision: Revision,
    pool: InstancePool,
    log: LogBook,
  ): Promise<FunctionRecord> {
    const { registry, host: hostOptions } = this.#options;
    const record = await registry.addRevision(name, revision).catch(async (error: unknown) => {
      await pool.kill();
      throw error;
    });
    const host = this.#hosts.get(name);
    if (host) void host.switchTo(record, pool);
    else this.#hosts.set(name, new FunctionHost(record, hostOptions, pool, log));
    this.#options.changed?.(name);
    return record;
  }

  /** @throws EnokiError `ENOKI_UNSUPPORTED` for other nodes than this one */
  #requireHere({ targets, placement }: Pick<DeployRequest, "targets" | "placement">): void {
    const { nodeName } = this.#options;
    const at = placement?.kind === "at" ? [placement.node] : [];
    const others = [...(targets?.nodes ?? []), ...at].filter((node) => node !== nodeName);
    if (others.length === 0 && !targets?.labels.length) return;
    const named = [...others, ...(targets?.labels ?? [])].join(", ");
    const detail = `to ${named}: this node is alone, and named "${nodeName}"; start it with --naming for more`;
    throw new EnokiError("ENOKI_UNSUPPORTED", detail);
  }

  /** Removes artefacts that nobody needs; while something is deployed, the last deploy does it. */
  async #collect(): Promise<void> {
    if (this.#deploying > 0) return;
    const { registry, collectArtefacts } = this.#options;
    const before = this.#collecting;
    const mine = before.then(() => collectArtefacts(registry.artefactsInUse()));
    this.#collecting = mine.catch(() => {});
    await mine;
  }

  #host(name: FunctionName): FunctionHost {
    const host = this.#hosts.get(name);
    if (host) return host;
    throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${name}" here`);
  }
}

const isBusy = (host: FunctionHost): boolean => host.isBusy;

const WITHOUT_DATA = {
  operationsFor: () => new RefusedOperations(),
  callsFor: () => new RefusedOperations(),
  storeFileOf: () => undefined,
};

/** The revision before the current one. */
function previousNumber(record: FunctionRecord): number {
  const index = record.revisions.findIndex((revision) => revision.number === record.current);
  const previous = record.revisions[index - 1];
  if (previous) return previous.number;
  throw new EnokiError(
    "ENOKI_REVISION_NOT_FOUND",
    `function "${record.name}" has no earlier revision`,
  );
}
