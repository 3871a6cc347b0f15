import { createPrng } from "../base/prng.js";
import type { OnStale } from "../channel/operations.js";
import { formatDot } from "../core/dot.js";
import { EnokiError } from "../core/errors.js";
import type { NodeName } from "../core/ids.js";
import { utf8Bytes, utf8Text } from "../core/text.js";
import { TAG } from "../core/value.js";
import type { KeygroupConfig, WriteOperation } from "../keygroups/types.js";
import { ScenarioClient, type ScenarioOperation } from "./clients/scenario-client.js";
import { SimNaming } from "./cluster/naming.js";
import { Network } from "./cluster/network.js";
import { SimNode } from "./cluster/node.js";
import { UNWATCHED, type Downfall, type SimNodeParts } from "./cluster/node-parts.js";
import { drawPlan } from "./plan.js";
import { VirtualTime } from "./cluster/virtual-time.js";
import { areLinked, type LinkShape } from "./topology.js";

/** What a bound of staleness may be over two links: two heartbeats and a round trip each. */
const FRESH_MS = 2100;
/** How long a write may take in a scenario. */
const WRITE_MS = 50;
/** A call is given up after so long: longer than anything in it waits. */
const CALL_MS = 30_000;
/** How long a read waits for fresher data, or asks around. */
const FRESH_WITHIN_MS = 500;

/**
 * A small cluster that does what the lines of a scenario say, one after the other. Lines that begin
 * with `>` are commands; the lines below one are what it answered.
 */
class Scenario {
  readonly #time = new VirtualTime();
  readonly #nodes = new Map<string, SimNode>();
  readonly #network: Network;
  readonly #clients = new Map<string, ScenarioClient>();
  #naming: SimNaming | undefined;
  #sizes: Pick<SimNodeParts, "timing" | "stagedBytesMax"> = {
    timing: {},
    stagedBytesMax: 1_000_000,
  };
  #config: KeygroupConfig = { policy: "lww", durability: "relaxed", ttlMs: 0 };

  constructor() {
    const delays = { delayMinMs: 10, delayMaxMs: 10 };
    const calm = { lossRate: 0, duplicateRate: 0, reorderRate: 0, keepaliveMs: 300 };
    const { backlogBytesMax } = drawPlan(1).network;
    this.#network = new Network(
      { mode: "links", ...delays, ...calm, backlogBytesMax, isLinked: () => true },
      {
        time: this.#time,
        random: createPrng(1),
        events: { happened: () => {}, delivered: () => {} },
      },
    );
  }

  /** Does one command and returns what it answers. */
  async run(words: readonly string[]): Promise<string | undefined> {
    const [command, ...rest] = words;
    const [first = "", second = "", third = ""] = rest;
    switch (command) {
      case "policy":
        this.#config = { ...this.#config, policy: first as "lww" };
        return undefined;
      case "durability":
        this.#config = { ...this.#config, durability: first as "relaxed" };
        return undefined;
      case "chunks": {
        const chunkBudget = { keysMax: Number(first), bytesMax: 1_000_000 };
        this.#sizes = { timing: { chunkBudget }, stagedBytesMax: Number(second) };
        return undefined;
      }
      case "links": {
        const isLinked = (...pair: [number, number]) => areLinked(first as LinkShape, ...pair);
        this.#network.plan = { ...this.#network.plan, isLinked };
        return undefined;
      }
      case "nodes":
        return this.#start(rest as NodeName[]);
      case "wait":
        await this.#time.run(this.#time.nowMs + Number(first));
        return undefined;
      case "set":
        return this.#write(first, { op: "set", key: second, value: text(third) });
      case "delete":
        return this.#write(first, { op: "delete", key: second });
      case "add":
        return this.#write(first, { op: "counter.add", key: second, n: Number(third) });
      case "get":
        return this.#get(first, second);
      case "call": {
        const client = this.#clients.get(first) ?? new ScenarioClient();
        this.#clients.set(first, client);
        const [, , op = "", key = "", value = ""] = rest;
        return this.#call(client, second, op === "set" ? { op, key, value } : { op: "get", key });
      }
      case "fresh": {
        const [, , onStale = "", key = ""] = rest;
        const within = { maxStalenessMs: Number(second), withinMs: FRESH_WITHIN_MS };
        const fresh = { ...within, onStale: onStale as OnStale };
        return this.#call(new ScenarioClient(), first, { op: "get", key, fresh });
      }
      case "kept": {
        const { replica } = this.#node(first).keygroup ?? {};
        const kept = replica?.read(this.#node(first).disk.rows, utf8Bytes(second)) ?? [];
        return kept.length === 0 ? "no row" : `${kept.length} row`;
      }
      case "vector":
        return this.#node(first)
          .keygroup?.replica.vector.entries()
          .filter(({ counter }) => counter > 0)
          .map(formatDot)
          .join(" ");
      case "staleness":
        return (this.#node(first).replicator?.stalenessMs() ?? Infinity) < FRESH_MS
          ? "fresh"
          : "stale";
      default:
        return this.#strike(command, first, second);
    }
  }

  async #strike(command = "", first: string, second: string): Promise<string | undefined> {
    const node = this.#node(first);
    const other = this.#nodes.get(second);
    switch (command) {
      case "cut":
      case "mend":
        if (!other) throw new Error(`there is no node ${second}`);
        this.#network[command](node.index, other.index);
        this.#network[command](other.index, node.index);
        return undefined;
      case "crash":
        node.crash(second as Downfall);
        return undefined;
      case "start":
        node.start();
        return undefined;
      case "join":
        this.#naming?.join(node.name);
        return undefined;
      case "remove":
        this.#naming?.remove(node.name);
        return undefined;
      case "leave": {
        const left = node.leave(Number(second));
        await this.#time.run(this.#time.nowMs + Number(second) + 100);
        return (await left) ? "left" : "stays: not everything is elsewhere";
      }
      default:
        throw new Error(`there is no command ${command}`);
    }
  }

  async #start(names: readonly NodeName[]): Promise<undefined> {
    const [time, random] = [this.#time, createPrng(2)];
    const naming = new SimNaming(names[0] as NodeName, { time, random });
    this.#naming = naming;
    const events = UNWATCHED;
    for (const [index, name] of names.entries()) {
      this.#network.addNode(name);
      const shared = { time, random, naming, events, network: this.#network, faulty: {} };
      const sizes = { ...this.#sizes, skewMs: 0 };
      const node = new SimNode({ ...shared, ...sizes, index, name, config: this.#config });
      this.#nodes.set(name, node);
      node.start();
    }
    naming.publish();
    for (const name of names.slice(1)) naming.join(name);
    await time.run(3000);
    return undefined;
  }

  async #write(name: string, operation: WriteOperation): Promise<string> {
    const { keygroup } = this.#node(name);
    if (!keygroup) return "there is no replica";
    let answer = "not acknowledged";
    keygroup.submit(
      { writes: [operation] },
      () => {
        answer = "ok";
      },
      (error) => {
        answer = error instanceof EnokiError ? error.code : String(error);
      },
    );
    await this.#time.run(this.#time.nowMs + WRITE_MS);
    return answer;
  }

  /** What a call answers, however long that takes. */
  async #call(
    client: ScenarioClient,
    name: string,
    operation: ScenarioOperation,
  ): Promise<string | undefined> {
    const time = this.#time;
    let isOver = false;
    const call = client.call(this.#node(name), operation).finally(() => (isOver = true));
    const answer = time.within(call, CALL_MS, true);
    await time.run(time.nowMs + CALL_MS, () => isOver);
    return (await answer) ?? "no answer";
  }

  #get(name: string, key: string): string {
    const { keygroup } = this.#node(name);
    if (!keygroup) return "there is no replica";
    const values = keygroup.siblings(key).map(({ bytes }) => utf8Text(bytes));
    const value = keygroup.get(key);
    if (!value) return "nothing";
    return values.length > 1 && value.tag === TAG.str ? values.join(" | ") : utf8Text(value.bytes);
  }

  #node(name: string): SimNode {
    const node = this.#nodes.get(name);
    if (!node) throw new Error(`there is no node ${name}`);
    return node;
  }
}

function text(value: string): { tag: typeof TAG.str; bytes: Uint8Array } {
  return { tag: TAG.str, bytes: utf8Bytes(value) };
}

/** Runs the commands of a scenario and returns it with the answers of now. */
export async function runScenario(source: string): Promise<string> {
  const scenario = new Scenario();
  const lines: string[] = [];
  for (const line of source.split("\n")) {
    if (line.startsWith("#") || line === "") lines.push(line);
    if (!line.startsWith("> ")) continue;
    lines.push(line);
    const answer = await scenario.run(line.slice(2).trim().split(/\s+/));
    if (answer !== undefined) lines.push(answer);
  }
  return lines.join("\n");
}
