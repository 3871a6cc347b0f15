import type { InstanceLimits } from "../ports/runtime.js";

/** Why an instance ended, where the operating system can say. */
export type LimitCause = "oom" | "pids";

/** What holds one instance to its limits, and knows all its processes. */
export interface Cage {
  /** Files that a starting program writes its own process id to, to be born inside. */
  readonly joinFiles: readonly string[];
  /** Takes in a process that runs already, with its threads and descendants. */
  attach(pid: number): Promise<void>;
  limit(limits: InstanceLimits): void;
  /** Which limit has ended or is ending the instance. */
  cause(): LimitCause | undefined;
  /** Looks who is inside; to be called before one ends whose children would be nobody's then. */
  note(): void;
  /** SIGKILLs every process inside, now. */
  kill(): void;
  /** SIGKILLs every process inside for as long as there are any; resolves when none is left and the cage is gone. */
  destroy(): Promise<void>;
}

/** Makes the cages of one node. */
export interface CageKeeper {
  /** `cgroup v2`, `cgroup v1` or `watched RSS`. */
  readonly memoryLimit: string;
  /** Control groups that hold all cages; a guardian empties them. */
  readonly cgroups: readonly string[];
  create(name: string): Cage;
  close(): Promise<void>;
}
