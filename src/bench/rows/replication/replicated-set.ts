import { setTimeout as delay } from "node:timers/promises";

import { startEtcd } from "../../etcd.js";
import type { Resources } from "../../resources.js";
import type { Measurement } from "../../results.js";
import { functionFolder, startNode, type BenchNode } from "../../servers.js";
import { spreadOf, spreadOfRatios } from "../../statistics.js";
import { runWrk, type Load } from "../../wrk.js";
import type { ProfiledWork, ProfileStart, RowContext } from "../context.js";

const NAME = "set";
const NODES = ["a", "b", "c"] as const;
const SHARE_MIN = 0.6;
const POLL_MS = 5;
const CONVERGE_TIMEOUT_MS = 30_000;
const MARKER = "marker";

/** A node that stands alone, and three that share a keygroup. */
interface Setting {
  readonly alone: BenchNode;
  readonly cluster: Cluster;
}

interface Cluster {
  /** The one that is called. */
  readonly first: BenchNode;
  readonly others: readonly BenchNode[];
}

/** One round. */
interface Round {
  readonly alone: Load;
  readonly replicated: Load;
  /** From the last answer until the others had everything. */
  readonly behindMs: number;
}

/** A function that sets one value per call, on a node alone and on one of three that replicate. */
export async function measureReplicatedSet(context: RowContext): Promise<Measurement[]> {
  const { resources, warmUpS, runS } = context;
  const setting: Setting = {
    alone: await startNode(resources),
    cluster: await startCluster(resources),
  };
  const { alone, cluster } = setting;
  await alone.client.functions.deploy(NAME, functionFolder("bench/functions/set-js"), {
    isolation: "process",
  });
  for (const node of [alone, cluster.first]) await load(resources, node, warmUpS);
  await whenConverged(cluster, "warm");
  const rounds: Round[] = [];
  for (let round = 0; round < context.rounds; round++) {
    context.progress(`JS set, replicated: round ${round + 1} of ${context.rounds}`);
    const runs = {
      alone: () => load(resources, alone, runS),
      replicated: () => load(resources, cluster.first, runS),
    };
    const before = round % 2 === 0 ? await runs.alone() : undefined;
    const replicated = await runs.replicated();
    const behindMs = await whenConverged(cluster, `round ${round}`);
    rounds.push({ alone: before ?? (await runs.alone()), replicated, behindMs });
  }
  await Promise.all([alone, cluster.first, ...cluster.others].map((node) => node.stop()));
  return [measurementOf(rounds)];
}

/** The node that is called, under load, and one of those that follow. */
export async function profiledReplicatedSet(start: ProfileStart): Promise<ProfiledWork> {
  const { resources, profiler } = start;
  const cluster = await startCluster(resources, profiler);
  const [follower] = cluster.others as [BenchNode];
  return {
    title: "JS set, replicated to two, process",
    unit: "call",
    processes: [
      { role: "a", pid: cluster.first.pid },
      { role: "b", pid: follower.pid },
    ],
    async run(durationS) {
      const { requests, requestsPerS } = await load(resources, cluster.first, durationS);
      await whenConverged(cluster, String(requests));
      return { units: requests, perS: requestsPerS };
    },
    async stop() {
      for (const node of [...cluster.others, cluster.first]) await node.stop();
    },
  };
}

async function startCluster(
  resources: Resources,
  profiler: (role: string) => readonly string[] = () => [],
): Promise<Cluster> {
  const naming = await startEtcd(resources);
  const nodes: BenchNode[] = [];
  for (const name of NODES) {
    const flags = ["--name", name, "--naming", naming, "--link-port", "0"];
    nodes.push(await startNode(resources, { flags, execArgs: profiler(name) }));
  }
  const [first, ...others] = nodes as [BenchNode, ...BenchNode[]];
  // One after the other: who deploys joins, and has caught up when that is over.
  for (const node of nodes) {
    await node.client.functions.deploy(NAME, functionFolder("bench/functions/set-js"), {
      isolation: "process",
    });
  }
  const cluster = { first, others };
  await whenConverged(cluster, "deployed");
  return cluster;
}

async function load(resources: Resources, node: BenchNode, durationS: number): Promise<Load> {
  const url = `${node.functionsUrl}/${NAME}`;
  return await runWrk(resources, { url, shape: { method: "GET" }, durationS });
}

/** Waits until the others have all that was written before; resolves with how long that took, in ms. */
async function whenConverged({ first, others }: Cluster, marker: string): Promise<number> {
  const startMs = performance.now();
  await first.client.kv(NAME).set(MARKER, marker);
  for (const node of others) {
    while ((await read(node)) !== marker) {
      if (performance.now() - startMs > CONVERGE_TIMEOUT_MS) throw new Error("a follower is stuck");
      await delay(POLL_MS);
    }
  }
  return performance.now() - startMs;
}

/** `undefined` also while its replica does not serve yet. */
async function read({ client }: BenchNode): Promise<unknown> {
  return await client
    .kv(NAME)
    .get(MARKER)
    .catch(() => undefined);
}

function measurementOf(rounds: readonly Round[]): Measurement {
  const alone = rounds.map((round) => round.alone);
  const replicated = rounds.map((round) => round.replicated);
  const rates = (loads: readonly Load[]): number[] => loads.map((load) => load.requestsPerS);
  const behindMs = spreadOf(rounds.map((round) => round.behindMs));
  const failed = [...alone, ...replicated].reduce(
    (sum, load) => sum + load.refused + load.broken,
    0,
  );
  const shown = (loads: readonly Load[]): string =>
    Math.round(spreadOf(rates(loads)).median).toLocaleString("en-US");
  return {
    row: "replicated-set",
    title: "JS with one 100 B set, replicated to two more nodes",
    isolation: "process",
    unit: "× alone",
    value: spreadOfRatios(rates(replicated), rates(alone)),
    target: { atLeast: SHARE_MIN },
    ...(failed > 0 ? { invalid: `${failed} requests failed` } : {}),
    note:
      `${shown(replicated)} of ${shown(alone)} requests/s; ` +
      `the others had everything ${Math.round(behindMs.median)} ms after the last answer`,
    figures: { alone, replicated, behindMs },
  };
}
