import { expect, vi } from "vitest";

import { assert } from "../base/assert.js";
import type { Naming, NamingChange, NamingEntry, NamingEvents } from "../ports/naming.js";

/** Long enough for a busy machine; nothing waits for it unless it fails. */
const PATIENCE_MS = 15_000;

/** Waits until `condition` holds. */
export async function until(condition: () => boolean, what = "it happens"): Promise<void> {
  await vi.waitFor(() => assert(condition(), `waited in vain until ${what}`), {
    timeout: PATIENCE_MS,
    interval: 5,
  });
}

/** Hears a watch, holds its rules, and keeps what a node would know. */
export class WatchRecorder implements NamingEvents {
  readonly known = new Map<string, { value: string; revision: number }>();
  /** Every event: `reset`, `up`, `down`, or the transaction's `key=value` and `-key`. */
  readonly heard: string[] = [];
  isReachable: boolean | undefined;
  #greatest = 0;
  readonly #stop: () => void;

  constructor(naming: Naming, prefix: string) {
    this.#stop = naming.watch(prefix, this);
  }

  reset(entries: readonly NamingEntry[]): void {
    this.heard.push("reset");
    this.known.clear();
    for (const { key, value, revision } of entries) this.known.set(key, { value, revision });
    // A service that was made anew counts from the start.
    this.#greatest = Math.max(0, ...entries.map(({ revision }) => revision));
  }

  changed(changes: readonly NamingChange[]): void {
    expect(this.heard, "the first event of a watch is reset").toContain("reset");
    expect(new Set(changes.map(({ revision }) => revision)).size).toBe(1);
    const revision = changes[0]?.revision ?? 0;
    expect(revision, "a change is told once, and in order").toBeGreaterThan(this.#greatest);
    this.#greatest = revision;
    for (const { key, value } of changes) {
      if (value === undefined) this.known.delete(key);
      else this.known.set(key, { value, revision });
    }
    this.heard.push(
      changes.map(({ key, value }) => (value === undefined ? `-${key}` : `${key}=${value}`)).join(),
    );
  }

  reachable(isReachable: boolean): void {
    expect(isReachable, "reachability is told when it changes").not.toBe(this.isReachable);
    this.isReachable = isReachable;
    this.heard.push(isReachable ? "up" : "down");
  }

  /** The known records as one object. */
  values(): Record<string, string> {
    return Object.fromEntries([...this.known].map(([key, { value }]) => [key, value]));
  }

  /** What was heard of changes, without resets and reachability. */
  changesHeard(): string[] {
    return this.heard.filter((event) => !["reset", "up", "down"].includes(event));
  }

  stop(): void {
    this.#stop();
  }
}
