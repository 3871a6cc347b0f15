import type { Prng } from "../base/prng.js";
import { EnokiError } from "../core/errors.js";
import { utf8Bytes } from "../core/text.js";
import { TAG } from "../core/value.js";
import { Vector } from "../core/vector.js";
import type { WriteOperation, WriteRequest } from "../keygroups/types.js";
import type { Checker } from "./checker.js";
import type { SimNode } from "./node.js";
import type { Plan } from "./plan.js";
import type { VirtualTime } from "./virtual-time.js";

/** The keys of a run. The first letter says what is written there. */
export function keysOf(plan: Plan): string[] {
  const plain = Array.from({ length: plan.keys }, (_, at) => `k${at}`);
  return [...plain, "counter", "set", "map"];
}

/** One client: reads and writes at any node that has what it has seen. */
export class Client {
  readonly #random: Prng;
  readonly #time: VirtualTime;
  readonly #nodes: readonly SimNode[];
  readonly #checker: Checker;
  readonly #happened: (what: string) => void;
  readonly #id: number;
  readonly #keys: readonly string[];
  /** All that it has read and written. */
  #session = new Vector();
  #writes = 0;
  #isOver = false;

  constructor(parts: {
    id: number;
    random: Prng;
    time: VirtualTime;
    plan: Plan;
    nodes: readonly SimNode[];
    checker: Checker;
    happened: (what: string) => void;
  }) {
    this.#id = parts.id;
    this.#random = parts.random;
    this.#time = parts.time;
    this.#nodes = parts.nodes;
    this.#checker = parts.checker;
    this.#happened = parts.happened;
    this.#keys = keysOf(parts.plan);
    this.#later();
  }

  /** Does no more. */
  stop(): void {
    this.#isOver = true;
  }

  #later(): void {
    this.#time.after(5 + this.#random.next() * 55, () => {
      if (this.#isOver) return;
      this.#act(this.#random.pick(this.#nodes));
      this.#later();
    });
  }

  #act(node: SimNode): void {
    const { keygroup } = node;
    if (!node.isUp || !keygroup || !node.isServing) return;
    if (!keygroup.replica.vector.includes(this.#session)) {
      this.#happened("session.waits");
      // What it has seen may be gone for good: then it begins anew.
      if (this.#random.next() < 0.05) this.#session = new Vector();
      return;
    }
    const key = this.#random.pick(this.#keys);
    const entry = keygroup.entry(key);
    this.#happened("client.read");
    this.#checker.read(node, utf8Bytes(key), entry?.version);
    const { replicator } = node;
    if (replicator) this.#checker.bounded(node, replicator.stalenessMs());
    this.#session.join(keygroup.replica.vector);
    if (this.#random.next() < 0.4) return;
    this.#write(node, key, entry?.version ?? null);
  }

  #write(node: SimNode, key: string, version: string | null): void {
    const { keygroup } = node;
    if (!keygroup) return;
    const writer = this.#writerId();
    const isConditional = this.#random.next() < 0.2;
    const writes = [this.#operation(key)];
    if (this.#random.next() < 0.2) writes.push(this.#operation(this.#random.pick(this.#keys)));
    const request: WriteRequest = {
      writes,
      writer,
      ...(isConditional && { checks: [{ key, version }] }),
    };
    keygroup.submit(
      request,
      () => {
        this.#happened("client.write");
        const ghost = this.#checker.acknowledged(node, writer);
        if (ghost) this.#session.raise(ghost.update.dot);
        if (node.keygroup === keygroup) this.#session.join(keygroup.replica.vector);
      },
      (error) => {
        if (!(error instanceof EnokiError)) throw error;
        this.#happened(`refused.${error.code}`);
      },
    );
  }

  #operation(key: string): WriteOperation {
    const random = this.#random;
    const number = random.below(1000);
    const kind = random.next();
    if (key === "counter" && kind < 0.8) return { op: "counter.add", key, n: number - 500 };
    const member = `m${number % 4}`;
    if (key === "set" && kind < 0.8) {
      return { op: kind < 0.5 ? "set.add" : "set.remove", key, member };
    }
    if (key === "map" && kind < 0.3) return { op: "map.set", key, field: member, value: number };
    if (key === "map" && kind < 0.6) return { op: "map.add", key, field: `n${number % 2}`, n: 1 };
    if (key === "map" && kind < 0.8) return { op: "map.remove", key, field: member };
    if (kind < 0.3) return { op: "delete", key };
    const value = { tag: TAG.str, bytes: utf8Bytes(`${this.#id}.${this.#writes}.${number}`) };
    const ttlMs = random.next() < 0.2 ? 20 + random.below(500) : 0;
    return { op: "set", key, value, ttlMs };
  }

  #writerId(): Uint8Array {
    this.#writes += 1;
    const writer = new Uint8Array(16);
    writer[0] = this.#id;
    new DataView(writer.buffer).setUint32(1, this.#writes);
    return writer;
  }
}
