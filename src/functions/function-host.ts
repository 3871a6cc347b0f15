import { join } from "node:path";

import { PROTOCOL_VERSION } from "../channel/frames.js";
import type { FunctionName, InvocationId } from "../core/ids.js";
import type { Session } from "../core/session.js";
import { LIMITS } from "../core/limits.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { GuestKind, Launcher } from "../ports/runtime.js";
import { NO_TRACER, type Tracer } from "../ports/tracer.js";
import type { Turn } from "../ports/turn.js";
import { Call, type CallRequest, type CallResponse } from "./call.js";
import type { CallServer } from "./calls/calls-port.js";
import { Instance, type InstanceEvents } from "./instance.js";
import { InstancePool } from "./instance-pool.js";
import { InvocationSpans } from "./invocation-spans.js";
import { LogBook } from "./log-book.js";
import type { OperationServer } from "./operations-port.js";
import { currentRevision } from "./registry.js";
import { maskedLog, maskOf } from "./secret-mask.js";
import type { FunctionRecord, FunctionStatus, Revision, RuntimeName } from "./types.js";
import { EnokiError } from "../core/errors.js";

/** What running a function takes. */
export interface FunctionHostOptions {
  readonly launcher: Launcher;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer;
  readonly idleMs: number;
  readonly pidsMax: number;
  /** Processors that instances run on. */
  readonly processors: number;
  readonly tmpBytes: number;
  /** Where an artefact lies on this machine. */
  readonly artefactDir: (hash: string) => string;
  /** File of the function's own keygroup, for instances that read it directly. */
  readonly storeFileOf: (name: FunctionName) => string | undefined;
  /** Gives an instance of `function` the operations of its own keygroup. */
  readonly operationsFor: (name: FunctionName) => OperationServer;
  /** Lets an instance of `function` call other functions. */
  readonly callsFor: (name: FunctionName) => CallServer;
  /**
   * Opens the sealed secrets of a function, for the environment of one instance.
   * @throws EnokiError `ENOKI_SECRET_UNREADABLE`
   */
  readonly openSecrets: (
    name: FunctionName,
    sealed: Readonly<Record<string, string>>,
  ) => Readonly<Record<string, string>>;
}

/** One call as its origin (HTTP, outbox) hands it over. */
export interface Submission {
  readonly id: InvocationId;
  readonly idBytes: Buffer;
  readonly request: CallRequest;
  /** `undefined` = the function's own. A longer one is cut to it. */
  readonly timeoutMs: number | undefined;
  /** What the client has seen; `undefined` = nothing. */
  readonly session?: Session | undefined;
  /** See `Asker`. */
  readonly isElsewhere?: boolean | undefined;
  /** Calls and sends above it; `undefined` = it comes from outside. */
  readonly depth?: number | undefined;
  readonly settled: (outcome: CallResponse | EnokiError, call: Call) => void;
}

/** Runs one function: its current revision's instances, its log and its counters. */
export class FunctionHost {
  readonly name: FunctionName;
  readonly log: LogBook;
  readonly #options: FunctionHostOptions;
  readonly #tracer: Tracer;
  #record: FunctionRecord;
  #revision: Revision;
  #pool: InstancePool;
  #coldStartsBefore = 0;
  #invocationsTotal = 0;
  #failuresTotal = 0;
  #unsettled = 0;
  readonly #waitingForIdle: (() => void)[] = [];
  /** Why calls from outside are refused; those of functions that run still are taken. */
  #refusal: EnokiError | undefined;

  constructor(
    record: FunctionRecord,
    options: FunctionHostOptions,
    pool?: InstancePool,
    log?: LogBook,
  ) {
    this.name = record.name;
    this.#record = record;
    this.#revision = currentRevision(record);
    this.#options = options;
    this.#tracer = options.tracer ?? NO_TRACER;
    this.log = log ?? new LogBook(() => options.clock.nowMs());
    this.#pool = pool ?? preparePool(record.name, this.#revision, this.log, options);
  }

  get record(): FunctionRecord {
    return this.#record;
  }

  get revision(): Revision {
    return this.#revision;
  }

  get status(): FunctionStatus {
    return {
      instances: this.#pool.instances,
      running: this.#pool.running,
      queued: this.#pool.queued,
      invocationsTotal: this.#invocationsTotal,
      failuresTotal: this.#failuresTotal,
      coldStartsTotal: this.#coldStartsBefore + this.#pool.coldStartsTotal,
    };
  }

  get pids(): number[] {
    return this.#pool.pids;
  }

  /** Runs one call; `settled` is called exactly once. Returns the call. */
  submit(submission: Submission): Call {
    this.#invocationsTotal += 1;
    this.#unsettled += 1;
    const { settled, request } = submission;
    const spans = this.#tracer.isOn ? this.#startSpans(submission) : undefined;
    const limitMs = this.#revision.config.timeoutMs;
    const call = new Call({
      id: submission.id,
      idBytes: submission.idBytes,
      request: spans ? { ...request, headers: spans.headers(request.headers) } : request,
      nowMs: this.#options.clock.monotonicMs(),
      timeoutMs: Math.min(submission.timeoutMs ?? limitMs, limitMs),
      session: submission.session,
      isElsewhere: submission.isElsewhere,
      depth: submission.depth,
      spans,
      settled: (outcome, settledCall) => {
        if (outcome instanceof EnokiError || outcome.status >= 500) this.#failuresTotal += 1;
        this.#ended();
        settled(outcome, settledCall);
      },
    });
    if (this.#refusal && call.depth === 0) call.settle(this.#refusal);
    else this.#pool.submit(call);
    return call;
  }

  #startSpans({ id, request, depth = 0 }: Submission): InvocationSpans | undefined {
    const { name } = this;
    const { number: revision } = this.#revision;
    return InvocationSpans.start(this.#tracer, request.headers, { id, name, revision, depth });
  }

  /** Takes nothing new from outside; what waits is refused, too, and what runs may still call functions. */
  refuse(refusal: EnokiError): void {
    this.#refusal = refusal;
    this.#pool.refuseWaiting(refusal);
  }

  /** True while somebody waits for a call. */
  get isBusy(): boolean {
    return this.#unsettled > 0;
  }

  /** Resolves once nobody waits for a call. */
  async idle(): Promise<void> {
    if (this.isBusy) await new Promise<void>((resolve) => this.#waitingForIdle.push(resolve));
  }

  #ended(): void {
    this.#unsettled -= 1;
    if (this.isBusy) return;
    for (const resolve of this.#waitingForIdle.splice(0)) resolve();
  }

  /** Lets `pool` serve from now on; resolves when the old one has finished what it runs. */
  async switchTo(record: FunctionRecord, pool: InstancePool): Promise<void> {
    const old = this.#pool;
    this.#record = record;
    this.#revision = currentRevision(record);
    this.#pool = pool;
    this.#coldStartsBefore += old.coldStartsTotal;
    try {
      await old.retire(pool);
    } catch (error) {
      this.#options.logger.error({ error: String(error) }, "a retired revision did not stop");
    }
  }

  /** Finishes running calls, refuses waiting and later ones with `refusal` and stops the instances. */
  async stop(refusal: EnokiError): Promise<void> {
    await this.#pool.retire(refusal);
  }

  /** Ends everything at once. */
  async kill(): Promise<void> {
    await this.#pool.kill();
  }
}

/** Makes the pool of one revision; nothing is started yet. */
export function preparePool(
  name: FunctionName,
  revision: Revision,
  log: LogBook,
  options: FunctionHostOptions,
): InstancePool {
  return new InstancePool({
    instancesMax: revision.config.maxInstances,
    processors: options.processors,
    idleMs: options.idleMs,
    clock: options.clock,
    logger: options.logger,
    startInstance: (events) => startInstance(name, revision, log, options, events),
  });
}

async function startInstance(
  name: FunctionName,
  revision: Revision,
  log: LogBook,
  options: FunctionHostOptions,
  events: InstanceEvents,
): Promise<Instance> {
  const { config } = revision;
  // First, so that no process is started in vain.
  const secrets = config.secrets ? options.openSecrets(name, config.secrets) : {};
  const mask = maskOf(Object.values(secrets));
  const instanceLog = mask ? maskedLog(log, mask) : log;
  const kind = guestKind(revision.runtime);
  const process = await options.launcher.launch({
    kind,
    functionName: name,
    isolation: config.isolation,
    network: config.network,
    limits: {
      memoryBytes: config.memoryBytes,
      cpus: config.cpus,
      pidsMax: options.pidsMax,
      tmpBytes: options.tmpBytes,
    },
    artefactDir: options.artefactDir(revision.artefact),
    storeFile: options.storeFileOf(name),
  });
  const instance = new Instance({
    process,
    operations: options.operationsFor(name),
    functionCalls: options.callsFor(name),
    answersEarly: config.remoteWrites === "pipelined",
    log: instanceLog,
    mask,
    turn: options.turn,
    clock: options.clock,
    events,
  });
  try {
    await instance.load(
      {
        protocol: PROTOCOL_VERSION,
        runtime: revision.runtime,
        entry: revision.entry,
        codeDir: join(process.guestArtefactDir, "code"),
        depsDir: revision.hasDeps ? join(process.guestArtefactDir, "deps") : null,
        function: name,
        keygroup: name,
        store: process.guestStoreFile ?? null,
        revision: revision.number,
        env: { ...config.env, ...secrets },
        outputBytesMax: LIMITS.outputBytesMax,
        timeoutMs: config.timeoutMs,
      },
      config.concurrency,
    );
    return instance;
  } catch (error) {
    const traceback = error instanceof EnokiError ? error.extra["traceback"] : undefined;
    if (typeof traceback === "string") log.write("stderr", undefined, traceback);
    await instance.kill("did not load");
    throw error;
  }
}

function guestKind(runtime: RuntimeName): GuestKind {
  return runtime.startsWith("python") ? "python" : "node";
}
