import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GuestKind, NetworkAccess } from "../ports/runtime.js";
import { bubblewrapArguments, FUNCTION_DIR, type SandboxMode } from "./bubblewrap.js";
import {
  interpreterPath,
  makePrivateDir,
  nextGuestName,
  removeDir,
  type GuestHost,
  type WarmGuest,
} from "./guest-host.js";
import { nodeMark } from "./cgroup-location.js";
import { MARKER_NAME, sandboxEnvironment } from "./environment.js";
import { readProcesses, trySignal } from "./process-table.js";
import {
  nodeMainInside,
  PYTHON_GUEST_DIR,
  visibleFiles,
  writeAccounts,
  type VisibleFiles,
} from "./sandbox-plan.js";
import { seccompFilter } from "./seccomp.js";
import { placeArtefact, placeStore } from "./slots.js";
import { spawnGuest, type ProcessHandle } from "./spawned-process.js";

/** Bubblewrap reads the filter here; the guest never sees it. */
const SECCOMP_FD = 4;

/** Beside `code` and `deps` of the artefact. */
const STORE_NAME = "store.mdb";

/** Which sandbox to start; one that waits for a function of any name. */
export interface SandboxRequest {
  readonly kind: GuestKind;
  readonly network: NetworkAccess;
  readonly tmpBytes: number;
}

/** What the probe has found out. */
export interface SandboxProgram {
  readonly path: string;
  readonly mode: SandboxMode;
}

/** Starts guests inside bubblewrap, each with an empty folder that its function will appear in. */
export class SandboxStarter {
  readonly #host: GuestHost;
  readonly #program: SandboxProgram;
  readonly #files: VisibleFiles;
  readonly #accountsDir: string;
  readonly #filterPath: string | undefined;

  constructor(host: GuestHost, program: SandboxProgram) {
    this.#host = host;
    this.#program = program;
    this.#files = visibleFiles(host);
    this.#accountsDir = writeAccounts(host);
    const filter = seccompFilter();
    if (filter === undefined) return;
    this.#filterPath = join(host.runDir, "seccomp");
    writeFileSync(this.#filterPath, filter, { mode: 0o600 });
  }

  /** Starts a guest that waits for its function. */
  async start(request: SandboxRequest): Promise<WarmGuest> {
    const host = this.#host;
    const name = nextGuestName(request.kind);
    const slotDir = makePrivateDir(host, "slots", name);
    // why: nobody looks into it from inside; the folder above keeps everybody else out.
    const functionDir = join(slotDir, "function");
    mkdirSync(functionDir, { mode: 0o755 });
    const cage = host.keeper.create(name);
    const handle = await this.#spawn(request, functionDir, cage.joinFiles);
    await cage.attach(handle.pid);
    return {
      handle: new SandboxedProcess(handle),
      cage,
      place: async ({ artefactDir, storeFile }) => {
        await placeArtefact(artefactDir, functionDir);
        const isShown =
          storeFile !== undefined && placeStore(storeFile, join(functionDir, STORE_NAME));
        return {
          artefactDir: FUNCTION_DIR,
          storeFile: isShown ? join(FUNCTION_DIR, STORE_NAME) : undefined,
        };
      },
      cleanUp: async () => {
        host.guardian.remove(handle.pid);
        await removeDir(slotDir);
      },
    };
  }

  async #spawn(
    request: SandboxRequest,
    functionDir: string,
    joinFiles: readonly string[],
  ): Promise<ProcessHandle> {
    const pythonGuest = request.kind === "python" ? await this.#host.pythonGuestDir() : undefined;
    const seccompFd = this.#filterPath === undefined ? undefined : openSync(this.#filterPath, "r");
    const { readOnly, rootLinks } = this.#files;
    const mark = { [MARKER_NAME]: nodeMark(this.#host.runDir) };
    const interpreter = interpreterPath(this.#host, request.kind);
    const env = { ...sandboxEnvironment(process.env, "/tmp", interpreter), ...mark };
    const args = bubblewrapArguments({
      ...this.#program,
      ...request,
      functionDir,
      rootLinks,
      readOnly:
        pythonGuest === undefined
          ? readOnly
          : new Map([...readOnly, [PYTHON_GUEST_DIR, pythonGuest]]),
      accountsDir: this.#accountsDir,
      env,
      seccompFd: seccompFd === undefined ? undefined : SECCOMP_FD,
      command: this.#command(request.kind),
    });
    try {
      return await spawnGuest({
        command: this.#program.path,
        args,
        env,
        cwd: "/",
        joinFiles,
        guardian: this.#host.guardian,
        ...(seccompFd === undefined ? {} : { extraFd: seccompFd }),
      });
    } finally {
      if (seccompFd !== undefined) closeSync(seccompFd);
    }
  }

  #command(kind: GuestKind): string[] {
    const interpreter = interpreterPath(this.#host, kind);
    if (kind === "node") return [interpreter, nodeMainInside(this.#host)];
    return [interpreter, "-I", "-S", "-B", join(PYTHON_GUEST_DIR, "main.py"), "--fd", "3"];
  }
}

/** A guest with bubblewrap around it: `pid` is bubblewrap's, and the guest is two below. */
class SandboxedProcess implements ProcessHandle {
  readonly pid: number;
  readonly channel: ProcessHandle["channel"];
  readonly stdout: ProcessHandle["stdout"];
  readonly stderr: ProcessHandle["stderr"];
  readonly ended: ProcessHandle["ended"];
  readonly #outer: ProcessHandle;

  constructor(outer: ProcessHandle) {
    this.#outer = outer;
    this.pid = outer.pid;
    this.channel = outer.channel;
    this.stdout = outer.stdout;
    this.stderr = outer.stderr;
    this.ended = outer.ended;
  }

  get hasEnded(): boolean {
    return this.#outer.hasEnded;
  }

  terminate(): void {
    // why: bubblewrap itself would end everything at once. The first process inside leads the
    // guest's process group, and does not heed the signal.
    for (const row of readProcesses()) if (row.parent === this.pid) trySignal(-row.pid, "SIGTERM");
  }

  kill(): void {
    // The first process of the inside dies with bubblewrap, and all others with that one.
    this.#outer.kill();
  }
}
