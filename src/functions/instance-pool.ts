import { EnokiError } from "../core/errors.js";
import { LIMITS } from "../core/limits.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import { CallQueue } from "./call-queue.js";
import type { Call } from "./call.js";
import type { Instance, InstanceEvents } from "./instance.js";

/** What a pool is built from. */
export interface InstancePoolOptions {
  /** Starts an instance and loads the code; rejects with an `EnokiError`. */
  readonly startInstance: (events: InstanceEvents) => Promise<Instance>;
  readonly instancesMax: number;
  /** Processors of the machine: so many steady instances keep it busy. */
  readonly processors: number;
  /** An instance without calls for so long is stopped. */
  readonly idleMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** After a failed start the pool waits so long before it tries again, doubling up to the maximum. */
const START_BACKOFF_MS = 100;
const START_BACKOFF_MS_MAX = 10_000;

/**
 * The instances of one revision and the calls that wait for one.
 *
 * Scales between 0 and `instancesMax`: a call that finds no room waits, and each waiting call that
 * no starting instance is meant for starts one. Idle instances are stopped, newest first.
 */
export class InstancePool implements InstanceEvents {
  readonly #options: InstancePoolOptions;
  readonly #instances: Instance[] = [];
  readonly #queue = new CallQueue();
  #starting = 0;
  #slotsPerInstance = 0;
  #startFailures = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #isRetired = false;
  /** Where new and waiting calls go once this revision has been replaced, or why they are refused. */
  #successor: InstancePool | EnokiError | undefined;

  coldStartsTotal = 0;

  constructor(options: InstancePoolOptions) {
    this.#options = options;
  }

  get instances(): number {
    return this.#instances.length;
  }

  get running(): number {
    let running = 0;
    for (const { running: given, ahead } of this.#instances) running += given - ahead;
    return running;
  }

  get queued(): number {
    let queued = this.#queue.length;
    for (const { ahead } of this.#instances) queued += ahead;
    return queued;
  }

  /** Process ids of the instances, for tests and `describe`. */
  get pids(): number[] {
    return this.#instances.map((instance) => instance.pid);
  }

  /** Starts the first instance, so that a broken revision is found before it serves anyone. */
  async warmUp(): Promise<void> {
    await this.#start();
  }

  /**
   * Runs the call on an instance, now or when there is room.
   * A full queue settles it with `ENOKI_QUEUE_FULL`.
   */
  submit(call: Call): void {
    if (this.#successor) {
      passOn(call, this.#successor);
      return;
    }
    const instance = this.#queue.length === 0 ? this.#next() : undefined;
    if (instance) {
      instance.start(call);
      return;
    }
    if (this.#queue.length >= LIMITS.queueLengthMax) {
      call.settle(new EnokiError("ENOKI_QUEUE_FULL", `${this.#queue.length} calls are waiting`));
      return;
    }
    this.#queue.push(call);
    this.#scaleUp();
  }

  freed(instance: Instance): void {
    while (instance.hasRoom || (instance.hasRoomAhead && this.#givesAhead(instance))) {
      const call = this.#queue.shift();
      if (!call) break;
      instance.start(call, this.#isFull && this.#queue.length > 0);
    }
    if (instance.running === 0) this.#watchIdle();
  }

  returned(call: Call): void {
    if (this.#successor) {
      passOn(call, this.#successor);
      return;
    }
    this.#queue.unshift(call);
    const instance = this.#next();
    if (instance) this.freed(instance);
    else this.#scaleUp();
  }

  ended(instance: Instance): void {
    const index = this.#instances.indexOf(instance);
    if (index >= 0) this.#instances.splice(index, 1);
    this.#scaleUp();
  }

  /**
   * Hands waiting and future calls to `successor`, or refuses them if that is an error; lets running
   * ones end, then stops everything.
   */
  async retire(successor: InstancePool | EnokiError): Promise<void> {
    this.#isRetired = true;
    this.#successor = successor;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#idleTimer);
    for (const call of this.#queue.takeAll()) passOn(call, successor);
    await Promise.all(this.#instances.map((instance) => instance.stop()));
  }

  /** Refuses the calls from outside that wait. */
  refuseWaiting(refusal: EnokiError): void {
    for (const call of this.#queue.takeAll()) {
      if (call.depth === 0) call.settle(refusal);
      else this.#queue.push(call);
    }
  }

  /** Ends every instance at once; waiting calls are refused. */
  async kill(): Promise<void> {
    this.#isRetired = true;
    this.#successor ??= new EnokiError("ENOKI_DRAINING");
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#idleTimer);
    for (const call of this.#queue.takeAll()) call.settle(new EnokiError("ENOKI_DRAINING"));
    await Promise.all([...this.#instances].map((instance) => instance.kill("the node stopped")));
  }

  /** The instance that takes another call, if one does: where steady ones keep the machine busy, one of those. */
  #next(): Instance | undefined {
    const isBusy = this.#isBusy;
    return (
      (isBusy
        ? this.#emptiest((one) => one.running > 0 && one.isSteady && one.hasRoomAhead)
        : undefined) ?? this.#emptiest((one) => one.hasRoom || (one.hasRoomAhead && this.#isFull))
    );
  }

  /** The instance with the fewest calls among those that are `fit`. */
  #emptiest(fit: (instance: Instance) => boolean): Instance | undefined {
    let best: Instance | undefined;
    for (const instance of this.#instances) {
      if ((!best || instance.running < best.running) && fit(instance)) best = instance;
    }
    return best;
  }

  /** Whether an instance with room ahead is given calls there rather than that another one runs them. */
  #givesAhead(instance: Instance): boolean {
    return this.#isFull || (instance.isSteady && this.#isBusy);
  }

  /** True while as many instances run calls as there are processors. */
  get #isBusy(): boolean {
    let busy = 0;
    for (const { running } of this.#instances) if (running > 0) busy += 1;
    return busy >= this.#options.processors;
  }

  /** True when no further instance may be started. */
  get #isFull(): boolean {
    return this.#instances.length >= this.#options.instancesMax;
  }

  #scaleUp(): void {
    if (this.#isRetired || this.#retryTimer) return;
    // Until the first instance has said how many calls it takes at once, one is started.
    const slots = this.#slotsPerInstance;
    const needed =
      slots === 0 ? Math.min(1, this.#queue.length) : Math.ceil(this.#queue.length / slots);
    const wanted = Math.min(needed, this.#options.instancesMax - this.#instances.length);
    for (let started = this.#starting; started < wanted; started++) {
      this.#start().then(
        () => {},
        (error: unknown) => this.#startFailed(error),
      );
    }
  }

  async #start(): Promise<void> {
    this.#starting += 1;
    try {
      const instance = await this.#options.startInstance(this);
      this.coldStartsTotal += 1;
      this.#startFailures = 0;
      this.#slotsPerInstance = instance.concurrency;
      this.#instances.push(instance);
      if (this.#isRetired) void instance.stop();
      else this.freed(instance);
    } finally {
      this.#starting -= 1;
    }
    this.#scaleUp();
  }

  #startFailed(error: unknown): void {
    // Nobody waits here any more, and a timer would keep the node alive.
    if (this.#isRetired) return;
    this.#startFailures += 1;
    this.#options.logger.warn({ error: String(error) }, "an instance did not start");
    const failure = forCallers(error);
    // Someone has to hear it; those who come after the pause may have better luck.
    if (this.#instances.length === 0 && this.#starting === 0) {
      for (const call of this.#queue.takeAll()) call.settle(failure);
    }
    const pauseMs = Math.min(
      START_BACKOFF_MS * 2 ** (this.#startFailures - 1),
      START_BACKOFF_MS_MAX,
    );
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = undefined;
      this.#scaleUp();
    }, pauseMs);
  }

  #watchIdle(waitMs = this.#options.idleMs): void {
    if (this.#idleTimer || this.#isRetired) return;
    this.#idleTimer = setTimeout(() => {
      this.#idleTimer = undefined;
      this.#stopIdle();
    }, waitMs).unref();
  }

  #stopIdle(): void {
    const nowMs = this.#options.clock.monotonicMs();
    let leftMs = Number.POSITIVE_INFINITY;
    for (const instance of this.#instances) {
      if (instance.running > 0) continue;
      const idleMs = nowMs - instance.idleSinceMs;
      if (idleMs >= this.#options.idleMs - 1) void instance.stop();
      else leftMs = Math.min(leftMs, this.#options.idleMs - idleMs);
    }
    if (leftMs < Number.POSITIVE_INFINITY) this.#watchIdle(leftMs);
  }
}

/** What callers are told of a failed start: the traceback is in the function's log, for its owner. */
function forCallers(error: unknown): EnokiError {
  if (!(error instanceof EnokiError))
    return new EnokiError("ENOKI_INTERNAL", "the instance did not start");
  const { traceback: _, ...extra } = error.extra;
  return new EnokiError(error.code, error.message, extra);
}

function passOn(call: Call, to: InstancePool | EnokiError): void {
  if (to instanceof EnokiError) call.settle(to);
  else to.submit(call);
}
