import { Agent } from "node:http";

import { send, until } from "../node-calls.js";
import type { ClusterNode } from "../running-cluster.js";
import type { Dump } from "./dumps.js";

/** Writes what it is told to, as one commit. */
export const WORK_FILES = {
  "index.js": `import { kv } from "enoki";
export async function call({ set, remove }) {
  const batch = kv.batch();
  for (const [key, value] of Object.entries(set)) batch.set(key, value);
  for (const key of remove) batch.delete(key);
  await batch.commit();
  return "";
}
`,
};

/** Keys that all writers write, each without a look at what the others did. */
const SHARED_KEYS = 10;
/** Between two writes of one client: it is not the machine's speed that is looked at. */
const PAUSE_MS = 4;

/** `none`: it did not take place; `unknown`: nobody can say. */
type Outcome = "done" | "none" | "unknown";

/** What must be found: the last acknowledged value, or what an unanswered write may have left. */
interface Known {
  value: string | undefined;
  readonly maybe: (string | undefined)[];
}

/**
 * A client of the function `work` on one node, which writes on and on and remembers every acknowledgement.
 * Each commit sets a key of its own and one that all share, and now and then deletes an older one. While
 * its node is away it tries on.
 */
export class Writer {
  readonly name: string;
  readonly #nodeOf: () => ClusterNode;
  readonly #known = new Map<string, Known>();
  readonly #agent = new Agent({ keepAlive: true });
  #running: Promise<void> | undefined;
  #isStopped = false;
  #lastMs = performance.now();
  /** Commits that were acknowledged, and those of which nobody knows. */
  acknowledged = 0;
  uncertain = 0;
  /** The longest time from one acknowledgement to the next. */
  longestWaitMs = 0;

  /** `nodeOf` is asked before each write: the node may be another process by then. */
  constructor(name: string, nodeOf: () => ClusterNode) {
    this.name = name;
    this.#nodeOf = nodeOf;
  }

  start(): this {
    this.#running = this.#run();
    return this;
  }

  /** Resolves once the last write is answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    this.#agent.destroy();
  }

  /** Resolves once so many more commits are acknowledged. */
  async more(commits: number): Promise<void> {
    const goal = this.acknowledged + commits;
    await until(`${this.name} writes on`, () => this.acknowledged >= goal, 60_000);
  }

  /** Keys that do not show what was acknowledged. */
  lostIn(dump: Dump): string[] {
    return [...this.#known].flatMap(([key, { value, maybe }]) => {
      const found = dump.values.get(key);
      if (found === value || maybe.includes(found)) return [];
      return [`${key}: ${found ?? "missing"} instead of ${value ?? "deleted"}`];
    });
  }

  async #run(): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      const own = `${this.name}-${count}`;
      const set = { [own]: `${count}`, [`shared-${count % SHARED_KEYS}`]: own };
      const remove = count % 4 === 3 ? [`${this.name}-${count - 3}`] : [];
      const outcome = await this.#write({ set, remove });
      this.#note(own, `${count}`, outcome);
      for (const key of remove) this.#note(key, undefined, outcome);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #write(commit: object): Promise<Outcome> {
    const status = await send(this.#nodeOf().functionsUrl, "/work", {
      body: JSON.stringify(commit),
      headers: { "content-type": "application/json" },
      agent: this.#agent,
    }).then(
      (answer) => answer.status,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (status === "ECONNREFUSED") return "none";
    if (status !== 200) {
      this.uncertain += 1;
      return "unknown";
    }
    this.acknowledged += 1;
    const nowMs = performance.now();
    this.longestWaitMs = Math.max(this.longestWaitMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    return "done";
  }

  #note(key: string, value: string | undefined, outcome: Outcome): void {
    const known = this.#known.get(key);
    if (outcome === "none") return;
    if (outcome === "done") this.#known.set(key, { value, maybe: [] });
    else if (known) known.maybe.push(value);
    else this.#known.set(key, { value: undefined, maybe: [value] });
  }
}
