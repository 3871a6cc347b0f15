import { join } from "node:path";
import { nodeMark } from "./cgroup-location.js";
import { guestEnvironment, MARKER_NAME } from "./environment.js";
import { ForkServer } from "./fork-server.js";
import {
  interpreterPath,
  makePrivateDir,
  nextGuestName,
  removeDir,
  type GuestHost,
  type WarmGuest,
} from "./guest-host.js";
import { spawnGuest, type ProcessHandle } from "./spawned-process.js";

/** Descriptor of the channel in every guest. */
const CHANNEL_FD = "3";

/** Starts guests that are trusted: plain processes of the node's own user. */
export class ProcessStarter {
  readonly #host: GuestHost;
  #forkServer: Promise<ForkServer> | undefined;

  constructor(host: GuestHost) {
    this.#host = host;
  }

  /** Starts a Node process that waits for its function. */
  async startNode(): Promise<WarmGuest> {
    const host = this.#host;
    const name = nextGuestName("node");
    const tmpDir = makePrivateDir(host, "tmp", name);
    const cage = host.keeper.create(name);
    const handle = await spawnGuest({
      command: interpreterPath(host, "node"),
      args: [host.guests.nodeMain],
      env: { ...guestEnvironment(process.env, tmpDir), [MARKER_NAME]: nodeMark(host.runDir) },
      cwd: tmpDir,
      joinFiles: cage.joinFiles,
      guardian: host.guardian,
    });
    await cage.attach(handle.pid);
    const cleanUp = async (): Promise<void> => {
      host.guardian.remove(handle.pid);
      await removeDir(tmpDir);
    };
    return { handle, cage, place: (placed) => Promise.resolve(placed), cleanUp };
  }

  /** Forks a Python process from the fork server, which the first call starts. */
  async forkPython(): Promise<WarmGuest> {
    const server = await this.#server();
    const handle = await server.fork();
    const cage = this.#host.keeper.create(nextGuestName("python"));
    await cage.attach(handle.pid);
    return {
      handle,
      cage,
      place: (placed) => Promise.resolve(placed),
      cleanUp: () => Promise.resolve(),
    };
  }

  /** Ends the fork server and its children. */
  async close(): Promise<void> {
    const starting = this.#forkServer;
    this.#forkServer = undefined;
    if (starting !== undefined) await starting.then((server) => server.close()).catch(() => {});
  }

  async #server(): Promise<ForkServer> {
    this.#forkServer ??= this.#startServer();
    const server = await this.#forkServer.catch((error: unknown) => {
      this.#forkServer = undefined;
      throw error;
    });
    if (server.isRunning) return server;
    this.#forkServer = undefined;
    return await this.#server();
  }

  async #startServer(): Promise<ForkServer> {
    const host = this.#host;
    const name = nextGuestName("python");
    const tmpDir = makePrivateDir(host, "tmp", name);
    const cage = host.keeper.create(name);
    const main = join(await host.pythonGuestDir(), "main.py");
    const handle = await spawnGuest({
      command: interpreterPath(host, "python"),
      args: ["-I", "-S", "-B", main, "--fork-server", "--fd", CHANNEL_FD],
      env: { ...guestEnvironment(process.env, tmpDir), [MARKER_NAME]: nodeMark(host.runDir) },
      cwd: tmpDir,
      joinFiles: cage.joinFiles,
      guardian: host.guardian,
    });
    await cage.attach(handle.pid);
    this.#drain(handle);
    void handle.ended.then(async () => {
      host.guardian.remove(handle.pid);
      await cage.destroy();
      await removeDir(tmpDir);
    });
    return new ForkServer({ handle, runDir: host.runDir, guardian: host.guardian });
  }

  /** What the server or a child says outside a call has no function to belong to. */
  #drain(handle: ProcessHandle): void {
    for (const stream of [handle.stdout, handle.stderr]) {
      stream?.on("data", (text: Buffer) => {
        this.#host.logger.info(
          { output: text.toString().trimEnd() },
          "output of the Python fork server",
        );
      });
    }
  }
}
