import { setTimeout as delay } from "node:timers/promises";

import { packageFile } from "../installation/package-files.js";
import { connect, type Client } from "../client/index.js";
import { parseKeygroupName } from "../core/ids.js";
import { loadConfig } from "../node/config.js";
import { serve, type ServingNode } from "../node/serve.js";
import { loadReadings, type Reading } from "./readings.js";
import { Relay } from "./relay.js";
import { percentile, printTable } from "./table.js";
import { WriteLog } from "./write-log.js";

/** The function, and so the keygroup. */
const FUNCTION = "stations";
const NODES = ["cloud", "edge1", "edge2"] as const;
type NodeName = (typeof NODES)[number];
/** Each has a weather station, whose readings the function there takes. */
const EDGES = ["edge1", "edge2"] as const;
type EdgeName = (typeof EDGES)[number];

/** Readings of each edge in each phase, and the time from one to the next. */
const READINGS = 60;
const PAUSE_MS = 15;
const CONVERGE_TIMEOUT_MS = 20_000;
const POLL_MS = 10;

/** What the function answers. */
interface Stations {
  readonly readings: number;
  readonly stations: Readonly<Partial<Record<EdgeName, { readonly day: number }>>>;
}

/** What the reads of one phase saw. */
interface Phase {
  readonly name: string;
  readonly written: number;
  /** What each node had counted at the end. */
  readonly counted: Readonly<Record<NodeName, number>>;
  readonly measuredMs: readonly number[];
  readonly boundsMs: readonly number[];
}

/**
 * Three nodes over real links that run through relays, so that they can be cut: both edges write all
 * the time, all nodes read. Fails if a read was staler than the node said, or if the nodes do not
 * end with the same data.
 */
export async function showThreeNodes(dataDir: string): Promise<void> {
  const nodes = await ThreeNodes.start(dataDir);
  try {
    await nodes.deploy();
    const phases = [await nodes.phase("linked", true)];
    nodes.cut();
    phases.push(await nodes.phase("all cut", false));
    const healedMs = await nodes.heal();
    phases.push(await nodes.phase("healed", true));
    printPhases(phases);
    await nodes.check();
    console.log(
      `\nWhat both edges wrote meanwhile was on all nodes ${Math.round(healedMs)} ms after the links could be had again.\n` +
        "In the end all three hold the same, and no read was staler than its node had stated.",
    );
  } finally {
    await nodes.close();
  }
}

class ThreeNodes {
  readonly #serving: ServingNode;
  readonly #relays: ReadonlyMap<string, Relay>;
  readonly #clients: Readonly<Record<NodeName, Client>>;
  readonly #readings: readonly Reading[];
  readonly #logs: Readonly<Record<EdgeName, WriteLog>> = {
    edge1: new WriteLog(),
    edge2: new WriteLog(),
  };

  private constructor(
    serving: ServingNode,
    relays: ReadonlyMap<string, Relay>,
    readings: readonly Reading[],
  ) {
    this.#serving = serving;
    this.#relays = relays;
    this.#readings = readings;
    const clients = (serving.ready.nodes ?? []).map((node) => [
      node.name,
      connect(node.admin ?? ""),
    ]);
    this.#clients = Object.fromEntries(clients) as Record<NodeName, Client>;
  }

  static async start(dataDir: string): Promise<ThreeNodes> {
    const readings = await loadReadings(packageFile("examples/weather/seattle-weather.csv"));
    const config = await loadConfig({
      flags: { nodes: NODES.join(","), dataDir, functionPort: "0", adminPort: "0" },
      env: {},
      readFile: () => Promise.reject(new Error("the demo has no configuration file")),
    });
    const linkPorts = new Map<string, number | undefined>();
    const relays = new Map<string, Relay>();
    for (const node of NODES) relays.set(node, await Relay.open(() => linkPorts.get(node)));
    const serving = await serve(config, {
      log: { write: () => {} },
      linkAddress: (node) => relays.get(node)?.address,
    });
    for (const { settings, cluster } of serving.nodes) {
      linkPorts.set(settings.name, cluster?.links.port);
    }
    console.log(`\nThree nodes with links between them: ${NODES.join(", ")}`);
    return new ThreeNodes(serving, relays, readings);
  }

  async deploy(): Promise<void> {
    for (const node of NODES) {
      const startMs = performance.now();
      await this.#clients[node].functions.deploy(FUNCTION, packageFile(`examples/${FUNCTION}`));
      console.log(
        `  deployed ${FUNCTION} on ${node} in ${Math.round(performance.now() - startMs)} ms`,
      );
    }
    await this.#whenBounded();
    console.log(`\nBoth edges write a reading every ${PAUSE_MS} ms, all nodes read`);
  }

  /** Until each node has heard of both others how far they are, it cannot say how stale a read may be. */
  async #whenBounded(): Promise<void> {
    const endMs = performance.now() + CONVERGE_TIMEOUT_MS;
    while (NODES.some((node) => this.#boundMs(node) === Infinity)) {
      if (performance.now() > endMs)
        throw new Error("the nodes did not hear of each other in time");
      await delay(POLL_MS);
    }
  }

  cut(): void {
    for (const relay of this.#relays.values()) relay.cut();
  }

  /** Returns how long it took until all nodes had everything. */
  async heal(): Promise<number> {
    const startMs = performance.now();
    for (const relay of this.#relays.values()) relay.heal();
    await this.whenConverged();
    return performance.now() - startMs;
  }

  /** Lets both edges write and all nodes read; then counts, over links once all have everything. */
  async phase(name: string, isLinked: boolean): Promise<Phase> {
    const before = this.#written;
    const reads = { measuredMs: [] as number[], boundsMs: [] as number[] };
    const end = new AbortController();
    const readers = NODES.map((node) => this.#read(node, reads, end.signal));
    await Promise.all(EDGES.map((edge) => this.#write(edge)));
    end.abort();
    await Promise.all(readers);
    if (isLinked) await this.whenConverged();
    const counted = { cloud: 0, edge1: 0, edge2: 0 };
    for (const node of NODES) counted[node] = (await this.#ask(node)).readings;
    return { name, written: this.#written - before, counted, ...reads };
  }

  async whenConverged(): Promise<void> {
    const endMs = performance.now() + CONVERGE_TIMEOUT_MS;
    for (const node of NODES) {
      while ((await this.#ask(node)).readings !== this.#written) {
        if (performance.now() > endMs) throw new Error(`${node} did not get everything in time`);
        await delay(POLL_MS);
      }
    }
  }

  /** @throws Error if the nodes hold different data */
  async check(): Promise<void> {
    const stores: string[] = [];
    for (const node of NODES) {
      const items: unknown[] = [];
      for await (const item of this.#clients[node].kv(FUNCTION).scan()) items.push(item);
      stores.push(JSON.stringify(items));
    }
    if (new Set(stores).size !== 1) throw new Error(`the nodes differ: ${stores.join("\n")}`);
  }

  async close(): Promise<void> {
    await this.#serving.close();
    for (const relay of this.#relays.values()) await relay.close();
  }

  get #written(): number {
    return EDGES.reduce((sum, edge) => sum + this.#logs[edge].size, 0);
  }

  async #write(edge: EdgeName): Promise<void> {
    const log = this.#logs[edge];
    for (let i = 0; i < READINGS; i++) {
      const day = log.size + 1;
      const celsius = this.#readings[day]?.temperatureMaxC ?? 0;
      await this.#clients[edge].call(FUNCTION, { station: edge, day, celsius });
      log.acknowledged(performance.now());
      await delay(PAUSE_MS);
    }
  }

  async #read(
    node: NodeName,
    reads: { readonly measuredMs: number[]; readonly boundsMs: number[] },
    end: AbortSignal,
  ): Promise<void> {
    while (!end.aborted) {
      // why before: what was overwritten while the read was under way, the read may have shown.
      const readMs = performance.now();
      const boundMs = this.#boundMs(node);
      const { stations } = await this.#ask(node);
      const measuredMs = EDGES.map((edge) =>
        this.#logs[edge].stalenessMs(stations[edge]?.day ?? 0, readMs),
      );
      const stalestMs = Math.max(...measuredMs);
      reads.measuredMs.push(stalestMs);
      reads.boundsMs.push(boundMs);
      if (stalestMs > boundMs) throw new Error(`a read at ${node} was staler than it said`);
      await delay(POLL_MS);
    }
  }

  /** What a node knows. */
  async #ask(node: NodeName): Promise<Stations> {
    return (await this.#clients[node].call(FUNCTION)).json<Stations>();
  }

  /** How stale reads at a node may be by its own word: `enoki_staleness_bound_seconds`. */
  #boundMs(node: NodeName): number {
    const running = this.#serving.nodes.find(({ settings }) => settings.name === node);
    return running?.replicatorOf(parseKeygroupName(FUNCTION))?.stalenessMs() ?? Infinity;
  }
}

function printPhases(phases: readonly Phase[]): void {
  const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
  printTable(
    [
      "links",
      "written",
      "at cloud",
      "edge1",
      "edge2",
      "staleness p50",
      "max",
      "stated bound p50",
      "max",
    ],
    phases.map(({ name, written, counted, measuredMs, boundsMs }) => [
      name,
      String(written),
      ...NODES.map((node) => String(counted[node])),
      ...[measuredMs, boundsMs].flatMap((values) => [
        ms(percentile(values, 0.5)),
        ms(Math.max(...values)),
      ]),
    ]),
  );
}
