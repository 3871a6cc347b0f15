import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { EnokiError } from "../core/errors.js";
import type { Logger } from "../ports/logger.js";
import type { GuestKind } from "../ports/runtime.js";
import type { Cage, CageKeeper } from "./cage.js";
import type { Guardian } from "./guardian.js";
import type { Interpreter } from "./probes.js";
import type { ProcessHandle } from "./spawned-process.js";

/** Where the two guests lie. */
export interface GuestPrograms {
  /** The Node guest, `dist/guest/main.cjs`. */
  readonly nodeMain: string;
  /** The folder of the Python guest, which holds `main.py`. */
  readonly pythonDir: string;
}

/** What every way of starting a guest needs. */
export interface GuestHost {
  readonly runDir: string;
  readonly guests: GuestPrograms;
  readonly guardian: Guardian;
  readonly logger: Logger;
  readonly keeper: CageKeeper;
  readonly interpreters: Readonly<Record<GuestKind, Interpreter>>;
  /** The Python guest, compiled; made on the first call. */
  readonly pythonGuestDir: () => Promise<string>;
}

/** Where a guest finds what was placed for it. */
export interface Placed {
  readonly artefactDir: string;
  readonly storeFile: string | undefined;
}

/** A started guest that has no function yet. */
export interface WarmGuest {
  readonly handle: ProcessHandle;
  readonly cage: Cage;
  /** Lets the guest see an artefact and a store; resolves with the paths by which it knows them. */
  place(host: Placed): Promise<Placed>;
  /** Removes what only this guest used; called when none of its processes is left. */
  cleanUp(): Promise<void>;
}

/** Ends a guest that nobody has taken. */
export async function stopGuest(guest: WarmGuest): Promise<void> {
  guest.handle.channel.destroy();
  guest.handle.kill();
  await guest.handle.ended;
  await guest.cage.destroy();
  await guest.cleanUp();
}

/** Path of an interpreter. @throws EnokiError `ENOKI_RUNTIME_UNAVAILABLE` where there is none */
export function interpreterPath(host: GuestHost, kind: GuestKind): string {
  const interpreter = host.interpreters[kind];
  if ("missing" in interpreter)
    throw new EnokiError("ENOKI_RUNTIME_UNAVAILABLE", interpreter.missing);
  return interpreter.path;
}

/** Makes a directory below the run directory that only this user enters. */
export function makePrivateDir(host: GuestHost, ...names: string[]): string {
  const dir = join(host.runDir, ...names);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return dir;
}

/** Removes a directory of the run directory with all that is in it. */
export async function removeDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 2 });
}

let guestsTotal = 0;

/** A name for one guest's cage and directories. */
export function nextGuestName(kind: GuestKind): string {
  return `${kind}-${++guestsTotal}`;
}
