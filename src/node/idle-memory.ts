import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import type { Timers } from "../ports/timers.js";

/** What {@link releaseIdleMemory} works with. */
export interface IdleMemoryOptions {
  readonly timers: Timers;
  /** How long this process has been busy since it started, in ms. */
  readonly busyMs: () => number;
  /** Gives back what is no longer used; may take some 50 ms. */
  readonly collect: () => void;
}

/** How often it looks. Twice this after the last work, a node has given back what that left. */
const LOOK_MS = 20_000;
/** A node that did less than this between two looks (2 %) is idle: heartbeats, health checks. */
const IDLE_BUSY_MS = 400;
/** Collecting is worth its time only after this much work. */
const WORK_MIN_MS = 1000;

/**
 * Collects garbage once whenever the process has become idle after work. V8 itself does so only now
 * and then: a node that has just built and started twenty functions might keep 30 MB for hours, and
 * an edge box is idle most of the time. Returns what stops it.
 */
export function releaseIdleMemory({ timers, busyMs, collect }: IdleMemoryOptions): () => void {
  let atLastLook = busyMs();
  // What starting the node left is worth collecting, too.
  let atLastCollection = 0;
  let cancel: () => void;
  const look = (): void => {
    const now = busyMs();
    if (now - atLastLook < IDLE_BUSY_MS && now - atLastCollection >= WORK_MIN_MS) {
      collect();
      atLastCollection = busyMs();
    }
    atLastLook = busyMs();
    cancel = timers.after(LOOK_MS, look);
  };
  cancel = timers.after(LOOK_MS, look);
  return () => cancel();
}

/** A whole collection of this process's garbage, in whatever way Node was started. */
export function createCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  // Only the context made above shall have it: nothing else of the process is to change.
  setFlagsFromString("--no-expose-gc");
  return collect;
}
