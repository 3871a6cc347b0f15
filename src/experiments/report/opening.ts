import type { Machine } from "../../bench/machine.js";
import { count } from "../numbers.js";
import { DEVIATIONS } from "../paper/deviations.js";
import { STATEMENTS } from "../paper/statements.js";
import type { Scale } from "../results/point.js";
import type { ResultSet } from "../results/result-set.js";
import { heading, NOTHING, text, type Block, type Table } from "./blocks.js";
import { missedTargets } from "./missed-targets.js";
import { profilesSection, type ProfileRow } from "./profiles.js";
import { targetsOf, type TargetRow } from "./targets.js";

/** What was measured where, when and how much of it. */
export interface Conditions {
  readonly scale: Scale;
  readonly machine: Machine | undefined;
  readonly expectedTotal: number;
  readonly missing: readonly string[];
  readonly broken: readonly string[];
  /** Targets against other systems; none if they were not measured. */
  readonly peersTargets: readonly TargetRow[];
  /** Profiles that the project keeps. */
  readonly profiles: readonly ProfileRow[];
}

const SCALE_TEXT: Readonly<Record<Scale, string>> = {
  tiny: "**Tiny points, to try the code: no figure below means anything.**",
  short:
    "Shorter times per point than in the paper; other parameters as there, but for those that the figures name.",
  full: "Times as in the paper.",
};
const MISSING_SHOWN = 12;
/** Others may use so much of the machine before the figures mean little. */
const BUSY_SHARE_MAX = 0.1;

/** What the report begins with: conditions, the paper's statements, the targets, the prototype's own runs. */
export function opening(results: ResultSet, conditions: Conditions): Block[] {
  const targets = targetsOf(results);
  return [
    heading(1, "The experiments of the Enoki paper, repeated"),
    { kind: "list", items: conditionsOf(results, conditions) },
    heading(2, "Statements of the paper"),
    text(
      "Every statement of the paper's result sections and of the texts below its figures: the number that the paper or " +
        "the prototype's runs give, ours, whether the statement holds for ours, and why.",
    ),
    statementsTable(results),
    heading(2, "Targets of this project"),
    text(
      "Beyond the network: less the median of a bare echo of the same size over the same links in the same run. " +
        "What is compared with other systems is measured by `npm run peers`" +
        (conditions.peersTargets.length > 0 ? " and stands first." : "."),
    ),
    targetsTable([...conditions.peersTargets, ...targets]),
    ...missedTargets(targets),
    ...profilesSection(conditions.profiles),
    heading(2, "Where the prototype's runs differ from the paper"),
    deviationsTable(),
  ];
}

/** How numbers were made of samples. */
export function method(): Block[] {
  return [
    heading(2, "Method"),
    {
      kind: "list",
      items: [
        "Repeats of a point are pooled. Samples in the first and last seconds of a load are left out, as each point says (`cutS`); floors are not cut.",
        "A request without a 2xx answer is counted as an error and is in no latency, and in no throughput.",
        "Open load: latency counts from when a request was due, also if it was sent late. Closed load: from when it began.",
        "Quantiles are those of nearest rank. Intervals of quantiles: 95 %, by a bootstrap in two steps (repeats are drawn, then the requests of each), 400 times, from a fixed seed.",
        "Throughput: requests that ended within the window, by its length (up to the last answer, where the median request takes more than a tenth of the window); the mean of the repeats with Student's interval of 95 %.",
        "The published numbers are percentiles of the prototype's raw data (Figure 3) and points of its plots (Figures 4, 6, 8), each of one repeat.",
      ],
    },
  ];
}

function conditionsOf(results: ResultSet, conditions: Conditions): string[] {
  const { scale, machine, expectedTotal, missing, broken } = conditions;
  const items = [SCALE_TEXT[scale].replaceAll("**", "")];
  if (machine !== undefined) {
    items.push(
      `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.kernel}; Node ${machine.node}, ` +
        `Python ${machine.python}; nodes, naming service and clients share it.`,
    );
    if (machine.busyShare > BUSY_SHARE_MAX) {
      const percent = Math.round(machine.busyShare * 100);
      items.push(`Others used ${percent} % of the processors just before: the figures are rough.`);
    }
  }
  if (results.period !== undefined) {
    const [first, last] = results.period.map((time) => time.slice(0, 16).replace("T", " "));
    items.push(`Measured from ${first} to ${last} UTC, commit ${results.commits.join(", ")}.`);
    const networks = results.networks.map((network) => NETWORK_TEXT[network] ?? network);
    items.push(`The network: ${networks.join(", and ")}.`);
  }
  if (results.commits.length > 1) {
    items.push("Not all points are of one commit: `--again` measures them anew.");
  }
  const there = expectedTotal - missing.length;
  items.push(`${count(there)} of ${count(expectedTotal)} points, repeats included, are measured.`);
  if (missing.length > 0) {
    const more =
      missing.length > MISSING_SHOWN ? `, and ${missing.length - MISSING_SHOWN} more` : "";
    items.push(`Not measured: ${missing.slice(0, MISSING_SHOWN).join(", ")}${more}.`);
  }
  return [...items, ...broken.map((why) => `Left out: ${why}.`)];
}

const NETWORK_TEXT: Readonly<Record<string, string>> = {
  netem: "namespaces with netem of the kernel",
  emulator: "this project's emulator of links on loopback (delay, rate, handshake)",
};

function statementsTable(results: ResultSet): Table {
  return {
    kind: "table",
    head: ["where", "the paper says", "paper", "ours", "", "why"],
    texts: ["the paper says", "paper", "ours", "", "why"],
    rows: STATEMENTS.map((statement) => {
      const { place, says, paper, elsewhere } = statement;
      const found = statement.find(results);
      if (elsewhere !== undefined) return [place, says, paper, NOTHING, "not here", elsewhere];
      if (found === undefined) return [place, says, paper, NOTHING, "not measured", ""];
      return [place, says, paper, found.ours, found.holds ? "holds" : "DOES NOT HOLD", found.why];
    }),
  };
}

function targetsTable(targets: readonly TargetRow[]): Table {
  return {
    kind: "table",
    head: ["work", "target", "ours", "", "where the time goes"],
    texts: ["target", "ours", "", "where the time goes"],
    rows: targets.map(({ work, target, reached }) =>
      reached === undefined
        ? [work, target, NOTHING, "not measured", ""]
        : [work, target, reached.ours, reached.holds ? "holds" : "MISSES", reached.profile ?? ""],
    ),
  };
}

function deviationsTable(): Table {
  return {
    kind: "table",
    head: ["figure", "the paper says", "the runs", "here"],
    texts: ["the paper says", "the runs", "here"],
    rows: DEVIATIONS.map(({ figure, paper, runs, here }) => [figure, paper, runs, here]),
  };
}
