import type { Directory } from "../cluster/directory.js";
import { currentOf, targetNodes, withoutTarget } from "../cluster/function-changes.js";
import type { ClusterFunctionRecord, FunctionTargets, RevisionRecord } from "../cluster/records.js";
import { EnokiError } from "../core/errors.js";
import type { FunctionName, NodeName } from "../core/ids.js";
import type { ArtefactStore } from "../functions/artefacts.js";
import { isSameConfig } from "../functions/config-equality.js";
import type { Deployer } from "../functions/deployer.js";
import type {
  ConfigChange,
  DeployRequest,
  FunctionPlace,
  FunctionsFacade,
  UndeployOptions,
} from "../functions/facade.js";
import { storeSource } from "../functions/source-archive.js";
import type { FunctionRecord, FunctionStatus, LogLine, Revision } from "../functions/types.js";
import { isOutcomeUnknown } from "../ports/naming.js";
import { hashesOf } from "./artefact-server.js";
import type { Follower } from "./follower.js";
import type { FunctionData } from "./function-data.js";
import type { LocalFunctions } from "./local-functions.js";
import { isPlacedAs, keygroupOf } from "./placement-check.js";
import {
  type ClusterRevision,
  fromRecord,
  isSameCode,
  toDeploy,
  tryFromRecord,
} from "./revision-code.js";
import { currentRecord, lastOf, revisionOf } from "./revision-choice.js";
import type { RevisionMaker } from "./revision-maker.js";

/** What functions of several nodes are managed with. */
export interface ClusterFunctionsOptions {
  readonly node: NodeName;
  readonly directory: Directory;
  readonly functions: LocalFunctions;
  readonly follower: Follower;
  readonly maker: RevisionMaker;
  readonly deployer: Pick<Deployer, "makeRevision">;
  readonly store: ArtefactStore;
  /** A name that no other deploy has. */
  readonly newDeployId: () => string;
  readonly nowMs: () => number;
  readonly data: FunctionData;
}

const IDLE: FunctionStatus = {
  instances: 0,
  running: 0,
  queued: 0,
  invocationsTotal: 0,
  failuresTotal: 0,
  coldStartsTotal: 0,
};
const UNCERTAIN_MAX = 8;

/**
 * The functions of all nodes, as this node manages them. What is deployed is built and tried here
 * first; only then is the directory changed, and the other nodes follow. What serves here goes on
 * when anything fails.
 */
export class ClusterFunctions implements FunctionsFacade {
  readonly #options: ClusterFunctionsOptions;
  /** Code of deploys of which nobody knows whether they took place. */
  #uncertain: ClusterRevision[] = [];

  constructor(options: ClusterFunctionsOptions) {
    this.#options = options;
  }

  list(): readonly FunctionRecord[] {
    const { directory, functions } = this.#options;
    const inCluster = directory.view.functions().flatMap((record) => this.#shown(record) ?? []);
    const names = new Set(inCluster.map(({ name }) => name));
    const onlyHere = functions.list().filter(({ name }) => !names.has(name));
    return [...inCluster, ...onlyHere].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  describe(name: FunctionName): FunctionRecord {
    const { directory, functions } = this.#options;
    const record = directory.view.function(name);
    const shown = (record && this.#shown(record)) ?? functions.recordOf(name);
    if (shown) return shown;
    throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${name}"`);
  }

  status(name: FunctionName): FunctionStatus {
    const { functions } = this.#options;
    return functions.recordOf(name) ? functions.status(name) : IDLE;
  }

  places(name: FunctionName): readonly FunctionPlace[] {
    return this.#options.directory.view.functionProgress(name);
  }

  async deploy(request: DeployRequest): Promise<{ record: FunctionRecord; isNew: boolean }> {
    this.#requireNaming();
    return this.#alone(request.name, () => this.#deploy(request));
  }

  async rollback(name: FunctionName, to: number | undefined): Promise<FunctionRecord> {
    const { directory, functions } = this.#options;
    if (!this.#recordOf(name)) return functions.rollback(name, to);
    this.#requireNaming();
    return this.#alone(name, async () => {
      const wanted = revisionOf(this.#required(name), to);
      const tried = await this.#tryRevision(name, wanted);
      const record = await directory.control
        .rollBackFunction(name, wanted.number)
        .catch(async (error: unknown) => {
          await tried?.candidate.discard();
          throw error;
        });
      if (tried) await this.#serve(name, record, tried.revision, tried.candidate);
      return this.describe(name);
    });
  }

  async reconfigure(name: FunctionName, change: ConfigChange): Promise<FunctionRecord> {
    const { directory, functions, newDeployId, nowMs } = this.#options;
    if (!this.#recordOf(name)) return functions.reconfigure(name, change);
    this.#requireNaming();
    return this.#alone(name, async () => {
      const current = currentRecord(this.#required(name));
      const known = fromRecord(current);
      const config = await change(known.config);
      if (isSameConfig(known.config, config)) return this.describe(name);
      const origin = { ...known.origin, deploy: newDeployId() };
      const deploy = toDeploy({ ...known, config, origin, createdAtMs: nowMs() });
      const tried = await this.#tryRevision(name, current, { config, origin });
      const record = await directory.control
        .deployFunction(name, deploy, {}, current.number)
        .catch(async (error: unknown) => {
          await tried?.candidate.discard();
          throw error;
        });
      if (tried) await this.#serve(name, record, tried.revision, tried.candidate);
      return this.describe(name);
    });
  }

  async remove(name: FunctionName, options: { deleteData: boolean }): Promise<void> {
    const { directory, functions, follower, data } = this.#options;
    if (!this.#recordOf(name)) return functions.remove(name, options);
    this.#requireNaming();
    const resume = follower.pause(name);
    try {
      await directory.control.removeFunction(name);
      if (functions.recordOf(name)) await functions.remove(name, { deleteData: false });
      // The data of all nodes, not only this one's.
      if (options.deleteData) await data.remove(name);
    } finally {
      resume();
    }
  }

  async removeFrom(
    name: FunctionName,
    node: NodeName,
    options: UndeployOptions,
  ): Promise<number | undefined> {
    const { directory, data } = this.#options;
    this.#requireNaming();
    const known = directory.view.node(node)?.record;
    const record = this.#required(name);
    if (!targetNodes(record, known ? [known] : []).includes(node)) {
      const detail = `function "${name}" is not deployed on "${node}"`;
      throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", detail);
    }
    // What is refused in any case is refused before anybody waits.
    withoutTarget(record, node, known);
    const lost = options.keepsData ? 0 : await data.takeFrom(name, node, options);
    await directory.control.removeFunctionNode(name, node);
    return lost;
  }

  logs(name: FunctionName, tail: number): readonly LogLine[] {
    return this.#options.functions.logs(name, tail);
  }

  followLogs(name: FunctionName, onLine: (line: LogLine) => void): () => void {
    return this.#options.functions.followLogs(name, onLine);
  }

  /**
   * Content that this node keeps beside that of its own revisions: what was deployed here for other
   * nodes, who may still ask for it.
   */
  artefactsInUse(): Set<string> {
    const { directory, node } = this.#options;
    const inUse = new Set(
      this.#uncertain.flatMap(({ artefact, origin }) => [artefact, origin.source]),
    );
    for (const record of directory.view.functions()) {
      const revisions = record.revisions.filter(({ deployedOn }) => deployedOn === node);
      for (const hash of hashesOf({ ...record, revisions })) inUse.add(hash);
    }
    return inUse;
  }

  async #deploy(request: DeployRequest): Promise<{ record: FunctionRecord; isNew: boolean }> {
    const { directory, functions, follower, node } = this.#options;
    const before = directory.view.function(request.name);
    const known = before && tryFromRecord(currentOf(before));
    const isPlaced = isPlacedAs(request, directory.view.keygroup(keygroupOf(request.name)));
    const built = await this.#build(request, (before?.last ?? 0) + 1, known);
    const targets = request.targets ?? { nodes: [node], labels: [], isAll: false };
    const isHere = [targets, before?.targets].some(
      (some) => some && follower.isTarget({ targets: some }),
    );
    if (request.placement && !isPlaced) {
      await this.#options.data.create(request.name, request.placement);
    }
    const candidate = await functions.tryOut(request.name, built, isHere ? "here" : "elsewhere");
    // The same code is the same revision, whichever node has built it.
    const isKnown = known !== undefined && isSameCode(known, built);
    const deploy = { ...toDeploy(isKnown ? { ...known, origin: built.origin } : built) };
    let record: ClusterFunctionRecord;
    try {
      record = await this.#enter(
        request.name,
        { ...deploy, deployedAtMs: built.createdAtMs },
        targets,
        built,
      );
    } catch (error) {
      await candidate.discard();
      throw error;
    }
    if (isHere) await this.#serve(request.name, record, built, candidate);
    else await candidate.discard();
    return { record: this.describe(request.name), isNew: before?.isRemoved !== false };
  }

  async #build(
    request: DeployRequest,
    number: number,
    known: ClusterRevision | undefined,
  ): Promise<ClusterRevision> {
    const { deployer, functions, store, newDeployId } = this.#options;
    const { archive, allowBuild, name } = request;
    const previous: Pick<Revision, "config"> | undefined =
      known ?? lastOf(functions.recordOf(name));
    const built = await deployer.makeRevision(request, number, previous);
    const source = await storeSource(store, archive);
    return { ...built, origin: { deploy: newDeployId(), source, allowBuild } };
  }

  /** The transaction of a deploy. */
  async #enter(
    name: FunctionName,
    deploy: ReturnType<typeof toDeploy>,
    targets: Partial<FunctionTargets>,
    built: ClusterRevision,
  ): Promise<ClusterFunctionRecord> {
    try {
      return await this.#options.directory.control.deployFunction(name, deploy, targets);
    } catch (error) {
      // It may have taken place, and others may come for the code.
      if (isOutcomeUnknown(error))
        this.#uncertain = [...this.#uncertain, built].slice(-UNCERTAIN_MAX);
      throw error;
    }
  }

  /** Lets what was tried serve, if it is what the record says; else the follower brings what is. */
  async #serve(
    name: FunctionName,
    record: ClusterFunctionRecord,
    tried: ClusterRevision,
    candidate: Awaited<ReturnType<LocalFunctions["tryOut"]>>,
  ): Promise<void> {
    const { follower, maker } = this.#options;
    const current = currentOf(record);
    const wanted = tryFromRecord(current);
    if (!current || !wanted || !isSameCode(wanted, tried)) {
      await candidate.discard();
      return;
    }
    const { number, origin } = wanted;
    const served = { ...tried, number, origin };
    await candidate.serve(served);
    const reason = maker.remarkOn(served, current);
    const state = { function: name, state: "ready", revision: number, serving: number } as const;
    await follower.report({ ...state, reason });
  }

  /**
   * Loads a kept revision beside the one that serves, if the function is to run here; `changes` make
   * another one of it, with the same code.
   */
  async #tryRevision(
    name: FunctionName,
    wanted: RevisionRecord,
    changes: Partial<ClusterRevision> = {},
  ) {
    const { follower, functions, maker } = this.#options;
    if (!follower.isTarget(this.#required(name))) return undefined;
    const made = await maker.make(name, wanted, new AbortController().signal);
    const revision = { ...made, ...changes };
    return { revision, candidate: await functions.tryOut(name, revision) };
  }

  /** Runs a change of a function while the follower leaves it alone. */
  async #alone<T>(name: FunctionName, work: () => Promise<T>): Promise<T> {
    const { follower, functions } = this.#options;
    const resume = follower.pause(name);
    try {
      return await functions.changing(name, work);
    } finally {
      resume();
    }
  }

  #requireNaming(): void {
    const detail =
      "the naming service does not answer; functions go on as they are, and nothing was changed";
    this.#options.directory.requireReachable(detail);
  }

  /** A function that the directory knows and that was not removed. */
  #recordOf(name: FunctionName): ClusterFunctionRecord | undefined {
    const record = this.#options.directory.view.function(name);
    return record?.isRemoved === false ? record : undefined;
  }

  #required(name: FunctionName): ClusterFunctionRecord {
    const record = this.#recordOf(name);
    if (record) return record;
    throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${name}"`);
  }

  /** As the API shows it: what was made here is shown as it is here. */
  #shown(record: ClusterFunctionRecord): FunctionRecord | undefined {
    if (record.isRemoved) return undefined;
    const here = this.#options.functions.recordOf(record.name)?.revisions;
    const revisions = record.revisions.flatMap((known): Revision[] => {
      const local = here?.find(({ number }) => number === known.number);
      if (local?.origin?.deploy === known.deploy) return [local];
      return [tryFromRecord(known) ?? []].flat();
    });
    const isReadable = revisions.some(({ number }) => number === record.current);
    return isReadable ? { name: record.name, current: record.current, revisions } : undefined;
  }
}
