import { fileURLToPath } from "node:url";

import type { Resources, Server } from "../../bench/resources.js";
import type { TestbedLinks } from "./places.js";

const PROCESS = fileURLToPath(new URL("emulator-process.js", import.meta.url));

/** What the process of the emulated network is told, a line of JSON each; it answers each with a number. */
export type Command =
  | { readonly op: "settle"; readonly pid: number; readonly place: string }
  | { readonly op: "openTo"; readonly place: string; readonly target: number }
  | {
      readonly op: "openBetween";
      readonly from: string;
      readonly to: string;
      readonly target: number;
    }
  | { readonly op: "cut" | "mend"; readonly left: string; readonly right: string };

/** The emulated network of a testbed, which runs in a process of its own. */
export class Emulator {
  readonly #server: Server;
  /** Who waits for an answer, in the order of the questions. */
  readonly #waiting: { resolve: (port: number) => void; reject: (error: Error) => void }[] = [];

  #hasEnded = false;

  private constructor(server: Server) {
    this.#server = server;
    server.listen(
      (line) => this.#waiting.shift()?.resolve(Number(line)),
      () => {
        this.#hasEnded = true;
        for (const { reject } of this.#waiting.splice(0)) reject(ended());
      },
    );
  }

  /** Starts it; it lives until the resources are released. `links`: those that are not as in the paper. */
  static async start(resources: Resources, links: Partial<TestbedLinks> = {}): Promise<Emulator> {
    const args = [PROCESS, JSON.stringify(links)];
    return new Emulator(await resources.startServer(process.execPath, args));
  }

  get pid(): number {
    return this.#server.pid;
  }

  /** Says where a process is, before it dials. */
  settle(pid: number, place: string): void {
    // why no failure: when the network has ended, all else that is asked of it fails.
    this.#tell({ op: "settle", pid, place }).catch(() => {});
  }

  /** Opens a port that leads to the service at port `target` of a place, for processes that were settled. */
  async openTo(place: string, target: number): Promise<number> {
    return await this.#tell({ op: "openTo", place, target });
  }

  /** Opens a port that leads from one place to a service of another, whoever dials it. */
  async openBetween(from: string, to: string, target: number): Promise<number> {
    return await this.#tell({ op: "openBetween", from, to, target });
  }

  /** Lets nothing through between two places; what is sent waits for the mending. */
  async cut(left: string, right: string): Promise<void> {
    await this.#tell({ op: "cut", left, right });
  }

  /** Undoes {@link cut}. */
  async mend(left: string, right: string): Promise<void> {
    await this.#tell({ op: "mend", left, right });
  }

  #tell(command: Command): Promise<number> {
    if (this.#hasEnded) return Promise.reject(ended());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#server.tell(JSON.stringify(command));
    });
  }
}

function ended(): Error {
  return new Error("the emulated network has ended");
}
