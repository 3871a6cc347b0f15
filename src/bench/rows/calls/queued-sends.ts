import { setTimeout as delay } from "node:timers/promises";

import { hasEtcd, startEtcd } from "../../etcd.js";
import type { Measurement } from "../../results.js";
import { startNode, type BenchNode } from "../../servers.js";
import { spreadOf, spreadOfRatios } from "../../statistics.js";
import { runWrk } from "../../wrk.js";
import type { RowContext } from "../context.js";
import { deployCaller, letWork, TARGET } from "./caller.js";

const SENDS = { full: 10_000, quick: 2000 } as const;
const SHARE_MIN = 0.15;
const WIDTH = 64;
/** Each look costs the node about as much as a delivery. */
const POLL_MS = 25;
const TIMEOUT_MS = 120_000;

/** One round. */
interface Round {
  readonly perS: number;
  readonly ceilingPerS: number;
  /** From the moment that the node is ready again to the first delivery. */
  readonly firstMs: number;
  /** Runs beyond one per send. */
  readonly repeats: number;
}

/** How fast a node gets what was sent to its function while it was away. */
export async function measureQueuedSends(context: RowContext): Promise<Measurement[]> {
  const { resources, progress } = context;
  if (!hasEtcd()) {
    progress("queued-sends: left out, etcd is missing; npm run setup installs it");
    return [];
  }
  const naming = await startEtcd(resources);
  const flagsOf = (name: string) => ["--name", name, "--naming", naming, "--link-port", "0"];
  const sender = await startNode(resources, { flags: flagsOf("sender") });
  let receiver = await startNode(resources, { flags: flagsOf("receiver") });
  await deployCaller(sender, receiver);
  await whenKnown(sender);
  const count = context.isQuick ? SENDS.quick : SENDS.full;
  const rounds: Round[] = [];
  for (let round = 0; round < context.rounds; round++) {
    progress(`queued sends: round ${round + 1} of ${context.rounds}`);
    const shape = { method: "GET" } as const;
    const url = context.ceilingUrl;
    const ceiling = await runWrk(resources, { url, shape, durationS: context.runS });
    const { dataDir } = receiver;
    await receiver.stop();
    await letWork(sender, { what: "send", count, width: WIDTH });
    receiver = await startNode(resources, { flags: flagsOf("receiver"), dataDir });
    rounds.push({ ...(await received(receiver, count)), ceilingPerS: ceiling.requestsPerS });
    await whenEmpty(sender);
  }
  const lost = (await sender.client.invocations.list({ state: "dead" })).length;
  await sender.stop();
  await receiver.stop();
  return [measurementOf(rounds, count, lost)];
}

/** Waits until the receiver's function has run so often; the rate is that from the first run on. */
async function received(
  receiver: BenchNode,
  count: number,
): Promise<Pick<Round, "perS" | "firstMs" | "repeats">> {
  const startMs = performance.now();
  let first: { readonly atMs: number; readonly total: number } | undefined;
  for (;;) {
    const { status } = await receiver.client.functions.get(TARGET);
    const total = status.invocationsTotal;
    const nowMs = performance.now();
    if (total > 0) first ??= { atMs: nowMs, total };
    if (first && total >= count) {
      const tookS = (nowMs - first.atMs) / 1000;
      const perS = (count - first.total) / tookS;
      return { perS, firstMs: first.atMs - startMs, repeats: total - count };
    }
    if (nowMs - startMs > TIMEOUT_MS) throw new Error(`${total} of ${count} sends were delivered`);
    await delay(POLL_MS);
  }
}

async function whenKnown(sender: BenchNode): Promise<void> {
  for (;;) {
    const isKnown = await letWork(sender, { what: "call", count: 1 }).then(
      () => true,
      () => false,
    );
    if (isKnown) return;
    await delay(POLL_MS);
  }
}

/** Waits until the sender knows the end of everything. */
async function whenEmpty({ client }: BenchNode): Promise<void> {
  for (const state of ["queued", "running"] as const) {
    while ((await client.invocations.list({ state })).length > 0) await delay(POLL_MS);
  }
}

function measurementOf(rounds: readonly Round[], count: number, lost: number): Measurement {
  const perS = rounds.map((round) => round.perS);
  const ceilings = rounds.map((round) => round.ceilingPerS);
  const firstMs = spreadOf(rounds.map((round) => round.firstMs));
  const repeats = rounds.reduce((sum, round) => sum + round.repeats, 0);
  const shown = Math.round(spreadOf(perS).median).toLocaleString("en-US");
  return {
    row: "queued-sends",
    title: `${count.toLocaleString("en-US")} sends to a node that was away`,
    isolation: "process",
    unit: "× ceiling",
    value: spreadOfRatios(perS, ceilings),
    target: { atLeast: SHARE_MIN },
    ...(lost > 0 ? { invalid: `${lost} were given up` } : {}),
    note: `all delivered, ${shown}/s; the first ${Math.round(firstMs.median)} ms after the node was ready, ${repeats} ran twice`,
    figures: { rounds },
  };
}
