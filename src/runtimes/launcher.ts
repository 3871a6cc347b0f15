import { mkdirSync, rmSync } from "node:fs";
import { assert } from "../base/assert.js";
import { EnokiError } from "../core/errors.js";
import { silentLogger, type Logger } from "../ports/logger.js";
import type { GuestProcess, Launcher, LauncherReport, LaunchRequest } from "../ports/runtime.js";
import type { SandboxMode } from "./bubblewrap.js";
import type { CageKeeper } from "./cage.js";
import { CgroupKeeper } from "./cgroup-cage.js";
import { MARKER_NAME } from "./environment.js";
import { nodeMark, openCgroupHome } from "./cgroup-location.js";
import type { Guardian } from "./guardian.js";
import { stopGuest, type GuestHost, type GuestPrograms, type WarmGuest } from "./guest-host.js";
import { Instance } from "./instance.js";
import { probeNode, probePython, type Interpreter } from "./probes.js";
import { ProcessStarter } from "./process-starter.js";
import { compilePythonGuest } from "./python-guest.js";
import { probeSandbox } from "./sandbox-probe.js";
import { SandboxStarter } from "./sandbox-starter.js";
import { WarmPool } from "./warm-pool.js";
import { WatchedKeeper } from "./watched-cage.js";

export type { GuestPrograms } from "./guest-host.js";

/** How many processes wait for work, and how long. */
export interface WarmOptions {
  /** Processes kept per kind in use; 0 = none. */
  readonly sizeMax?: number;
  /** Unused for this long, a pool ends its processes. */
  readonly idleMs?: number;
  /** How long after a launch its pool is refilled. */
  readonly refillDelayMs?: number;
}

/** What a launcher is made from. */
export interface LauncherOptions {
  /** A private directory of this node, below its data directory; made if missing. */
  readonly runDir: string;
  readonly guests: GuestPrograms;
  readonly nodePath?: string;
  readonly pythonPath?: string;
  readonly logger?: Logger;
  readonly warm?: WarmOptions;
  readonly guardian: Guardian;
  /** Which kind of sandbox to use where both work; for tests. */
  readonly sandboxMode?: SandboxMode;
  /** `watched` does without control groups, for machines and tests that have none. */
  readonly limits?: "auto" | "watched";
}

const WARM_DEFAULTS = { sizeMax: 2, idleMs: 60_000, refillDelayMs: 50 };

/** Finds out what this machine can do and makes its launcher. */
export async function createLauncher(options: LauncherOptions): Promise<Launcher> {
  // why: a killed node leaves its slots and temporary files here; the guardian's lock says it is gone.
  rmSync(options.runDir, { recursive: true, force: true });
  mkdirSync(options.runDir, { recursive: true, mode: 0o700 });
  const [node, python, sandbox, keeper] = await Promise.all([
    probeNode(options.nodePath),
    probePython(options.pythonPath),
    probeSandbox(options.sandboxMode),
    openKeeper(options),
  ]);
  const report: LauncherReport = {
    ...("missing" in sandbox
      ? { isolations: ["process"], sandboxMissing: sandbox.missing }
      : { isolations: ["process", "sandbox"] }),
    memoryLimit: keeper.memoryLimit,
    kinds: { node: kindReport(node), python: kindReport(python) },
  };
  options.guardian.addMarker(`${MARKER_NAME}=${nodeMark(options.runDir)}`);
  const { runDir, guests, guardian, logger = silentLogger } = options;
  let pythonGuest: Promise<string> | undefined;
  const pythonGuestDir = (): Promise<string> => {
    assert(!("missing" in python), "launch() checks that the interpreter exists");
    return (pythonGuest ??= compilePythonGuest(python.path, guests.pythonDir, runDir, logger));
  };
  const host: GuestHost = {
    runDir,
    guests,
    guardian,
    logger,
    keeper,
    interpreters: { node, python },
    pythonGuestDir,
  };
  const sandboxes = "missing" in sandbox ? undefined : new SandboxStarter(host, sandbox);
  return new PooledLauncher(report, host, sandboxes, { ...WARM_DEFAULTS, ...options.warm });
}

class PooledLauncher implements Launcher {
  readonly report: LauncherReport;
  readonly #host: GuestHost;
  readonly #warm: Required<WarmOptions>;
  readonly #processes: ProcessStarter;
  readonly #sandboxes: SandboxStarter | undefined;
  readonly #pools = new Map<string, WarmPool<WarmGuest>>();
  readonly #instances = new Set<Instance>();
  #isClosed = false;

  constructor(
    report: LauncherReport,
    host: GuestHost,
    sandboxes: SandboxStarter | undefined,
    warm: Required<WarmOptions>,
  ) {
    this.report = report;
    this.#sandboxes = sandboxes;
    this.#host = host;
    this.#warm = warm;
    this.#processes = new ProcessStarter(host);
  }

  async launch(request: LaunchRequest): Promise<GuestProcess> {
    if (this.#isClosed) throw new EnokiError("ENOKI_DRAINING", "the launcher is closed");
    this.#check(request);
    const guest = await this.#takeGuest(request);
    try {
      const instance = await this.#dress(guest, request);
      if (this.#isClosed) await instance.kill(0);
      return instance;
    } catch (error) {
      await stopGuest(guest);
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.all([...this.#instances].map((instance) => instance.kill(0)));
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
    await this.#processes.close();
    await this.#host.keeper.close();
    rmSync(this.#host.runDir, { recursive: true, force: true });
  }

  /** Gives a guest its limits and its function. */
  async #dress(guest: WarmGuest, request: LaunchRequest): Promise<Instance> {
    guest.cage.limit(request.limits);
    const placed = await guest.place({
      artefactDir: request.artefactDir,
      storeFile: request.storeFile,
    });
    const { handle, cage } = guest;
    const instance: Instance = new Instance({
      handle,
      cage,
      placed,
      onGone: async () => {
        this.#instances.delete(instance);
        await guest.cleanUp();
      },
    });
    this.#instances.add(instance);
    return instance;
  }

  async #takeGuest(request: LaunchRequest): Promise<WarmGuest> {
    const start = this.#startFor(request);
    return this.#pool(request, start).take() ?? (await start());
  }

  #startFor(request: LaunchRequest): () => Promise<WarmGuest> {
    if (request.isolation === "sandbox") {
      const sandboxes = this.#sandboxes;
      assert(sandboxes !== undefined, "launch() checks that the isolation exists");
      const { kind, network } = request;
      const { tmpBytes } = request.limits;
      return () => sandboxes.start({ kind, network, tmpBytes });
    }
    return request.kind === "python"
      ? () => this.#processes.forkPython()
      : () => this.#processes.startNode();
  }

  #pool(request: LaunchRequest, start: () => Promise<WarmGuest>): WarmPool<WarmGuest> {
    const key = poolKey(request);
    const existing = this.#pools.get(key);
    if (existing !== undefined) return existing;
    const sizeMax =
      request.isolation === "sandbox" ? Math.min(1, this.#warm.sizeMax) : this.#warm.sizeMax;
    const pool = new WarmPool<WarmGuest>({
      ...this.#warm,
      sizeMax,
      start,
      isAlive: (guest) => !guest.handle.hasEnded,
      stop: stopGuest,
      onStartFailed: (cause) =>
        this.#host.logger.warn({ pool: key, cause: String(cause) }, "no warm process"),
    });
    this.#pools.set(key, pool);
    return pool;
  }

  #check({ isolation, kind }: LaunchRequest): void {
    const { isolations, sandboxMissing, kinds } = this.report;
    if (!isolations.includes(isolation)) {
      throw new EnokiError(
        "ENOKI_RUNTIME_UNAVAILABLE",
        `no ${isolation} isolation here: ${sandboxMissing ?? ""}`,
      );
    }
    const found = kinds[kind];
    if ("missing" in found) throw new EnokiError("ENOKI_RUNTIME_UNAVAILABLE", found.missing);
  }
}

/** Guests differ before they have a function only in what a sandbox fixes at its start. */
function poolKey({ isolation, kind, network, limits }: LaunchRequest): string {
  return isolation === "process"
    ? `process/${kind}`
    : `sandbox/${kind}/${network}/${limits.tmpBytes}`;
}

/** Control groups where they are writable, else a timer that looks. */
async function openKeeper(options: LauncherOptions): Promise<CageKeeper> {
  const home = options.limits === "watched" ? undefined : openCgroupHome(nodeMark(options.runDir));
  if (home === undefined) return new WatchedKeeper();
  const keeper = new CgroupKeeper(home);
  await keeper.clean();
  for (const dir of keeper.cgroups) options.guardian.addCgroup(dir);
  return keeper;
}

function kindReport(interpreter: Interpreter): { version: string } | { missing: string } {
  return "missing" in interpreter
    ? { missing: interpreter.missing }
    : { version: interpreter.version };
}
