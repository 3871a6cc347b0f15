import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FrameReader, FrameWriter } from "../../src/channel/frames.js";
import { FakeNode, TEST_FOLDER } from "./fake-node.js";

const MAIN = fileURLToPath(new URL("../../guest/python/main.py", import.meta.url));
const CONTROL = 0x01;

/** The interpreter itself, not a shim in front of it; `undefined` where there is no Python ≥ 3.9. */
export const PYTHON = findPython();

/** Why Python tests are skipped, for titles. */
export const PYTHON_MISSING = "needs python3 ≥ 3.9";

function findPython(): string | undefined {
  const program = "import sys; assert sys.version_info >= (3, 9); print(sys.executable)";
  try {
    return execFileSync("python3", ["-c", program], { stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}

function spawnGuest(args: readonly string[]): ChildProcess {
  return spawn(PYTHON as string, ["-I", "-S", "-B", MAIN, ...args, "--fd", "3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    env: { PATH: process.env["PATH"], TMPDIR: TEST_FOLDER },
  });
}

/** A Python instance started on its own, as in a warm pool. */
export class PythonGuest extends FakeNode {
  readonly process: ChildProcess;

  constructor() {
    const child = spawnGuest([]);
    const exited = once(child, "exit").then(([code]) => code as number | null);
    super(child.stdio[3] as Socket, exited);
    this.process = child;
  }

  /** Sends LOAD for one `main.py`. */
  loadSource(
    source: string,
    options: Readonly<Record<string, unknown>> = {},
  ): Promise<Record<string, unknown>> {
    return this.load({ "main.py": source }, { runtime: "python", ...options });
  }
}

/** What the fork server reports. */
export interface ForkReport {
  readonly event: string;
  readonly id?: number;
  readonly pid?: number;
  readonly code?: number | null;
  readonly signal?: number | null;
}

/** A real fork server whose node is the test. */
export class PythonForkServer {
  readonly process: ChildProcess;
  readonly reports: ForkReport[] = [];
  readonly exited: Promise<unknown>;
  readonly #control: Socket;
  readonly #writer: FrameWriter;
  readonly #path = join(TEST_FOLDER, `${randomUUID()}.sock`);
  readonly #listener: Server;
  readonly #tokens = new Map<string, (socket: Socket) => void>();
  #onReport: (() => void)[] = [];
  #lastId = 0;

  constructor(args: readonly string[] = []) {
    this.process = spawnGuest(["--fork-server", ...args]);
    this.exited = once(this.process, "exit");
    this.#control = this.process.stdio[3] as Socket;
    this.#control.on("error", () => {});
    this.#writer = new FrameWriter(this.#control);
    const reader = new FrameReader();
    this.#control.on("data", (chunk: Buffer) => {
      reader.push(chunk, (_type, _id, payload) =>
        this.reports.push(JSON.parse(payload.toString()) as ForkReport),
      );
      for (const check of this.#onReport) check();
    });
    this.#listener = createServer((socket) => {
      socket.once("readable", () => {
        const line = (socket.read() as Buffer).toString();
        this.#tokens.get(line.slice(0, -1))?.(socket);
      });
    });
    this.#listener.listen(this.#path);
  }

  /** Forks an instance; `exited` of its node resolves with the reported exit code. */
  async fork(): Promise<{ node: FakeNode; pid: number }> {
    const id = ++this.#lastId;
    const token = randomUUID();
    const connected = new Promise<Socket>((resolve) => this.#tokens.set(token, resolve));
    this.send({ op: "fork", id, socket: this.#path, token });
    const forked = await this.report((report) => report.event === "forked" && report.id === id);
    const pid = forked.pid as number;
    const exited = this.report((report) => report.event === "exited" && report.pid === pid);
    return {
      node: new FakeNode(
        await connected,
        exited.then(({ code }) => code ?? null),
      ),
      pid,
    };
  }

  send(message: object): void {
    this.#writer.frame(CONTROL, 0, JSON.stringify(message));
  }

  /** Resolves with the first report, past or future, that matches. */
  report(matches: (report: ForkReport) => boolean): Promise<ForkReport> {
    return new Promise((resolve) => {
      const check = (): void => {
        const found = this.reports.find(matches);
        if (!found) return;
        this.#onReport = this.#onReport.filter((other) => other !== check);
        resolve(found);
      };
      this.#onReport.push(check);
      check();
    });
  }

  /** Closes the control channel, as the end of the node does. */
  async close(): Promise<void> {
    this.#control.destroy();
    this.#listener.close();
    await this.exited;
    rmSync(this.#path, { force: true });
  }
}
