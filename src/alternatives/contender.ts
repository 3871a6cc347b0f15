import type { Resources } from "../bench/resources.js";
import type { RequestShape } from "../bench/wrk.js";
import type { SystemName } from "./systems.js";
import type { Work } from "./work.js";

/**
 * What an answered write survives: nothing (`memory`), the end of every process (`relaxed`), a power
 * cut, because it was synced before the answer (`strict`).
 */
export type Durability = "memory" | "relaxed" | "strict";

/**
 * Where data lie that no sync has to wait for: on a file system in memory, so they survive the end of
 * every process and no power cut.
 */
export const TMPFS = "/dev/shm";

/** Where contenders find what they are made of. */
export interface Surroundings {
  /** Processes and folders, ended and removed once they are no longer used. */
  readonly resources: Resources;
  /** Folder with the peers' programs and their packages. */
  readonly programs: string;
}

/** Where a contender takes requests. */
export interface Address {
  readonly url: string;
  /** Where it has to be asked in another form than the others. */
  readonly shape?: RequestShape;
}

/** One way to have the work done, with all that a reader must know to compare it. */
export interface Contender {
  readonly system: SystemName;
  /** With what tells it from others of its system. */
  readonly title: string;
  readonly durability: Durability;
  /** How the function is kept apart from the rest of the machine. */
  readonly isolation: string;
  readonly works: readonly Work[];
  /** A program that this machine may lack; `npm run setup` installs it. */
  readonly needs?: string;
  /**
   * Starts it on free ports, with an empty store of its own and what the work expects to find there. It
   * ends with its resources.
   */
  start(surroundings: Surroundings, work: Work): Promise<Address>;
}
