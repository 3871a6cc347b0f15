import { createPrng } from "../base/prng.js";
import type { NodeName } from "../core/ids.js";
import { utf8Bytes } from "../core/text.js";
import type { ReplicationMetrics } from "../keygroups/replication/metrics.js";
import { Client } from "./clients/client.js";
import { keysOf } from "./clients/operations.js";
import { SimNaming } from "./cluster/naming.js";
import { Network } from "./cluster/network.js";
import type { FaultyParts } from "./cluster/node-parts.js";
import { SimNode } from "./cluster/node.js";
import { VirtualTime } from "./cluster/virtual-time.js";
import { Counts } from "./counts.js";
import { Faults } from "./faults.js";
import { Checker } from "./oracles/checker.js";
import { Violation } from "./oracles/context.js";
import type { Plan } from "./plan.js";
import { areLinked, farthest } from "./topology.js";
import { Trace } from "./trace.js";

/** What came of a run. */
export interface RunResult {
  readonly seed: number;
  /** What was broken; `undefined` if nothing was. */
  readonly violation: string | undefined;
  readonly counts: Counts;
  readonly traceHash: string;
  readonly trace: readonly string[] | undefined;
  readonly events: number;
  /** How long it took to become equal after the last fault. */
  readonly convergedMs: number | undefined;
}

/** How a run is watched, and what is faulty in it. */
export interface RunOptions {
  readonly keepsTrace?: boolean;
  readonly faulty?: FaultyParts;
}

/** How often a simulated cluster looks whether it has become equal. */
const LOOK_EVERY_MS = 100;
/** Heartbeats and waits are shorter than in a real node, so that a run sees more of them. */
const TIMING = {
  heartbeatIntervalMs: 100,
  heartbeatSpacingMs: 20,
  catchUpAfterMs: 150,
  catchUpTimeoutMs: 400,
  catchUpBackoffMs: 100,
};
/** When faults begin: everything has started. */
const BEGIN_MS = 150;

/** Runs one plan from its first moment to its end. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  const run = new Run(plan, options);
  let violation: string | undefined;
  try {
    await run.play();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const text = error instanceof Violation ? error.message : (error.stack ?? error.message);
    violation = `${text} (at ${run.time.nowMs.toFixed(1)} ms)`;
  }
  run.countHosts();
  const { counts, trace, time, convergedMs } = run;
  return {
    seed: plan.seed,
    violation,
    counts,
    traceHash: trace.hash,
    trace: trace.lines,
    events: time.eventsTotal,
    convergedMs,
  };
}

/** One simulated cluster with its clients, its faults and those who watch. */
class Run {
  readonly time = new VirtualTime();
  readonly counts = new Counts();
  readonly trace: Trace;
  convergedMs: number | undefined;
  readonly #plan: Plan;
  readonly #faulty: FaultyParts;
  readonly #random: ReturnType<typeof createPrng>;
  readonly #naming: SimNaming;
  readonly #network: Network;
  readonly #nodes: SimNode[] = [];
  readonly #checker: Checker;

  constructor(plan: Plan, { keepsTrace = false, faulty = {} }: RunOptions) {
    this.#plan = plan;
    this.#faulty = faulty;
    this.trace = new Trace(keepsTrace);
    this.#random = createPrng(plan.seed * 2 + 1);
    const { time } = this;
    const names = Array.from({ length: plan.nodes }, (_, at) => `n${at}` as NodeName);
    this.#network = new Network(
      { ...plan.network, isLinked: (left, right) => areLinked(plan.links, left, right) },
      {
        time,
        random: this.#fork(),
        events: {
          happened: this.#noted,
          delivered: (from, to, lane, payload) => {
            this.trace.add(time.nowMs, `${from} > ${to} ${lane} ${payload.length}`);
            this.trace.addBytes(payload);
          },
        },
      },
    );
    this.#naming = new SimNaming(names[0] as NodeName, { time, random: this.#fork() });
    this.#naming.lateMs = plan.recordLateMs;
    this.#checker = new Checker(
      {
        plan,
        time,
        naming: this.#naming,
        nodes: this.#nodes,
        keys: keysOf(plan).map(utf8Bytes),
        happened: this.#happened,
      },
      this.#network,
    );
    for (const [index, name] of names.entries()) this.#addNode(index, name);
    counted(this.counts, plan);
  }

  /** Starts everything, lets it suffer, mends it, and sees that all promises were kept. */
  async play(): Promise<void> {
    const { time } = this;
    const plan = this.#plan;
    for (const node of this.#nodes) node.start();
    this.#naming.publish();
    for (const { name } of this.#nodes.slice(1, plan.members)) this.#naming.join(name);
    const clients = Array.from({ length: plan.clients }, (_, id) => this.#addClient(id));
    await this.#until(BEGIN_MS);
    const faults = new Faults({
      plan,
      random: this.#fork(),
      time,
      network: this.#network,
      naming: this.#naming,
      nodes: this.#nodes,
      happened: this.#noted,
      crashed: (node, how) => this.#checker.crashed(node, how),
      removed: () => this.#checker.writes.reassess(),
    });
    await this.#until(plan.chaosMs);
    for (const client of clients) client.stop();
    faults.stop();
    const healedMs = time.nowMs;
    await this.#untilEqual();
    this.convergedMs = time.nowMs - healedMs;
    this.#checker.final();
    await this.#calm();
  }

  /** Adds up what those replicators have counted that still run. */
  countHosts(): void {
    for (const { replicator } of this.#nodes) if (replicator) this.#ended(replicator.metrics());
  }

  /** All is linked and at rest: bounds of staleness are tight then, and stay so while clients write. */
  async #calm(): Promise<void> {
    const { time } = this;
    const { heartbeatIntervalMs } = TIMING;
    const { roundTripMaxMs } = this.#network;
    const members = this.#nodes.filter(({ name }) => this.#naming.memberOf(name) !== undefined);
    const indexes = members.map(({ index }) => index);
    const { links } = this.#plan;
    const linksMax = Math.max(...indexes.map((index) => farthest(links, index, indexes)));
    await this.#until(time.nowMs + linksMax * (3 * heartbeatIntervalMs + roundTripMaxMs));
    // A round trip, two heartbeats, and the moments that turns and syncs take, for each link.
    const linkMs = roundTripMaxMs * 1.1 + 2 * heartbeatIntervalMs + 5;
    for (const node of members) {
      const slackMs = linkMs * farthest(links, node.index, indexes);
      this.#checker.bounded(node, node.replicator?.stalenessMs() ?? 0, slackMs);
    }
    if (this.#plan.calmMs === 0) return;
    const slackMs = linkMs * linksMax;
    const client = this.#addClient(this.#plan.clients, slackMs);
    await this.#until(time.nowMs + this.#plan.calmMs);
    client.stop();
    await this.#untilEqual();
    this.#checker.final();
  }

  async #until(untilMs: number): Promise<void> {
    await this.time.run(untilMs, () => this.#checker.violation !== undefined);
    if (this.#checker.violation) throw this.#checker.violation;
  }

  async #untilEqual(): Promise<void> {
    const { time } = this;
    const endMs = time.nowMs + this.#plan.healMs;
    for (;;) {
      await this.#until(time.nowMs + LOOK_EVERY_MS);
      const why = this.#checker.equality.whyNot();
      if (why === undefined) return;
      if (time.nowMs > endMs) throw new Violation(why);
    }
  }

  #addNode(index: number, name: NodeName): void {
    const plan = this.#plan;
    this.#network.addNode(name);
    const node = new SimNode({
      index,
      name,
      time: this.time,
      skewMs: Math.floor((this.#random.next() - 0.5) * 2 * plan.skewMaxMs),
      random: this.#fork(),
      network: this.#network,
      naming: this.#naming,
      config: plan.config,
      timing: {
        ...TIMING,
        chunkBudget: { keysMax: plan.chunkKeys, bytesMax: 200 },
        chunkWindow: plan.chunkWindow,
      },
      stagedBytesMax: plan.stagedBytesMax,
      heldUpdatesMax: plan.heldUpdatesMax,
      faulty: this.#faulty,
      events: {
        happened: (what, { name }) => {
          this.counts.add(what);
          this.trace.add(this.time.nowMs, `${what} ${name}`);
        },
        ended: this.#ended,
        wiped: (node) => this.#checker.wiped(node),
        opened: (node, opened) => this.#checker.opened(node, opened),
        transacted: (node, isCommitted) => this.#checker.transacted(node, isCommitted),
      },
    });
    this.#nodes.push(node);
  }

  /** Every fourth client has no session. */
  #addClient(id: number, slackMs?: number): Client {
    return new Client({
      id,
      hasSession: id % 4 !== 0,
      slackMs,
      random: this.#fork(),
      time: this.time,
      plan: this.#plan,
      nodes: this.#nodes,
      checker: this.#checker,
      faulty: this.#faulty,
      happened: this.#happened,
    });
  }

  readonly #happened = (what: string): void => this.counts.add(what);

  readonly #noted = (what: string): void => {
    this.counts.add(what);
    this.trace.add(this.time.nowMs, what);
  };

  readonly #ended = (metrics: ReplicationMetrics): void => {
    for (const [what, count] of Object.entries(metrics.counts)) {
      this.counts.add(`host.${what}`, count as number);
    }
  };

  #fork(): ReturnType<typeof createPrng> {
    return createPrng(this.#random.below(2 ** 32));
  }
}

function counted(counts: Counts, { config, network, links }: Plan): void {
  counts.add(`policy.${config.policy}`);
  counts.add(`durability.${config.durability}`);
  counts.add(`network.${network.mode}`);
  counts.add(`links.${links}`);
}
