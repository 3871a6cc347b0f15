import { execFileSync } from "node:child_process";
import { neverHappened } from "./coverage.js";
import type { SeedsSummary } from "./seeds.js";

/** The page that says which seeds were run, on what, and what happened in them. */
export function reportOf(summary: SeedsSummary, scale: string): string {
  const { first, runs, counts, failures, traceHash, eventsTotal, convergedMaxMs } = summary;
  const missing = neverHappened(counts);
  const rows = counts
    .entries()
    .filter(([what]) => !/ n\d+$/.test(what))
    .map(([what, count]) => `| ${what} | ${count} |`);
  return `# What the simulator found

Made by \`npm run sim:report\`; nothing here is written by hand.

| | |
|---|---|
| seeds | ${first} to ${first + runs - 1} |
| commit | \`${commit()}\` |
| failed | ${failures.length}${failures.map(({ seed }) => ` · ${seed}`).join("")} |
| must happen and never did | ${missing.length === 0 ? "nothing" : missing.join(", ")} |
| events | ${eventsTotal} |
| longest time from the last fault until all were equal | ${convergedMaxMs} ms of virtual time |
| hash of all traces | \`${traceHash}\` |

The same commit and seeds give the same hash on every machine. How often each thing happened:

| what | times |
|---|---|
${rows.join("\n")}

## Where it bends

${scale}
`;
}

function commit(): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
  const isChanged = git("status", "--porcelain", "--", "src").length > 0;
  return git("rev-parse", "--short=12", "HEAD") + (isChanged ? " with changes" : "");
}
