import { createPrng, type Prng } from "../../src/base/prng.js";
import { formatDot, parseDot } from "../../src/core/dot.js";
import type { FunctionName, NodeName } from "../../src/core/ids.js";
import { ROW_PREFIX } from "../../src/core/rows.js";
import type { Vector } from "../../src/core/vector.js";
import { TAG } from "../../src/core/value.js";
import type { Keygroup } from "../../src/keygroups/keygroup.js";
import { silentLogger } from "../../src/ports/logger.js";
import type { Timers } from "../../src/ports/timers.js";
import { SimNaming } from "../../src/sim/cluster/naming.js";
import { Network } from "../../src/sim/cluster/network.js";
import { UNWATCHED, type Downfall, type Reacting } from "../../src/sim/cluster/node-parts.js";
import { SimNode } from "../../src/sim/cluster/node.js";
import { KEYGROUP } from "../../src/sim/cluster/process.js";
import { VirtualTime } from "../../src/sim/cluster/virtual-time.js";
import { drawPlan } from "../../src/sim/plan.js";
import { chosenNode } from "../../src/triggers/chosen-node.js";
import { DataTriggers } from "../../src/triggers/data/data-triggers.js";
import type { EventOutbox, ReplicaEvent } from "../../src/triggers/data/replica-trigger.js";
import { TriggerBook } from "../../src/triggers/trigger-book.js";

/** An event that a function has handled. */
export interface Handled {
  readonly node: NodeName;
  /** Rises with each start of the node or of its replica. */
  readonly run: number;
  readonly key: string;
  readonly version: string;
  readonly value: string | undefined;
  readonly old: string | undefined;
  readonly depth: number;
}

const CALLS = { start: Buffer.of(ROW_PREFIX.local, 0x71), end: Buffer.of(ROW_PREFIX.local, 0x72) };
const FUNCTION = "alarm" as FunctionName;

/** Simulated nodes with one keygroup, one trigger on it, and outboxes that survive what disks survive. */
export class SimulatedTriggers {
  readonly time = new VirtualTime();
  readonly random: Prng;
  readonly network: Network;
  readonly nodes: SimNode[] = [];
  readonly handled: Handled[] = [];
  /** By the version of each set that was acknowledged: what its node had when it wrote. */
  readonly seenBy = new Map<string, Vector>();
  readonly naming: SimNaming;
  /** How long a function takes. */
  callMs = 20;
  readonly #at: "every" | "one";
  readonly #book = new TriggerBook();
  #lastId = 0;
  #runs = 0;

  constructor(seed: number, names: readonly string[], at: "every" | "one") {
    this.random = createPrng(seed);
    this.#at = at;
    const { time, random } = this;
    const calm = { lossRate: 0, duplicateRate: 0, reorderRate: 0, keepaliveMs: 300 };
    const { backlogBytesMax } = drawPlan(1).network;
    const delays = { delayMinMs: 5, delayMaxMs: 30 };
    this.network = new Network(
      { mode: "links", ...delays, ...calm, backlogBytesMax, isLinked: () => true },
      { time, random: createPrng(seed + 1), events: { happened: () => {}, delivered: () => {} } },
    );
    this.naming = new SimNaming(names[0] as NodeName, { time, random });
    this.deploy();
    // What triggers wait for are promises, which any event may settle.
    void time.within(new Promise(() => {}), Number.MAX_SAFE_INTEGER, true);
    for (const [index, name] of (names as readonly NodeName[]).entries()) {
      this.network.addNode(name);
      const node = new SimNode({
        index,
        name,
        time,
        random,
        network: this.network,
        naming: this.naming,
        config: { policy: "lww", durability: "relaxed", ttlMs: 0 },
        timing: {},
        skewMs: 0,
        stagedBytesMax: 1_000_000,
        events: UNWATCHED,
        faulty: {},
        reacting: (opening) => this.#reacting(opening),
      });
      this.nodes.push(node);
      node.start();
    }
  }

  /** All nodes become members and catch up. */
  async begin(): Promise<void> {
    this.naming.publish();
    for (const { name } of this.nodes.slice(1)) this.naming.join(name);
    await this.run(3000);
  }

  deploy(): void {
    const triggers = [{ on: `keygroup:${KEYGROUP}`, at: this.#at }];
    this.#book.set(FUNCTION, [{ triggers, deployedAtMs: 0 }]);
  }

  undeploy(): void {
    this.#book.set(FUNCTION, []);
  }

  async run(ms: number): Promise<void> {
    await this.time.run(this.time.nowMs + ms);
  }

  write(node: SimNode, key: string, value: string | undefined, depth = 0): void {
    const bytes = Buffer.from(value ?? "");
    const seen = node.serving?.replica.vector.clone();
    node.serving?.submit(
      {
        writes: [
          value === undefined
            ? { op: "delete", key }
            : { op: "set", key, value: { tag: TAG.str, bytes } },
        ],
        ...(depth > 0 && { origin: { depth, headers: "" } }),
      },
      ({ results: [written] }) => {
        const dot = parseDot(written?.version ?? "");
        if (!seen || !dot) return;
        // Of its own, a member has seen all that was before, be it in the same turn.
        seen.raise({ ...dot, counter: dot.counter - 1 });
        this.seenBy.set(formatDot(dot), seen);
      },
      () => {},
    );
  }

  crash(node: SimNode, how: Downfall): void {
    if (node.isUp) node.crash(how);
  }

  /** The node that tells for all now. */
  chosen(id: string): NodeName | undefined {
    const members = new Set(this.naming.record.members.map(({ node }) => node));
    const there = this.nodes.filter(({ isUp, name }) => isUp && members.has(name));
    return chosenNode(
      id,
      there.map(({ name }) => name),
    );
  }

  get triggerId(): string {
    return this.#book.all()[0]?.id ?? "";
  }

  #reacting(opening: {
    readonly node: SimNode;
    readonly timers: Timers;
    readonly isAlive: () => boolean;
  }): Reacting {
    const { node, timers, isAlive } = opening;
    const run = ++this.#runs;
    let keygroup: Keygroup | undefined;
    const outbox = new SimOutbox({
      timers,
      isAlive,
      keygroup: () => keygroup as Keygroup,
      nextId: () => String(++this.#lastId).padStart(8, "0"),
      callMs: () => this.random.next() * this.callMs,
      handle: ({ key, version, value, old, depth }) => {
        this.handled.push({ node: node.name, run, key, version, value, old, depth });
      },
    });
    const triggers = new DataTriggers({
      book: this.#book,
      node: node.name,
      keygroups: () => (keygroup && isAlive() && node.serving === keygroup ? [keygroup] : []),
      mayListen: () => true,
      isChosen: ({ id }) => this.chosen(id) === node.name,
      prepare: () => ({ writes: [], committed: () => {} }),
      outbox,
      clock: node.clock,
      timers,
      logger: silentLogger,
    });
    return {
      reactions: () => (isAlive() ? triggers.reactionsOf(KEYGROUP) : undefined),
      opened: (opened) => {
        keygroup = opened;
        outbox.open();
        triggers.open();
      },
    };
  }
}

interface StoredCall {
  readonly key: string;
  readonly version: string;
  readonly value: string | undefined;
  readonly old: string | undefined;
  readonly depth: number;
}

interface SimOutboxOptions {
  readonly timers: Timers;
  readonly isAlive: () => boolean;
  readonly keygroup: () => Keygroup;
  readonly nextId: () => string;
  readonly callMs: () => number;
  readonly handle: (call: StoredCall) => void;
}

/** Calls in the keygroup's store, made one after the other and then dropped. */
class SimOutbox implements EventOutbox {
  readonly #options: SimOutboxOptions;
  readonly #waiting = new Map<string, { call: StoredCall; ended: (() => void) | undefined }>();
  #isRunning = false;

  constructor(options: SimOutboxOptions) {
    this.#options = options;
  }

  open(): void {
    for (const { key, value } of this.#options.keygroup().rows.range(CALLS)) {
      const call = JSON.parse(Buffer.from(value).toString()) as StoredCall;
      this.#waiting.set(Buffer.from(key).toString("utf8", 2), { call, ended: undefined });
    }
    this.#next();
  }

  roomFor(): number {
    return 1000;
  }

  prepare(_name: Keygroup["name"], events: readonly ReplicaEvent[]) {
    const calls = events.map(({ event, depth }) => {
      const text = (value: typeof event.old) => value && Buffer.from(value.bytes).toString("utf8");
      const { key, version, value, old } = event;
      const call = { key, version, value: text(value), old: text(old), depth };
      return { id: this.#options.nextId(), call };
    });
    return {
      ids: calls.map(({ id }) => id),
      writes: calls.map(({ id, call }) => ({
        key: rowKey(id),
        value: Buffer.from(JSON.stringify(call)),
      })),
      committed: () => {
        for (const { id, call } of calls) this.#waiting.set(id, { call, ended: undefined });
        this.#next();
      },
    };
  }

  whenEnded(id: string, ended: () => void): boolean {
    const waiting = this.#waiting.get(id);
    if (waiting) waiting.ended = ended;
    return waiting !== undefined;
  }

  #next(): void {
    const [first] = this.#waiting;
    if (this.#isRunning || !first) return;
    this.#isRunning = true;
    const [id, waiting] = first;
    const { timers, keygroup, handle, callMs } = this.#options;
    timers.after(callMs(), () => {
      handle(waiting.call);
      keygroup()
        .commitLocal(() => ({ writes: [{ key: rowKey(id), value: undefined }], value: undefined }))
        .then(
          () => {
            this.#isRunning = false;
            this.#waiting.delete(id);
            waiting.ended?.();
            this.#next();
          },
          () => {
            this.#isRunning = false;
            timers.after(50, () => this.#next());
          },
        );
    });
  }
}

function rowKey(id: string): Buffer {
  return Buffer.concat([CALLS.start, Buffer.from(id)]);
}
