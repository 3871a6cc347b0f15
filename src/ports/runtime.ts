import type { Readable } from "node:stream";
import type { Socket } from "node:net";

/** How far a function is trusted: `process` = fully, `sandbox` = confined by bubblewrap. */
export type Isolation = "process" | "sandbox";

/** Whether a sandboxed function sees the machine's network. */
export type NetworkAccess = "none" | "host";

/** The programs that host functions. Binaries are run by the `node` guest. */
export type GuestKind = "python" | "node";

/** What one instance may use. */
export interface InstanceLimits {
  readonly memoryBytes: number;
  /** CPUs, fractions allowed; 0 = no limit. */
  readonly cpus: number;
  /** Processes and threads. */
  readonly pidsMax: number;
  /** Writable temporary space. */
  readonly tmpBytes: number;
}

/** What a launcher needs to know to give a function an instance. */
export interface LaunchRequest {
  readonly kind: GuestKind;
  readonly functionName: string;
  readonly isolation: Isolation;
  readonly network: NetworkAccess;
  readonly limits: InstanceLimits;
  /** Artefact folder on the host (`code/`, maybe `deps/`); the guest sees it read-only. */
  readonly artefactDir: string;
  /** A file on the host that the guest may read while it is written; not shown where that cannot be. */
  readonly storeFile?: string | undefined;
}

/** How an instance ended. The first cause wins. */
export interface GuestExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** `oom`, `pids`, `killed` … when the launcher knows more than the exit status says. */
  readonly reason?: string;
}

/** A running guest process that has not been told yet what to load. */
export interface GuestProcess {
  /** Process id on the host: the guest itself, or the sandbox around it. */
  readonly pid: number;
  readonly channel: Socket;
  /** Raw file descriptors 1 and 2, where the launcher has them per process. */
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Where the guest finds the artefact folder: a path inside the sandbox, or `artefactDir`. */
  readonly guestArtefactDir: string;
  /** Where it finds the store's file, if it was shown to it. */
  readonly guestStoreFile: string | undefined;
  /** Resolves once, when no process of the instance is left. */
  readonly exited: Promise<GuestExit>;
  /**
   * Ends the instance with everything it started: SIGTERM, then SIGKILL after `graceMs`
   * (0 = SIGKILL at once). Resolves like `exited`.
   */
  kill(graceMs: number): Promise<GuestExit>;
}

/** What a launcher can do on this machine, for `enoki up` and `enoki doctor`. */
export interface LauncherReport {
  readonly isolations: readonly Isolation[];
  /** Why `sandbox` is not among them; one line with the fix. */
  readonly sandboxMissing?: string;
  /** How the memory limit is held: `cgroup v2`, `cgroup v1` or `watched RSS`. */
  readonly memoryLimit: string;
  readonly kinds: Readonly<
    Record<GuestKind, { readonly version: string } | { readonly missing: string }>
  >;
}

/** Starts guest processes, from warm pools and fork servers where it can. */
export interface Launcher {
  readonly report: LauncherReport;
  /**
   * Gives a fresh guest process to one function.
   * @throws EnokiError `ENOKI_RUNTIME_UNAVAILABLE` when this machine cannot
   */
  launch(request: LaunchRequest): Promise<GuestProcess>;
  /** Ends every process, also warm ones. */
  close(): Promise<void>;
}
