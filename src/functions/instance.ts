// Why so long: a process, its calls and its end share one state that nothing else may touch.

import { FRAME, FrameWriter, INVOKE_FLAG, LOG_STREAM } from "../channel/frames.js";
import { encodeInvoke, hasReadDirectly } from "../channel/invoke.js";
import { isCallOperation } from "../channel/call-operations.js";
import { operationCallId } from "../channel/operations.js";
import { ChannelError } from "../channel/payload.js";
import { SlotTable } from "../channel/slot-table.js";
import type { EnokiError } from "../core/errors.js";
import type { Clock } from "../ports/clock.js";
import type { GuestExit, GuestProcess } from "../ports/runtime.js";
import type { Turn } from "../ports/turn.js";
import type { Call, CallResponse } from "./call.js";
import { CallLine } from "./call-line.js";
import type { CallServer } from "./calls/calls-port.js";
import { EarlyWrites } from "./early-writes.js";
import { FrameIntake } from "./frame-intake.js";
import * as words from "./guest-words.js";
import type { OperationServer } from "./operations-port.js";
import { type InstanceLog, maskedFailure, type SecretMask } from "./secret-mask.js";
import type { LogOrigin } from "./types.js";

/** What an instance tells its pool. */
export interface InstanceEvents {
  /** A call ended, so there may be room for another. */
  freed(instance: Instance): void;
  /** The process is gone; calls that were running have been settled. */
  ended(instance: Instance): void;
  /** A call that was given ahead has not begun and will not begin here. */
  returned(call: Call): void;
}

/** What an instance is built from. */
export interface InstanceOptions {
  readonly process: GuestProcess;
  readonly operations: OperationServer;
  readonly functionCalls: CallServer;
  /** A plain `set` that goes to another node is answered once it is sent. */
  readonly answersEarly?: boolean;
  readonly log: InstanceLog;
  /** Takes secrets out of what it says of failures; `undefined` = it has none. */
  readonly mask?: SecretMask | undefined;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly events: InstanceEvents;
}

type Deferred = { readonly resolve: () => void; readonly reject: (error: unknown) => void };

/** How long a process may take from SIGTERM to its end, and live on without its channel. */
const KILL_GRACE_MS = 1000;
/** A process has ended, and its channel, which all of it has closed, still waits to be read: no longer than this. */
const LAST_WORDS_TIMEOUT_MS = 1000;
/** How long a function may take to be imported. */
const LOAD_TIMEOUT_MS = 30_000;
/** How long an instance that shares its process among calls may leave a ping unanswered. */
const PING_TIMEOUT_MS = 1000;
/** A guest begins with the first calls of a turn while the node still reads the others. */
const FRAMES_PER_WRITE_MAX = 8;
/** How long a call that shares its process may go on after its deadline. */
const OVERTIME_MS = 1000;

/**
 * One guest process that runs calls of one function.
 *
 * Invariants: 1. every call that was started is settled, by the guest, its deadline or the end of
 * the process, whichever comes first; 2. a slot is free again only when the guest has answered, so
 * a handler that ignores its deadline keeps its slot: such an instance takes no more calls and ends
 * with the others that run in it; 3. the first cause of the end is kept.
 */
export class Instance {
  readonly #process: GuestProcess;
  readonly #operations: OperationServer;
  readonly #functionCalls: CallServer;
  readonly #early: EarlyWrites | undefined;
  readonly #log: InstanceLog;
  readonly #mask: SecretMask | undefined;
  readonly #clock: Clock;
  readonly #events: InstanceEvents;
  readonly #writer: FrameWriter;
  readonly #calls = new SlotTable<Call>();
  #concurrency = 0;
  /** For guests that run one call at a time and take others ahead. */
  #line: CallLine | undefined;
  #loaded: Deferred | undefined;
  #pingTimer: NodeJS.Timeout | undefined;
  /** Calls that went on for too long after their deadline. */
  readonly #lost = new Set<number>();
  /** Calls that it has answered and whose writes are on their way. */
  #unacknowledged = 0;
  #endReason: string | undefined;
  #isEnded = false;
  #isStopping = false;
  /** The process is gone; what it has sent may still be on its way. */
  #hasExited = false;
  /** Resolves when the process is gone and everyone has been told. */
  readonly #over: Promise<void>;

  /** It has not begun with any call yet. */
  isCold = true;

  /** Monotonic time at which the last call ended, or of the load. */
  idleSinceMs: number;

  constructor(options: InstanceOptions) {
    this.#process = options.process;
    this.#operations = options.operations;
    this.#functionCalls = options.functionCalls;
    this.#early = options.answersEarly ? new EarlyWrites(options.operations) : undefined;
    this.#log = options.log;
    this.#mask = options.mask;
    this.#clock = options.clock;
    this.#events = options.events;
    this.idleSinceMs = options.clock.monotonicMs();
    this.#writer = new FrameWriter(options.process.channel, {
      schedule: options.turn.flush,
      framesPerWriteMax: FRAMES_PER_WRITE_MAX,
    });
    this.#over = this.#listen();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Calls that it was given and that are not answered. */
  get running(): number {
    return this.#calls.size;
  }

  /** Those among them that have not begun. */
  get ahead(): number {
    return this.#line?.ahead ?? 0;
  }

  /** Calls that it runs at once. */
  get concurrency(): number {
    return this.#concurrency;
  }

  /** True while another call may be started here; not while it is in doubt whether it still turns. */
  get hasRoom(): boolean {
    return this.#calls.size < this.#concurrency && this.#takesCalls;
  }

  /** True while it is worth it to give it a call ahead, to be run after the one that runs. */
  get hasRoomAhead(): boolean {
    return this.#line?.hasRoomAhead === true && this.#takesCalls;
  }

  /** True while its calls, of which it runs one at a time, wait for nothing. */
  get isSteady(): boolean {
    return this.#line?.isSteady === true;
  }

  get #takesCalls(): boolean {
    return !this.#isStopping && !this.#hasExited && this.#pingTimer === undefined;
  }

  /** Operations, writes and bytes on the channel so far, for tests that count work. */
  get writesTotal(): number {
    return this.#writer.writesTotal;
  }

  /**
   * Loads the function's code. `concurrency` bounds what the guest offers.
   * @throws EnokiError `ENOKI_LOAD_FAILED`, `ENOKI_NO_ENTRY` with the function's own traceback
   */
  async load(message: object, concurrency: number | undefined): Promise<void> {
    const loaded = new Promise<void>((resolve, reject) => {
      this.#loaded = { resolve, reject };
    });
    this.#writer.frame(FRAME.load, 0, JSON.stringify(message));
    this.#writer.flush();
    const timer = setTimeout(() => void this.#kill("loading took too long", 0), LOAD_TIMEOUT_MS);
    try {
      await loaded;
    } finally {
      clearTimeout(timer);
    }
    if (concurrency !== undefined) this.#concurrency = Math.min(this.#concurrency, concurrency);
  }

  /** Gives it a call; there must be room, if only ahead. `isPressed`: more of them wait. */
  start(call: Call, isPressed = false): void {
    const callId = this.#calls.add(call);
    const nowMs = this.#clock.monotonicMs();
    const mayWait = this.#hasNextThere;
    const begins = this.#line?.add(callId, nowMs) ?? true;
    call.startedMs = nowMs;
    if (begins) this.#begins(call, nowMs);
    call.onAbandoned = () => this.#timedOut(callId);
    const timeoutMs = Math.max(0, Math.round(call.deadlineMs - nowMs));
    const guard = isPressed && this.#line?.asksForGuard(callId) ? INVOKE_FLAG.guard : 0;
    // What an instance reads by itself no span would tell of.
    const asksNode = call.isElsewhere || call.spans !== undefined;
    const flags = asksNode ? INVOKE_FLAG.asksNode | guard : guard;
    encodeInvoke(this.#writer, callId, timeoutMs, call.idBytes, call.request, flags, mayWait);
  }

  /**
   * True while the guest has its next call already, and is waiting for something in the one that
   * runs: a further call would only wake it, and goes with the next frame that it waits for.
   */
  get #hasNextThere(): boolean {
    const line = this.#line;
    return line !== undefined && !line.isSteady && line.ahead > this.#writer.waitingFrames;
  }

  /** Lets the calls go that were held back: the guest has begun its next one, or gives calls back. */
  #keepNextThere(): void {
    if (this.#writer.waitingFrames > 0) this.#writer.flushSoon();
  }

  /** Lets running calls end, then the process. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#endIfDone("stopped");
    }
    await this.#over;
  }

  /** Ends the process at once. */
  async kill(reason: string): Promise<void> {
    await this.#kill(reason, 0);
    await this.#over;
  }

  async #kill(reason: string, graceMs: number): Promise<void> {
    this.#endReason ??= reason;
    await this.#process.kill(graceMs);
  }

  #listen(): Promise<void> {
    const { channel, stdout, stderr, exited } = this.#process;
    const onBroken = (error: unknown): void => this.#broke(error);
    new FrameIntake({ channel, writer: this.#writer, onFrame: this.#onFrame, onBroken }).start();
    channel.on("error", () => {});
    channel.on("close", () => this.#channelClosed());
    stdout
      ?.setEncoding("utf8")
      .on("data", (text: string) => this.#log.write("stdout", this.#onlyCall(), text));
    stderr
      ?.setEncoding("utf8")
      .on("data", (text: string) => this.#log.write("stderr", this.#onlyCall(), text));
    return exited
      .catch((error: unknown) => ({ code: null, signal: null, reason: String(error) }))
      .then(async (exit) => {
        this.#hasExited = true;
        await this.#lastWords();
        this.#end(exit);
      });
  }

  /**
   * Resolves once all that the process has sent was read: its end is told another way, which may be
   * the quicker one, and what it said last (why it did not load) counts.
   */
  async #lastWords(): Promise<void> {
    const { channel } = this.#process;
    if (channel.closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LAST_WORDS_TIMEOUT_MS);
      channel.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    channel.destroy();
  }

  /** A process that ends closes its channel first, and says only afterwards how it ended. */
  #channelClosed(): void {
    this.#isStopping = true;
    setTimeout(() => {
      if (!this.#isEnded) void this.#kill("closed its channel", 0);
    }, KILL_GRACE_MS).unref();
  }

  /** Text without a call id belongs to the call that runs, if there is just one. */
  #onlyCall(): LogOrigin | undefined {
    return this.#calls.size === 1 ? this.#calls.all()[0]?.logOrigin : undefined;
  }

  /** Whatever a guest's bytes bring about ends that guest alone. */
  #broke(error: unknown): void {
    const what = error instanceof ChannelError ? error.message : String(error);
    this.#log.write("platform", undefined, `protocol error: ${what}`);
    void this.#kill("broke the protocol", 0);
  }

  readonly #onFrame = (type: number, id: number, payload: Buffer): void => {
    switch (type) {
      case FRAME.operation:
        this.#operation(id, payload);
        return;
      case FRAME.result:
        this.#result(id, payload);
        return;
      case FRAME.failed:
        this.#failed(id, payload);
        return;
      case FRAME.log:
        this.#log.writeBytes(
          payload[0] === LOG_STREAM.stderr ? "stderr" : "stdout",
          this.#calls.get(id)?.logOrigin,
          payload.subarray(1),
        );
        return;
      case FRAME.returned:
        this.#returned(id);
        return;
      case FRAME.pace:
        this.#pace(payload);
        return;
      case FRAME.ready:
        this.#ready(payload);
        return;
      case FRAME.loadFailed:
        this.#loadFailed(payload);
        return;
      case FRAME.pong:
        clearTimeout(this.#pingTimer);
        this.#pingTimer = undefined;
        this.#events.freed(this);
        return;
      default:
        throw new ChannelError(`unknown frame type ${type}`);
    }
  };

  #operation(id: number, payload: Buffer): void {
    const call = this.#calls.get(operationCallId(payload));
    const server = isCallOperation(payload) ? this.#functionCalls : this.#operations;
    if (this.#early) this.#early.serve(server, this.#writer, id, call, payload);
    else server.serve(this.#writer, id, call, payload);
  }

  #ready(payload: Buffer): void {
    const { resolve } = this.#takeLoaded();
    const { concurrency, aheadMax } = words.parseOffer(payload);
    this.#concurrency = concurrency;
    if (concurrency === 1 && aheadMax > 0) this.#line = new CallLine(aheadMax);
    resolve();
  }

  #loadFailed(payload: Buffer): void {
    const { reject } = this.#takeLoaded();
    reject(words.loadError(this.#parseFailure(payload)));
  }

  #parseFailure(payload: Buffer): words.GuestFailure {
    const failure = words.parseFailure(payload);
    return this.#mask ? maskedFailure(failure, this.#mask) : failure;
  }

  /** Whoever waits for the load; it ends once. @throws ChannelError */
  #takeLoaded(): Deferred {
    const loaded = this.#loaded;
    if (!loaded) throw new ChannelError("it was loaded already");
    this.#loaded = undefined;
    return loaded;
  }

  #result(callId: number, payload: Buffer): void {
    const call = this.#calls.get(callId);
    if (!call) return;
    const outcome = words.parseResult(payload);
    call.hasReadDirectly = hasReadDirectly(payload);
    this.#free(callId, call, outcome);
  }

  #failed(callId: number, payload: Buffer): void {
    const call = this.#calls.get(callId);
    if (!call) return;
    const failure = this.#parseFailure(payload);
    call.hasReadDirectly = failure.hasRead;
    if (failure.traceback !== undefined)
      this.#log.write("stderr", call.logOrigin, failure.traceback);
    this.#free(callId, call, words.callError(failure));
  }

  #free(callId: number, call: Call, outcome: CallResponse | EnokiError): void {
    const nowMs = this.#clock.monotonicMs();
    this.#calls.take(callId);
    this.#lost.delete(callId);
    this.#begin(this.#line?.answered(callId, nowMs));
    this.#keepNextThere();
    call.onAbandoned = undefined;
    const acknowledged = this.#early?.settled(call);
    if (acknowledged) this.#settleLater(call, outcome, acknowledged);
    else call.settle(outcome);
    if (this.#calls.size === 0) this.idleSinceMs = nowMs;
    if (this.#isStopping) this.#endIfDone("stopped");
    this.#events.freed(this);
  }

  /** The guest is done with the call, and free for others; what it has sent may have to be sent again. */
  #settleLater(
    call: Call,
    outcome: CallResponse | EnokiError,
    acknowledged: Promise<EnokiError | undefined>,
  ): void {
    this.#unacknowledged += 1;
    void acknowledged.then((failure) => {
      this.#unacknowledged -= 1;
      call.settle(failure ?? outcome);
      if (this.#isStopping) this.#endIfDone("stopped");
    });
  }

  /** The guest runs a call next that it was given ahead. */
  #begin(callId: number | undefined): void {
    const call = callId === undefined ? undefined : this.#calls.get(callId);
    if (call) this.#begins(call, this.#clock.monotonicMs());
  }

  #begins(call: Call, nowMs: number): void {
    call.begin(nowMs, this);
    this.isCold = false;
  }

  /** The guest gives a call back that it has not begun: the one before it takes long. */
  #returned(callId: number): void {
    if (!this.#line) throw new ChannelError("it returned a call, but takes none ahead");
    this.#begin(this.#line.returned(callId, this.#clock.monotonicMs()));
    this.#keepNextThere();
    this.#handBack(callId);
    if (this.#isStopping) this.#endIfDone("stopped");
  }

  /** The guest has found out whether its calls wait for anything. */
  #pace(payload: Buffer): void {
    if (!this.#line) throw new ChannelError("it told its pace, but takes no calls ahead");
    this.#line.isSteady = payload[0] === 1;
  }

  #handBack(callId: number): void {
    const call = this.#calls.take(callId);
    if (!call || call.isSettled) return;
    call.handedBack();
    call.onAbandoned = undefined;
    this.#events.returned(call);
  }

  /** Ends the process unless a call runs in it that someone waits for. */
  #endIfDone(reason: string): void {
    const isDone = this.#calls.size === this.#lost.size && this.#unacknowledged === 0;
    if (isDone) void this.#kill(reason, KILL_GRACE_MS);
  }

  /** A running call is past its deadline, and its caller has been told. */
  #timedOut(callId: number): void {
    this.#writer.frame(FRAME.cancel, callId);
    if (this.#line?.isAhead(callId)) return;
    if (this.#concurrency === 1) {
      void this.#kill("timeout", KILL_GRACE_MS);
      return;
    }
    // Others may be well in the same process: only one that no longer turns is ended.
    this.#writer.frame(FRAME.ping, 0);
    this.#pingTimer ??= setTimeout(() => void this.#kill("timeout", 0), PING_TIMEOUT_MS);
    setTimeout(() => this.#lose(callId), OVERTIME_MS).unref();
  }

  /** A call that may never end would hold its slot for ever, so others go to a fresh instance. */
  #lose(callId: number): void {
    if (this.#isEnded || this.#calls.get(callId) === undefined) return;
    this.#lost.add(callId);
    this.#isStopping = true;
    this.#endIfDone("timeout");
  }

  #end(exit: GuestExit): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#pingTimer);
    this.#early?.close();
    this.#operations.close();
    this.#functionCalls.close();
    const reason = words.describeEnd(exit, this.#endReason);
    this.#loaded?.reject(words.loadCutError(reason));
    this.#loaded = undefined;
    for (const callId of this.#line?.takeAhead() ?? []) this.#handBack(callId);
    for (const call of this.#calls.takeAll()) {
      call.settle(words.deathError(reason, exit));
    }
    if (this.#endReason !== "stopped" && this.#endReason !== "idle") {
      this.#log.write("platform", undefined, `instance ${this.#process.pid} ended: ${reason}`);
    }
    this.#events.ended(this);
  }
}
