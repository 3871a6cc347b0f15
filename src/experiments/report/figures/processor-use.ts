import { ms, percent } from "../../numbers.js";
import {
  PROCESSOR_USERS,
  processorUseOf,
  type ProcessorUse,
  type ProcessorUser,
} from "../../results/processor-use.js";
import type { PooledPoint, ResultSet } from "../../results/result-set.js";
import { heading, text, type Block } from "../blocks.js";

const TITLES: Readonly<Record<ProcessorUser, string>> = {
  node: "nodes",
  functions: "functions",
  network: "emulated network",
  clients: "clients",
};

/** Who used the processors while a figure was measured; nothing if that is not known. */
export function processorUse(results: ResultSet, figure: string): Block[] {
  const known = results
    .points(figure)
    .map((point) => [point.name, processorUseOf(point)] as const)
    .filter((row): row is readonly [string, ProcessorUse] => row[1] !== undefined);
  if (known.length === 0) return [];
  return [
    heading(3, "Where the processor time goes"),
    text(
      "Processor time for each request, with the share of its floors: of the daemons of all nodes, of the instances " +
        "of functions, of the emulated network and of the clients; and how much of all processors was in use.",
    ),
    {
      kind: "table",
      head: ["point", ...PROCESSOR_USERS.map((user) => TITLES[user]), "processors in use"],
      rows: known.map(([name, { perRequestMs, busyShare }]) => [
        name,
        ...PROCESSOR_USERS.map((user) => ms(perRequestMs[user])),
        percent(busyShare),
      ]),
    },
  ];
}

/** The same in a sentence, for one point: what a target that is missed fails at. */
export function processorUseText(point: PooledPoint | undefined): string {
  const use = point && processorUseOf(point);
  if (use === undefined) return "";
  const each = PROCESSOR_USERS.map((user) => `${TITLES[user]} ${ms(use.perRequestMs[user])}`);
  return `processor time of a request: ${each.join(", ")}; ${percent(use.busyShare)} of all in use`;
}
