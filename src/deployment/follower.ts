import { assert } from "../base/assert.js";
import type { Directory } from "../cluster/directory.js";
import { currentOf, targetNodes } from "../cluster/function-changes.js";
import type {
  ClusterFunctionRecord,
  FunctionNodeRecord,
  RevisionRecord,
} from "../cluster/records.js";
import { EnokiError, type ErrorCode } from "../core/errors.js";
import type { FunctionName, NodeName } from "../core/ids.js";
import type { Logger } from "../ports/logger.js";
import type { Timers } from "../ports/timers.js";
import type { LocalFunctions } from "./local-functions.js";
import type { ClusterRevision } from "./revision-code.js";
import type { RevisionMaker } from "./revision-maker.js";

/** What following takes. */
export interface FollowerOptions {
  readonly node: NodeName;
  readonly labels: Readonly<Record<string, string>>;
  readonly directory: Directory;
  readonly functions: LocalFunctions;
  readonly maker: RevisionMaker;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** What a function waits for on this node. */
interface Task {
  isRunning: boolean;
  isDue: boolean;
  /** Deploys of this node that are under way. */
  pauses: number;
  /** Ends the work on {@link wanted}. */
  abort: AbortController;
  wanted: string | undefined;
  /** The last try of `wanted` failed, for good or until the next one. */
  failure:
    | { readonly of: string; readonly state: "failed" | "pending"; reason: string }
    | undefined;
  tries: number;
  stopRetry: (() => void) | undefined;
}

/** What another try of the same code would meet again. */
const LASTING: ReadonlySet<ErrorCode> = new Set([
  "ENOKI_LOAD_FAILED",
  "ENOKI_BUILD_FAILED",
  "ENOKI_NO_ENTRY",
  "ENOKI_INVALID_ARCHIVE",
  "ENOKI_INVALID_RUNTIME",
  "ENOKI_RUNTIME_UNAVAILABLE",
  "ENOKI_SECRET_UNREADABLE",
  "ENOKI_NAMING_RECORD",
  "ENOKI_INTERNAL",
]);
const RETRY_MS = 1000;
const RETRY_MS_MAX = 15_000;

/**
 * Makes the functions of this node what the directory says: fetches, loads and switches to the current
 * revision of each that is to run here, undeploys those that are not, and says how far it is.
 *
 * Invariants: 1. What serves goes on serving until the next revision has loaded. 2. One revision of a
 * function is worked on at a time; a newer one ends the work on it.
 */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #tasks = new Map<FunctionName, Task>();
  readonly #running = new Set<Promise<void>>();
  #unsubscribe: (() => void) | undefined;
  #isClosed = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Begins with what the directory knows. */
  start(): void {
    this.#unsubscribe = this.#options.directory.subscribe({
      functionChanged: (name) => this.kick(name),
      nodeChanged: () => this.#retry(),
      reachabilityChanged: (isReachable) => {
        if (isReachable) this.#kickAll();
      },
    });
    this.#kickAll();
  }

  /** Looks at a function again. */
  kick(name: FunctionName): void {
    const task = this.#taskOf(name);
    task.isDue = true;
    if (task.wanted !== undefined && task.wanted !== this.#wantedOf(name)) task.abort.abort();
    if (!task.isRunning && task.pauses === 0 && !this.#isClosed) this.#run(name, task);
  }

  /** Tries again at once what waits for its next try: another node may be there now. */
  #retry(): void {
    for (const [name, task] of this.#tasks) {
      if (task.stopRetry === undefined) continue;
      task.tries = 0;
      this.kick(name);
    }
  }

  /** Leaves a function alone until the returned function is called. */
  pause(name: FunctionName): () => void {
    const task = this.#taskOf(name);
    task.pauses += 1;
    return () => {
      task.pauses -= 1;
      this.kick(name);
    };
  }

  /** True if the function is to run here. */
  isTarget(record: Pick<ClusterFunctionRecord, "targets">): boolean {
    const { node: name, labels } = this.#options;
    return targetNodes(record, [{ name, labels }]).includes(name);
  }

  /** Tells how far a function is here, unless that is known; what naming cannot take now comes later. */
  async report(report: Omit<FunctionNodeRecord, "node">): Promise<void> {
    const { directory, node, logger } = this.#options;
    const said = directory.view.functionNode(report.function, node);
    const isSaid =
      said?.state === report.state &&
      said.revision === report.revision &&
      said.serving === report.serving &&
      said.reason === report.reason;
    if (isSaid) return;
    try {
      await directory.control.reportFunctionState(report);
    } catch (error) {
      if (!(error instanceof EnokiError)) throw error;
      logger.debug({ function: report.function, code: error.code }, "a state was not reported");
    }
  }

  /** Ends all work; what serves goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#unsubscribe?.();
    for (const task of this.#tasks.values()) {
      task.stopRetry?.();
      task.abort.abort();
    }
    await Promise.all(this.#running);
  }

  #kickAll(): void {
    for (const { name } of this.#options.directory.view.functions()) this.kick(name);
  }

  #taskOf(name: FunctionName): Task {
    const known = this.#tasks.get(name);
    if (known) return known;
    const task: Task = {
      isRunning: false,
      isDue: false,
      pauses: 0,
      abort: new AbortController(),
      wanted: undefined,
      failure: undefined,
      tries: 0,
      stopRetry: undefined,
    };
    this.#tasks.set(name, task);
    return task;
  }

  #run(name: FunctionName, task: Task): void {
    task.isRunning = true;
    const work = this.#followWhileDue(name, task).finally(() => {
      task.isRunning = false;
      this.#running.delete(work);
      if (task.isDue && task.pauses === 0 && !this.#isClosed) this.#run(name, task);
    });
    this.#running.add(work);
  }

  async #followWhileDue(name: FunctionName, task: Task): Promise<void> {
    while (task.isDue && task.pauses === 0 && !this.#isClosed) {
      task.isDue = false;
      task.stopRetry?.();
      task.stopRetry = undefined;
      task.abort = new AbortController();
      task.wanted = this.#wantedOf(name);
      try {
        await this.#follow(name, task);
      } catch (error) {
        await this.#failed(name, task, error);
      }
      task.wanted = undefined;
    }
  }

  async #follow(name: FunctionName, task: Task): Promise<void> {
    const { directory, functions } = this.#options;
    const record = directory.view.function(name);
    if (!record) return;
    const wanted = currentOf(record);
    if (!wanted || !this.isTarget(record)) {
      // What was deployed here before this node had others is not ours to remove.
      const isOurs = functions.recordOf(name)?.revisions.some(({ origin }) => origin);
      if (isOurs) await functions.remove(name, { deleteData: false });
      return;
    }
    if (task.failure && task.failure.of !== task.wanted) {
      task.failure = undefined;
      task.tries = 0;
    }
    if (this.#serves(name, wanted)) await this.#reportReady(name, wanted);
    else if (task.failure?.state === "failed") await this.#reportFailure(name, wanted, task);
    else await this.#bring(name, wanted, task);
  }

  /** Makes a revision serve here. */
  async #bring(name: FunctionName, wanted: RevisionRecord, task: Task): Promise<void> {
    const { functions, maker, logger } = this.#options;
    const { signal } = task.abort;
    if (!task.failure) {
      await this.report({ ...this.#stateOf(name, wanted), state: "pending", reason: "on its way" });
    }
    await functions.keepingArtefacts(async () => {
      const revision = await maker.make(name, wanted, signal);
      await functions.changing(name, () => this.#switch(name, wanted, revision, task));
    });
    if (!this.#serves(name, wanted)) return;
    task.failure = undefined;
    task.tries = 0;
    logger.info({ function: name, revision: wanted.number }, "a revision of another node serves");
    await this.#reportReady(name, wanted);
    await functions.keepingArtefacts(() => maker.keepSource(name, wanted, signal)).catch(() => {});
  }

  async #switch(
    name: FunctionName,
    wanted: RevisionRecord,
    revision: ClusterRevision,
    task: Task,
  ): Promise<void> {
    const isStale = (): boolean =>
      task.abort.signal.aborted || this.#wantedOf(name) !== keyOf(wanted) || this.#isClosed;
    if (isStale() || this.#serves(name, wanted)) return;
    const candidate = await this.#options.functions.tryOut(name, revision);
    if (isStale()) await candidate.discard();
    else await candidate.serve(revision);
  }

  async #failed(name: FunctionName, task: Task, error: unknown): Promise<void> {
    const { directory, logger, timers } = this.#options;
    const record = directory.view.function(name);
    const wanted = record && currentOf(record);
    if (this.#isClosed || !wanted || keyOf(wanted) !== task.wanted) return;
    if (!(error instanceof EnokiError)) {
      logger.error({ function: name, err: error }, "a function could not be followed");
    }
    const code = error instanceof EnokiError ? error.code : "ENOKI_INTERNAL";
    const detail = error instanceof EnokiError ? error.message : "the node has a bug; see its log";
    const isLasting = LASTING.has(code);
    const isFailed = isLasting || code === "ENOKI_DISK_FULL";
    task.failure = {
      of: task.wanted,
      state: isLasting ? "failed" : "pending",
      reason: `${code}: ${detail}`,
    };
    if (!isLasting) {
      const delayMs = Math.min(RETRY_MS * 2 ** task.tries, RETRY_MS_MAX);
      task.tries += 1;
      task.stopRetry = timers.after(delayMs, () => this.kick(name));
    }
    const state = { ...this.#stateOf(name, wanted), reason: task.failure.reason };
    await this.report({ ...state, state: isFailed ? "failed" : "pending" });
  }

  async #reportFailure(name: FunctionName, wanted: RevisionRecord, task: Task): Promise<void> {
    assert(task.failure, "what is reported has failed");
    const { state, reason } = task.failure;
    await this.report({ ...this.#stateOf(name, wanted), state, reason });
  }

  async #reportReady(name: FunctionName, wanted: RevisionRecord): Promise<void> {
    const { functions, maker } = this.#options;
    const { revisions = [] } = functions.recordOf(name) ?? {};
    const served = revisions.find(({ number }) => number === wanted.number);
    const reason = served?.origin && maker.remarkOn({ ...served, origin: served.origin }, wanted);
    await this.report({ ...this.#stateOf(name, wanted), state: "ready", reason });
  }

  #stateOf(name: FunctionName, { number }: RevisionRecord) {
    const serving = this.#options.functions.recordOf(name)?.current ?? 0;
    return { function: name, revision: number, serving } as const;
  }

  #serves(name: FunctionName, wanted: RevisionRecord): boolean {
    const here = this.#options.functions.recordOf(name);
    const revision = here?.revisions.find(({ number }) => number === here.current);
    return revision?.number === wanted.number && revision.origin?.deploy === wanted.deploy;
  }

  /** Names what is to serve here; `undefined` = nothing is. */
  #wantedOf(name: FunctionName): string | undefined {
    const record = this.#options.directory.view.function(name);
    const current = record && this.isTarget(record) ? currentOf(record) : undefined;
    return current && keyOf(current);
  }
}

function keyOf({ number, deploy }: RevisionRecord): string {
  return `${number}/${deploy}`;
}
