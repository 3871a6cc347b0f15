import { createHash } from "node:crypto";

import { EnokiError } from "../core/errors.js";
import type { FunctionName, KeygroupName } from "../core/ids.js";
import type { TriggerPlace, TriggerSetting } from "../functions/types.js";
import { parseTrigger, showCause, type TriggerCause } from "./trigger.js";

/** One trigger of a function that is deployed. */
export interface FunctionTrigger {
  /**
   * Names it: the same on every node, and for as long as function, cause and place are the same; a
   * password in the cause may be another one.
   */
  readonly id: string;
  readonly function: FunctionName;
  /** As it was said, in the one way of writing it. */
  readonly on: string;
  readonly cause: TriggerCause;
  readonly at: TriggerPlace;
  /** What the secret that the cause names is, sealed; absent where it names none, or one that is not there. */
  readonly sealedSecret?: string;
  /** What came before is not the trigger's; wall clock, when the first of its revisions was deployed. */
  readonly sinceMs: number;
}

/** A trigger that listens to a keygroup. */
export interface KeygroupTrigger extends FunctionTrigger {
  readonly cause: Extract<TriggerCause, { kind: "keygroup" }>;
}

/** One revision, as far as triggers are concerned. */
export interface TriggeredRevision {
  readonly triggers: readonly TriggerSetting[] | undefined;
  /** Its secrets by name, each sealed. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly deployedAtMs: number;
}

const NONE: readonly KeygroupTrigger[] = [];
/** Hexadecimal digits of an id: 64 bits, which one cluster does not use up. */
const ID_DIGITS = 16;

/** The triggers of all functions that are known here. Lookups cost nothing where there are none. */
export class TriggerBook {
  readonly #functions = new Map<FunctionName, readonly FunctionTrigger[]>();
  #ofKeygroups = new Map<KeygroupName, KeygroupTrigger[]>();
  readonly #listeners = new Set<() => void>();

  /** Revisions up to the current one, oldest first; none = the function is gone. */
  set(name: FunctionName, revisions: readonly TriggeredRevision[]): void {
    const triggers = triggersOf(name, revisions);
    const before = this.#functions.get(name) ?? [];
    if (JSON.stringify(before) === JSON.stringify(triggers)) return;
    if (triggers.length === 0) this.#functions.delete(name);
    else this.#functions.set(name, triggers);
    this.#index();
    for (const changed of this.#listeners) changed();
  }

  /** Those that listen to a keygroup. */
  ofKeygroup(name: KeygroupName): readonly KeygroupTrigger[] {
    return this.#ofKeygroups.get(name) ?? NONE;
  }

  all(): FunctionTrigger[] {
    return [...this.#functions.values()].flat();
  }

  /** Tells of changes; the returned function ends it. */
  subscribe(changed: () => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  #index(): void {
    this.#ofKeygroups = new Map();
    for (const trigger of this.all()) {
      if (!isOnKeygroup(trigger)) continue;
      const { keygroup } = trigger.cause;
      this.#ofKeygroups.set(keygroup, [...this.ofKeygroup(keygroup), trigger]);
    }
  }
}

/** What the last of these revisions is called by, each since the first of those that all have it. */
function triggersOf(
  name: FunctionName,
  revisions: readonly TriggeredRevision[],
): readonly FunctionTrigger[] {
  const settings = revisions.at(-1)?.triggers ?? [];
  return settings.flatMap(({ on, at }) => {
    const cause = causeOf(on, at);
    // Of a newer version, which the other nodes may have.
    if (!cause) return [];
    let sinceMs = Infinity;
    for (const { triggers, deployedAtMs } of revisions.toReversed()) {
      const hasIt = triggers?.some((other) => other.on === on && other.at === at);
      if (!hasIt) break;
      sinceMs = Math.min(sinceMs, deployedAtMs);
    }
    const secret = cause.kind === "mqtt" ? cause.secret : undefined;
    const sealedSecret = secret === undefined ? undefined : revisions.at(-1)?.secrets?.[secret];
    return {
      id: idOf(name, showCause(on), at),
      function: name,
      on,
      cause,
      at,
      ...(sealedSecret !== undefined && { sealedSecret }),
      sinceMs,
    };
  });
}

/** `undefined`: this version cannot read it. */
function causeOf(on: string, at: TriggerPlace): TriggerCause | undefined {
  try {
    return parseTrigger(on, at).cause;
  } catch (error) {
    if (error instanceof EnokiError) return undefined;
    throw error;
  }
}

function isOnKeygroup(trigger: FunctionTrigger): trigger is KeygroupTrigger {
  return trigger.cause.kind === "keygroup";
}

function idOf(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, ID_DIGITS);
}
