import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { InstanceLimits } from "../ports/runtime.js";
import type { Cage, CageKeeper, LimitCause } from "./cage.js";
import type { CgroupHome } from "./cgroup-location.js";
import { isAlive, trySignal } from "./process-table.js";

const CPU_PERIOD_US = 100_000;
const OOM_POLL_MS = 100;
/** Longer than any of the event files that are read here. */
const EVENTS_BYTES_MAX = 512;

/** Keeps cages that are control groups; what an earlier node of the same name left is cleaned first. */
export class CgroupKeeper implements CageKeeper {
  readonly memoryLimit: string;
  readonly cgroups: readonly string[];
  readonly #home: CgroupHome;
  readonly #cages = new Set<CgroupCage>();
  #oomTimer: NodeJS.Timeout | undefined;

  constructor(home: CgroupHome) {
    this.#home = home;
    this.memoryLimit = `cgroup v${home.version}`;
    this.cgroups = [...new Set(home.dirs.values())];
  }

  /** Ends and removes what a killed node has left under this name. */
  async clean(): Promise<void> {
    const left = new Set(this.cgroups.flatMap((dir) => childGroups(dir)));
    await Promise.all([...left].map((name) => this.#makeCage(name).destroy()));
  }

  create(name: string): Cage {
    const cage = this.#makeCage(name);
    for (const dir of cage.dirs) mkdirSync(dir, { recursive: true });
    this.#cages.add(cage);
    if (this.#home.version === 1)
      this.#oomTimer ??= setInterval(() => this.#killOutOfMemory(), OOM_POLL_MS).unref();
    return cage;
  }

  async close(): Promise<void> {
    clearInterval(this.#oomTimer);
    await this.clean();
    for (const dir of this.cgroups) tryRemove(dir);
  }

  #makeCage(name: string): CgroupCage {
    const cage: CgroupCage = new CgroupCage(this.#home, name, () => {
      this.#cages.delete(cage);
      if (this.#cages.size > 0) return;
      clearInterval(this.#oomTimer);
      this.#oomTimer = undefined;
    });
    return cage;
  }

  /** Version 1 kills one process of a group; an instance lives or dies as a whole. */
  #killOutOfMemory(): void {
    for (const cage of this.#cages) if (cage.hasRunOutOfMemory()) cage.kill();
  }
}

class CgroupCage implements Cage {
  readonly dirs: readonly string[];
  readonly joinFiles: readonly string[];
  readonly #home: CgroupHome;
  readonly #name: string;
  readonly #onGone: () => void;
  /** Version 1, once limited: the file with the group's kills, open because it is read ten times a second. */
  #oomFile: number | undefined;

  constructor(home: CgroupHome, name: string, onGone: () => void) {
    this.#home = home;
    this.#name = name;
    this.#onGone = onGone;
    this.dirs = [...new Set([...home.dirs.values()].map((dir) => join(dir, name)))];
    this.joinFiles = this.dirs.map((dir) => join(dir, "cgroup.procs"));
  }

  async attach(pid: number): Promise<void> {
    // why: a process that is gone already is no error here; its exit is told elsewhere.
    await Promise.allSettled(this.joinFiles.map((file) => writeFile(file, `${pid}`)));
  }

  limit(limits: InstanceLimits): void {
    const { version } = this.#home;
    if (version === 2) {
      this.#set("memory", "memory.max", `${limits.memoryBytes}`);
      this.#trySet("memory", "memory.swap.max", "0");
      this.#trySet("memory", "memory.oom.group", "1");
    } else {
      this.#set("memory", "memory.limit_in_bytes", `${limits.memoryBytes}`);
      this.#trySet("memory", "memory.memsw.limit_in_bytes", `${limits.memoryBytes}`);
      this.#oomFile ??= this.#tryOpen("memory", "memory.oom_control");
    }
    if (limits.pidsMax > 0) this.#trySet("pids", "pids.max", `${limits.pidsMax}`);
    if (limits.cpus > 0) {
      const quota = Math.max(1000, Math.round(limits.cpus * CPU_PERIOD_US));
      if (version === 2) this.#trySet("cpu", "cpu.max", `${quota} ${CPU_PERIOD_US}`);
      else this.#trySet("cpu", "cpu.cfs_quota_us", `${quota}`);
    }
  }

  cause(): LimitCause | undefined {
    const events = this.#home.version === 2 ? "memory.events" : "memory.oom_control";
    if (this.#count("memory", events, "oom_kill") > 0) return "oom";
    return this.#count("pids", "pids.events", "max") > 0 ? "pids" : undefined;
  }

  /** The same for memory alone and cheaper, on version 1; false as long as there is no limit. */
  hasRunOutOfMemory(): boolean {
    if (this.#oomFile === undefined) return false;
    try {
      const sizeBytes = readSync(this.#oomFile, EVENTS, 0, EVENTS.length, 0);
      return countIn(EVENTS.toString("latin1", 0, sizeBytes), "oom_kill") > 0;
    } catch {
      // why: a group that is gone has nothing left to kill.
      return false;
    }
  }

  /** The kernel knows. */
  note(): void {}

  kill(): void {
    this.killMembers();
  }

  /** Returns how many were alive. */
  killMembers(): number {
    let living = 0;
    for (const dir of this.dirs) {
      for (const pid of membersOf(dir)) {
        if (!isAlive(pid)) continue;
        living++;
        trySignal(pid, "SIGKILL");
      }
    }
    return living;
  }

  async destroy(): Promise<void> {
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
      if (this.killMembers() === 0 && this.dirs.every((dir) => tryRemove(dir))) break;
      await delay(waitMs);
    }
    if (this.#oomFile !== undefined) closeSync(this.#oomFile);
    this.#oomFile = undefined;
    this.#onGone();
  }

  #dir(controller: "memory" | "pids" | "cpu"): string | undefined {
    const dir = this.#home.dirs.get(controller);
    return dir === undefined ? undefined : join(dir, this.#name);
  }

  #set(controller: "memory" | "pids" | "cpu", file: string, text: string): void {
    const dir = this.#dir(controller);
    if (dir !== undefined) writeFileSync(join(dir, file), text);
  }

  #trySet(controller: "memory" | "pids" | "cpu", file: string, text: string): void {
    try {
      this.#set(controller, file, text);
    } catch {
      // why: swap accounting and the CPU controller are not everywhere; memory is what must hold.
    }
  }

  #count(controller: "memory" | "pids", file: string, field: string): number {
    const dir = this.#dir(controller);
    if (dir === undefined) return 0;
    try {
      return countIn(readFileSync(join(dir, file), "utf8"), field);
    } catch {
      return 0;
    }
  }

  #tryOpen(controller: "memory" | "pids" | "cpu", file: string): number | undefined {
    const dir = this.#dir(controller);
    try {
      return dir === undefined ? undefined : openSync(join(dir, file), "r");
    } catch {
      return undefined;
    }
  }
}

/** Where event files are read to, one at a time. */
const EVENTS = Buffer.allocUnsafeSlow(EVENTS_BYTES_MAX);

/** What a file of `NAME COUNT` lines says of `field`. */
function countIn(text: string, field: string): number {
  return Number(new RegExp(`^${field} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}

function membersOf(dir: string): number[] {
  try {
    return readFileSync(join(dir, "cgroup.procs"), "utf8").split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function childGroups(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** True if the group is gone. */
function tryRemove(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
