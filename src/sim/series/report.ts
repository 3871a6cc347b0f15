import { MUST_HAPPEN, neverHappened } from "../coverage.js";
import type { SeedsSummary } from "./seeds.js";

/** What the counts of a report are about, by the beginning of their names. */
const GROUPS: readonly (readonly [title: string, prefixes: readonly string[]])[] = [
  ["Faults", ["fault.", "crash."]],
  ["Members", ["member.", "node.", "record.", "origin."]],
  ["Policies, durability, kinds of network", ["policy.", "durability.", "network."]],
  ["Links and messages", ["links.", "link.", "message."]],
  ["Updates, catch-ups, collection: the branches of the core", ["update.", "chunk.", "collect."]],
  ["What the hosts of replicas counted", ["host."]],
  ["Clients", ["client.", "session.", "local.", "remote.", "call.", "refused."]],
  ["What the oracles met", ["staleness.", "write."]],
];

/** The page that says which seeds were run, on what, and what happened in them. */
export function reportOf(summary: SeedsSummary, commit: string): string {
  const { first, runs, counts, failures, traceHash, eventsTotal, convergedMaxMs } = summary;
  const missing = neverHappened(counts);
  return `# What the simulator found

Made by \`npm run sim:report\`; nothing here is written by hand. What is simulated and checked:
[testing](internals/testing.md#the-simulator). How clusters grow: [sizes](sim-scale.md).

| | |
|---|---|
| seeds | ${first} to ${first + runs - 1} |
| commit | \`${commit}\` |
| failed | ${failures.length}${failures.map(({ seed }) => ` · ${seed}`).join("")} |
| must happen and never did | ${missing.length === 0 ? "nothing" : missing.join(", ")} |
| events | ${eventsTotal} |
| longest time from the last fault until all were equal | ${convergedMaxMs.toFixed(0)} ms of virtual time |
| hash of all traces | \`${traceHash}\` |

The same commit and seeds give the same hash on every machine, with any number of threads. How often each thing happened:

${GROUPS.map(([title, prefixes]) => tableOf(title, prefixes, summary)).join("\n\n")}
`;
}

function tableOf(title: string, prefixes: readonly string[], { counts }: SeedsSummary): string {
  const rows = counts
    .entriesWith(MUST_HAPPEN)
    .filter(([what]) => prefixes.some((prefix) => what.startsWith(prefix)))
    .map(([what, count]) => `| ${what} | ${count} |`);
  return [`## ${title}`, "", "| what | times |", "|---|---|", ...rows].join("\n");
}
