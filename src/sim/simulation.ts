import { createPrng } from "../base/prng.js";
import type { NodeName } from "../core/ids.js";
import { utf8Bytes } from "../core/text.js";
import type { ReplicationMetrics } from "../keygroups/replication/metrics.js";
import { Checker, Violation } from "./checker.js";
import { Client, keysOf } from "./clients.js";
import { Counts } from "./counts.js";
import { Faults } from "./faults.js";
import { SimNaming } from "./naming.js";
import { Network } from "./network.js";
import { SimNode, type FaultyParts } from "./node.js";
import type { Plan } from "./plan.js";
import { Trace } from "./trace.js";
import { VirtualTime } from "./virtual-time.js";

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

/** Runs one plan from its first moment to its end. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  const time = new VirtualTime();
  const trace = new Trace(options.keepsTrace === true);
  const counts = new Counts();
  const happened = (what: string): void => counts.add(what);
  const noted = (what: string): void => {
    counts.add(what);
    trace.add(time.nowMs, what);
  };
  const ended = (metrics: ReplicationMetrics): void => {
    for (const [what, count] of Object.entries(metrics.counts)) counts.add(`host.${what}`, count);
  };
  const random = createPrng(plan.seed * 2 + 1);
  const fork = (): ReturnType<typeof createPrng> => createPrng(random.below(2 ** 32));
  const names = Array.from({ length: plan.nodes }, (_, at) => `n${at}` as NodeName);
  const network = new Network(
    { ...plan.network, isLinked: () => true },
    {
      time,
      random: fork(),
      events: {
        happened: noted,
        delivered: (from, to, lane, payload) => {
          trace.add(time.nowMs, `${from} > ${to} ${lane} ${payload.length}`);
          trace.addBytes(payload);
        },
      },
    },
  );
  const naming = new SimNaming(names[0] as NodeName, { time, random: fork() });
  naming.lateMs = plan.recordLateMs;
  const nodes: SimNode[] = [];
  const keys = keysOf(plan).map(utf8Bytes);
  const checker = new Checker({ plan, time, naming, nodes, keys, happened });
  for (const [index, name] of names.entries()) {
    network.addNode(name);
    const skewMs = Math.floor((random.next() - 0.5) * 2 * plan.skewMaxMs);
    nodes.push(
      new SimNode({
        index,
        name,
        time,
        random: fork(),
        network,
        naming,
        config: plan.config,
        timing: {
          ...TIMING,
          chunkBudget: { keysMax: plan.chunkKeys, bytesMax: 200 },
          chunkWindow: plan.chunkWindow,
        },
        skewMs,
        stagedBytesMax: plan.stagedBytesMax,
        faulty: options.faulty ?? {},
        events: {
          happened: (what, node) => {
            counts.add(what);
            trace.add(time.nowMs, `${what} ${node.name}`);
          },
          ended,
          wiped: (node) => checker.wiped(node),
          opened: (node, opened) => checker.opened(node, opened),
          transacted: (node, isCommitted) => checker.transacted(node, isCommitted),
        },
      }),
    );
  }
  counts.add(`policy.${plan.config.policy}`);
  counts.add(`durability.${plan.config.durability}`);
  counts.add(`network.${plan.network.mode}`);
  let convergedMs: number | undefined;
  let violation: string | undefined;
  try {
    for (const node of nodes) node.start();
    naming.publish();
    for (const name of names.slice(1, plan.members)) naming.join(name);
    const clients = Array.from({ length: plan.clients }, (_, id) => {
      return new Client({ id, random: fork(), time, plan, nodes, checker, happened });
    });
    const isBroken = (): boolean => checker.violation !== undefined;
    await time.run(150, isBroken);
    const faults = new Faults({
      plan,
      random: fork(),
      time,
      network,
      naming,
      nodes,
      happened: noted,
      crashed: (node, how) => checker.crashed(node, how),
      removed: () => checker.reassess(),
    });
    await time.run(plan.chaosMs, isBroken);
    for (const client of clients) client.stop();
    faults.stop();
    const healedMs = time.nowMs;
    for (;;) {
      await time.run(time.nowMs + LOOK_EVERY_MS, isBroken);
      if (checker.violation) throw checker.violation;
      const why = checker.whyNotEqual();
      if (why === undefined) break;
      if (time.nowMs - healedMs > plan.healMs) throw new Violation(why);
    }
    convergedMs = time.nowMs - healedMs;
    checker.final();
    await time.run(time.nowMs + 3 * TIMING.heartbeatIntervalMs + network.roundTripMaxMs, isBroken);
    if (checker.violation) throw checker.violation;
    // A round trip, two heartbeats, and the moments that turns take.
    const allowedMs = network.roundTripMaxMs * 1.1 + 2 * TIMING.heartbeatIntervalMs + 5;
    for (const node of nodes) {
      const isMember = naming.memberOf(node.name) !== undefined;
      if (isMember) checker.boundedTightly(node, node.replicator?.stalenessMs() ?? 0, allowedMs);
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const text = error instanceof Violation ? error.message : (error.stack ?? error.message);
    violation = `${text} (at ${time.nowMs.toFixed(1)} ms)`;
  }
  for (const { replicator } of nodes) if (replicator) ended(replicator.metrics());
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
