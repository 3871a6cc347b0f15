import { setTimeout as delay } from "node:timers/promises";
import type { InstanceLimits } from "../ports/runtime.js";
import type { Cage, CageKeeper, LimitCause } from "./cage.js";
import {
  familyOf,
  PAGE_BYTES,
  processStartTicks,
  proportionalBytes,
  readProcesses,
  trySignal,
  type ProcessRow,
} from "./process-table.js";

const WATCH_INTERVAL_MS = 100;
/** A process may start another one before it stops. */
const FREEZE_ROUNDS_MAX = 50;

/**
 * Cages without the help of control groups: a timer adds up what each instance's processes use and
 * kills those above a limit. It holds no CPU limit, and what is allocated between two looks is not
 * prevented.
 */
export class WatchedKeeper implements CageKeeper {
  readonly memoryLimit = "watched RSS";
  readonly cgroups: readonly string[] = [];
  readonly #cages = new Set<WatchedCage>();
  #timer: NodeJS.Timeout | undefined;

  create(): Cage {
    const cage: WatchedCage = new WatchedCage(() => this.#forget(cage));
    this.#cages.add(cage);
    this.#timer ??= setInterval(() => this.#look(), WATCH_INTERVAL_MS).unref();
    return cage;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#cages].map((cage) => cage.destroy()));
  }

  #forget(cage: WatchedCage): void {
    this.#cages.delete(cage);
    if (this.#cages.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    if (![...this.#cages].some((cage) => cage.isLimited)) return;
    const rows = readProcesses();
    for (const cage of this.#cages) cage.look(rows);
  }
}

class WatchedCage implements Cage {
  readonly joinFiles: readonly string[] = [];
  readonly #onGone: () => void;
  /** Every process seen inside so far, with its start: an orphan is known by this only. */
  readonly #known = new Map<number, number | undefined>();
  #limits: InstanceLimits | undefined;
  #cause: LimitCause | undefined;

  constructor(onGone: () => void) {
    this.#onGone = onGone;
  }

  get isLimited(): boolean {
    return this.#limits !== undefined;
  }

  attach(pid: number): Promise<void> {
    this.#known.set(pid, processStartTicks(pid));
    return Promise.resolve();
  }

  limit(limits: InstanceLimits): void {
    this.#limits = limits;
  }

  cause(): LimitCause | undefined {
    return this.#cause;
  }

  look(rows: readonly ProcessRow[]): void {
    const family = this.#family(rows);
    if (this.#limits === undefined || this.#cause !== undefined) return;
    const { memoryBytes, pidsMax } = this.#limits;
    if (pidsMax > 0 && family.length > pidsMax) this.#cause = "pids";
    else if (residentSum(family) > memoryBytes && proportionalSum(family) > memoryBytes)
      this.#cause = "oom";
    if (this.#cause !== undefined) this.kill();
  }

  note(): void {
    this.#family(readProcesses());
  }

  /** Stops everybody before it kills anybody: who starts processes would go on while it is counted. */
  kill(): void {
    const stopped = new Set<number>();
    for (let round = 0; round < FREEZE_ROUNDS_MAX; round++) {
      const running = this.#family(readProcesses()).filter((row) => !stopped.has(row.pid));
      if (running.length === 0) break;
      for (const { pid } of running) {
        trySignal(pid, "SIGSTOP");
        stopped.add(pid);
      }
    }
    for (const pid of stopped) trySignal(pid, "SIGKILL");
  }

  async destroy(): Promise<void> {
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
      const living = this.#family(readProcesses()).filter(
        (row) => row.state !== "Z" && row.state !== "X",
      );
      if (living.length === 0) break;
      this.kill();
      await delay(waitMs);
    }
    this.#onGone();
  }

  #family(rows: readonly ProcessRow[]): ProcessRow[] {
    for (const row of rows) {
      // why: the id of a process that has ended may have been given to somebody else since.
      if (this.#known.has(row.pid) && this.#known.get(row.pid) !== row.startTicks)
        this.#known.delete(row.pid);
    }
    const family = familyOf(new Set(this.#known.keys()), rows);
    for (const row of family) this.#known.set(row.pid, row.startTicks);
    return family;
  }
}

function residentSum(family: readonly ProcessRow[]): number {
  return family.reduce((sum, row) => sum + row.residentPages * PAGE_BYTES, 0);
}

/** Counts a page that several processes share once; slower, so only asked when the sum of RSS is above. */
function proportionalSum(family: readonly ProcessRow[]): number {
  return family.reduce(
    (sum, row) => sum + (proportionalBytes(row.pid) ?? row.residentPages * PAGE_BYTES),
    0,
  );
}
