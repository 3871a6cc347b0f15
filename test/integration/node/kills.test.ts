import { Agent } from "node:http";
import { afterEach, describe, expect, it } from "vitest";

import { createPrng, type Prng } from "../../../src/base/prng.js";
import { send, until, zipFiles } from "../../helpers/node-calls.js";
import { Nursery, type ChildNode } from "./child-node.js";

const KILLS_PER_LANE = 100;
const WRITERS = 4;
const CALLERS = 2;
const SENDERS = 2;
/** Invocations that one node accepts before it is killed: more could not be delivered in between. */
const SENDS_PER_NODE_MAX = 12;

/** Writes what it is told, and counts each asynchronous invocation exactly once. */
const NODE = `
import { kv } from "enoki";
export async function call(key, ctx) {
  if (key.startsWith("call-")) return kv.set(key, key);
  await kv.batch().increment("total").set(key, key).once(ctx.idempotencyKey).commit();
}`;

/** The same in Python, whose instances are given calls ahead. */
const PYTHON = `
import kv
def call(key: str, ctx):
    if key.startswith("call-"):
        return kv.set(key, key)
    kv.batch().increment("total").set(key, key).once(ctx.idempotency_key).commit()
`;

const FUNCTIONS = [{ "index.mjs": NODE }, { "fn.py": PYTHON }];

const nursery = new Nursery();
afterEach(() => nursery.remove());

describe("a node that is killed under load at points drawn by seed", () => {
  it(
    "keeps every acknowledged write and delivers every accepted invocation exactly once in effect, over 200 kills",
    { timeout: 900_000 },
    async () => {
      const lanes = FUNCTIONS.map((files, seed) => new Lane(seed, files).run());
      // A lane that fails must not leave the other one at work behind.
      await Promise.allSettled(lanes);
      for (const acknowledged of await Promise.all(lanes)) {
        expect(acknowledged.writes).toBeGreaterThan(KILLS_PER_LANE);
        expect(acknowledged.calls).toBeGreaterThan(KILLS_PER_LANE / 10);
        expect(acknowledged.sends).toBeGreaterThan(KILLS_PER_LANE / 2);
      }
    },
  );
});

type Kind = "writes" | "calls" | "sends";

/** One data directory and the nodes that die on it, one after the other. */
class Lane {
  readonly #files: Readonly<Record<string, string>>;
  readonly #prng: Prng;
  readonly #acknowledged: Record<Kind, Set<string>> = {
    writes: new Set(),
    calls: new Set(),
    sends: new Set(),
  };
  /** Ids of accepted invocations. */
  readonly #accepted: string[] = [];
  readonly #name: string;

  constructor(seed: number, files: Readonly<Record<string, string>>) {
    this.#files = files;
    this.#prng = createPrng(seed);
    this.#name = `lane ${seed}`;
  }

  /** Returns how much was acknowledged of each kind. */
  async run(): Promise<Record<Kind, number>> {
    const dataDir = await nursery.dir();
    const start = (): Promise<ChildNode> =>
      nursery.start(dataDir, { args: ["--isolation", "process"] });
    let node = await start();
    await node.client.functions.deploy("fn", zipFiles(this.#files));
    for (let kill = 1; kill <= KILLS_PER_LANE; kill++) {
      await this.#loadAndKill(node, kill);
      node = await start();
      await this.#checkWrites(node, kill);
    }
    await this.#checkAll(node);
    await this.#checkDeliveries(node);
    const { writes, calls, sends } = this.#acknowledged;
    return { writes: writes.size, calls: calls.size, sends: sends.size };
  }

  async #loadAndKill(node: ChildNode, kill: number): Promise<void> {
    const kind = this.#prng.pick<Kind>(["writes", "writes", "writes", "sends", "calls"]);
    const most = { writes: 200, calls: 30, sends: SENDS_PER_NODE_MAX }[kind];
    let left = 1 + this.#prng.below(this.#prng.below(3) === 0 ? 3 : most);
    const agent = new Agent({ keepAlive: true });
    const lane = { isOver: false };
    const acknowledge = (of: Kind, key: string): void => {
      // What arrives after the kill was acknowledged too.
      this.#acknowledged[of].add(key);
      if (of !== kind || --left !== 0) return;
      lane.isOver = true;
      node.process.kill("SIGKILL");
    };
    const work = (of: Kind, worker: number, most: number): Promise<void> =>
      this.#work(node, agent, lane, of, `${kill}-${worker}`, most, acknowledge);
    await Promise.all([
      ...Array.from({ length: WRITERS }, (_, worker) => work("writes", worker, Infinity)),
      ...Array.from({ length: CALLERS }, (_, worker) => work("calls", worker, Infinity)),
      ...Array.from({ length: SENDERS }, (_, worker) =>
        work("sends", worker, SENDS_PER_NODE_MAX / SENDERS),
      ),
    ]);
    const { signal } = await node.ended;
    expect(signal, `${this.#name}: the node ended by itself before kill ${kill}`).toBe("SIGKILL");
    agent.destroy();
  }

  /** Asks for one thing after the other until the node is gone. */
  async #work(
    node: ChildNode,
    agent: Agent,
    lane: { readonly isOver: boolean },
    kind: Kind,
    name: string,
    most: number,
    acknowledge: (kind: Kind, key: string) => void,
  ): Promise<void> {
    for (let number = 0; number < most && !lane.isOver; number++) {
      const key = `${kind.slice(0, -1)}-${name}-${number}`;
      const headers = { "content-type": "text/plain" };
      const answer = await (
        kind === "writes"
          ? send(node.adminUrl, `/v1/keygroups/fn/keys/${key}`, {
              method: "PUT",
              agent,
              headers,
              body: key,
            })
          : send(node.functionsUrl, "/fn", {
              agent,
              headers: { ...headers, ...(kind === "sends" ? { prefer: "respond-async" } : {}) },
              body: key,
            })
      ).catch(() => undefined);
      // No answer: the node has been killed.
      if (answer === undefined) return;
      expect(answer.status, `${this.#name}, ${key}: ${answer.text}`).toBeLessThan(300);
      if (kind === "sends") this.#accepted.push(String(answer.headers.location?.split("/").at(-1)));
      acknowledge(kind, key);
    }
  }

  /** What was acknowledged while the last node ran is there, and each value belongs to its key. */
  async #checkWrites(node: ChildNode, kill: number): Promise<void> {
    const found = new Set<string>();
    for (const kind of ["write", "call"]) {
      for await (const [key, value] of node.client.kv("fn").scan({ prefix: `${kind}-${kill}-` })) {
        expect(value, `${this.#name}, kill ${kill}`).toBe(key);
        found.add(key);
      }
    }
    const { writes, calls } = this.#acknowledged;
    const missing = [...writes, ...calls].filter(
      (key) => key.split("-")[1] === `${kill}` && !found.has(key),
    );
    expect(missing, `${this.#name}, kill ${kill}`).toEqual([]);
  }

  /** What earlier nodes acknowledged is still there after all the kills that followed. */
  async #checkAll(node: ChildNode): Promise<void> {
    const { writes, calls } = this.#acknowledged;
    const missing = new Set([...writes, ...calls]);
    for await (const key of node.client.kv("fn").keys()) missing.delete(key);
    expect([...missing], this.#name).toEqual([]);
  }

  async #checkDeliveries(node: ChildNode): Promise<void> {
    for (const id of this.#accepted) {
      await until(`${this.#name}: ${id} is delivered`, async () => {
        return (await node.client.result(id))?.status === 200;
      });
    }
    const kv = node.client.kv("fn");
    let effects = 0;
    const delivered = new Set<string>();
    for await (const [key] of kv.scan({ prefix: "send-" })) {
      delivered.add(key);
      effects++;
    }
    expect([...this.#acknowledged.sends].filter((key) => !delivered.has(key))).toEqual([]);
    expect(await kv.get("total")).toBe(effects);
  }
}
