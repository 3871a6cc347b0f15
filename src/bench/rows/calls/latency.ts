import type { Measurement } from "../../results.js";
import { startNode } from "../../servers.js";
import { median, percentileOf, spreadOf, spreadOfRatios } from "../../statistics.js";
import type { RowContext } from "../context.js";
import { CALLER, deployCaller, letWork, type CallerWork } from "./caller.js";

/** Pieces of work per run. */
const COUNT = { full: 2000, quick: 500 } as const;
const CALL_MAX = 0.5;
const SEND_MAX = 2;

/**
 * What a call of another function adds to the latency of its caller, against the same over the node's
 * HTTP port and one connection that stays open.
 */
export async function measureCall(context: RowContext): Promise<Measurement[]> {
  const node = await startNode(context.resources);
  await deployCaller(node);
  const run = (what: CallerWork["what"]) => letWork(node, { what, count: countOf(context) });
  const { calls, bases } = await alternate(
    context,
    "call",
    () => run("call"),
    () => run("gateway"),
  );
  await node.stop();
  return [
    {
      row: "call",
      title: "a call of a function by another on the node",
      isolation: "process",
      unit: "× gateway",
      value: spreadOfRatios(calls.map(median), bases.map(median)),
      target: { atMost: CALL_MAX },
      ...notesOf(calls, bases, "over HTTP"),
    },
  ];
}

/** How soon a send returns, against a set of as many bytes in the same keygroup. */
export async function measureSend(context: RowContext): Promise<Measurement[]> {
  const found: Measurement[] = [];
  for (const durability of ["relaxed", "strict"] as const) {
    const node = await startNode(context.resources);
    await deployCaller(node);
    await node.client.keygroups.configure(CALLER, { durability });
    const count = durability === "strict" ? countOf(context) / 4 : countOf(context);
    const run = (what: CallerWork["what"]) => letWork(node, { what, count });
    const { calls, bases } = await alternate(
      context,
      "send",
      () => run("send"),
      () => run("set"),
    );
    await node.stop();
    found.push({
      row: "send",
      title: `a send to a function on the node, ${durability}`,
      isolation: "process",
      unit: "× kv.set",
      value: spreadOfRatios(calls.map(median), bases.map(median)),
      target: { atMost: SEND_MAX },
      ...notesOf(calls, bases, "set"),
    });
  }
  return found;
}

function countOf({ isQuick }: RowContext): number {
  return isQuick ? COUNT.quick : COUNT.full;
}

/** Runs both in turn, after a run of each that does not count. */
async function alternate(
  { rounds, progress }: RowContext,
  title: string,
  call: () => Promise<number[]>,
  base: () => Promise<number[]>,
): Promise<{ readonly calls: readonly number[][]; readonly bases: readonly number[][] }> {
  await base();
  await call();
  const calls: number[][] = [];
  const bases: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`${title}: round ${round + 1} of ${rounds}`);
    if (round % 2 === 0) bases.push(await base());
    calls.push(await call());
    if (round % 2 === 1) bases.push(await base());
  }
  return { calls, bases };
}

function notesOf(
  calls: readonly (readonly number[])[],
  bases: readonly (readonly number[])[],
  base: string,
): Pick<Measurement, "note" | "figures"> {
  const figuresOf = (rounds: readonly (readonly number[])[]) => ({
    p50Ms: spreadOf(rounds.map(median)),
    p99Ms: spreadOf(rounds.map((tookMs) => percentileOf(tookMs, 0.99))),
  });
  const [own, other] = [figuresOf(calls), figuresOf(bases)];
  const shown = ({ p50Ms, p99Ms }: typeof own): string =>
    `p50 ${p50Ms.median.toFixed(3)} ms, p99 ${p99Ms.median.toFixed(2)} ms`;
  return {
    note: `${shown(own)}; ${base}: ${shown(other)}`,
    figures: { own, [base.replaceAll(" ", "")]: other },
  };
}
