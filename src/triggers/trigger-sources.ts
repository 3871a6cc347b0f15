import { EnokiError } from "../core/errors.js";
import type { FunctionName } from "../core/ids.js";
import type { Logger } from "../ports/logger.js";
import { showCause } from "./trigger.js";
import type { FunctionTrigger } from "./trigger-book.js";

/** What a source has for a function. */
export interface FiredEvent {
  /** What the function gets, as JSON. */
  readonly data: Readonly<Record<string, unknown>>;
  /** The same for every node and every try that means the same event; `""` = each call is another one. */
  readonly idempotencyKey: string;
}

/** What a source is started with. */
export interface SourceStart {
  readonly trigger: FunctionTrigger;
  /**
   * Resolves once the function's call is stored here and will be made. One idempotency key makes one call.
   * @throws EnokiError rejects with `ENOKI_OUTBOX_FULL`, `ENOKI_DISK_FULL`, `ENOKI_KEYGROUP_NOT_FOUND`
   */
  readonly fire: (event: FiredEvent) => Promise<void>;
}

/** A source that runs. */
export interface RunningSource {
  /** Why it cannot fire for now; it tries again by itself. */
  readonly failure?: EnokiError | undefined;
  /**
   * Fires nothing more; resolves when what is being stored is stored. `isGone`: nobody goes on in its
   * place, so what is kept for it elsewhere may go, too.
   */
  close(isGone: boolean): Promise<void>;
}

/** Starts a source for one trigger on this node. @throws EnokiError if that cannot be */
export type SourceStarter = (start: SourceStart) => RunningSource;

/** What {@link TriggerSources} work with. */
export interface TriggerSourcesOptions {
  /** By what they listen to; a kind without a starter fires nothing here. */
  readonly starters: Readonly<Partial<Record<FunctionTrigger["cause"]["kind"], SourceStarter>>>;
  readonly triggers: () => readonly FunctionTrigger[];
  /** This node is to take up the trigger's events now. */
  readonly isHere: (trigger: FunctionTrigger) => boolean;
  readonly fire: (trigger: FunctionTrigger, event: FiredEvent) => Promise<void>;
  readonly logger: Logger;
}

interface Running {
  readonly trigger: FunctionTrigger;
  readonly key: string;
  readonly source: RunningSource;
}

/** The sources outside of keygroups (times, messages) that run on this node: those that are to, and no others. */
export class TriggerSources {
  readonly #options: TriggerSourcesOptions;
  readonly #running = new Map<string, Running>();
  readonly #failed = new Map<string, string>();
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;

  constructor(options: TriggerSourcesOptions) {
    this.#options = options;
  }

  /** Starts and stops what is to run otherwise than before. */
  look(): void {
    if (this.#isClosed) return;
    const { triggers, starters, isHere } = this.#options;
    const wanted = new Map<string, FunctionTrigger>();
    const elsewhere = new Set<string>();
    for (const trigger of triggers()) {
      if (!starters[trigger.cause.kind]) continue;
      if (isHere(trigger)) wanted.set(trigger.id, trigger);
      else if (trigger.at === "one") elsewhere.add(trigger.id);
    }
    for (const [id, { key }] of this.#running) {
      const trigger = wanted.get(id);
      if (!trigger || keyOf(trigger) !== key) this.#stop(id, !trigger && !elsewhere.has(id));
    }
    for (const trigger of wanted.values()) {
      if (!this.#running.has(trigger.id)) this.#start(trigger);
    }
  }

  /** Why triggers of a function cannot fire here for now, by their `on`; none if all is well. */
  failuresOf(name: FunctionName): ReadonlyMap<string, EnokiError> {
    const failures = new Map<string, EnokiError>();
    for (const { trigger, source } of this.#running.values()) {
      if (trigger.function === name && source.failure) failures.set(trigger.on, source.failure);
    }
    return failures;
  }

  /** Stops all of them. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const id of this.#running.keys()) this.#stop(id, false);
    await Promise.all(this.#closing);
  }

  #start(trigger: FunctionTrigger): void {
    const { starters, fire, logger } = this.#options;
    const key = keyOf(trigger);
    if (this.#failed.get(trigger.id) === key) return;
    try {
      const source = starters[trigger.cause.kind]?.({
        trigger,
        fire: (event) => fire(trigger, event),
      });
      if (source) this.#running.set(trigger.id, { trigger, key, source });
    } catch (error) {
      if (!(error instanceof EnokiError)) throw error;
      this.#failed.set(trigger.id, key);
      const { function: name, on } = trigger;
      logger.error(
        { function: name, on: showCause(on), code: error.code },
        `a trigger cannot start: ${error.message}`,
      );
    }
  }

  #stop(id: string, isGone: boolean): void {
    const running = this.#running.get(id);
    if (!running) return;
    this.#running.delete(id);
    const closing = running.source.close(isGone).catch((error: unknown) => {
      this.#options.logger.error({ error: String(error) }, "a trigger did not end well");
    });
    const tracked = closing.finally(() => this.#closing.delete(tracked));
    this.#closing.add(tracked);
  }
}

/** Another one means that the source must be another. */
function keyOf({ id, sinceMs, on, sealedSecret = "" }: FunctionTrigger): string {
  return `${id} ${sinceMs} ${on} ${sealedSecret}`;
}
