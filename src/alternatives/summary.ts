import { formatNumber, markdownRows } from "../bench/report.js";
import { median } from "../bench/statistics.js";
import type { PeersReport } from "./report.js";
import type { Lane } from "./results.js";
import { lagSpreads, problemOf, ratesOf } from "./targets.js";
import type { Work } from "./work.js";

const HEADINGS: Readonly<Record<Work, string>> = {
  "no-op": "no-op",
  average: "moving average",
  "read-1kb": "read 1 KB",
  "read-1mb": "read 1 MB",
};

/** One table of all systems for the front page: medians only, in requests a second. */
export function summaryOf({ works, lags, machine }: PeersReport): string {
  const names = [...new Set(works.flatMap(({ lanes }) => lanes.map(nameOf)))];
  const rows = names.map((name) => {
    const cells = works.map(({ lanes }) => {
      const lane = lanes.find((one) => nameOf(one) === name);
      return lane === undefined || problemOf(lane) !== undefined
        ? "–"
        : formatNumber(median(ratesOf(lane)), 0);
    });
    const [title, durability] = name.split("\n") as [string, string];
    return [title, durability, ...cells];
  });
  const headings = ["requests/s", "durability", ...works.map(({ work }) => HEADINGS[work])];
  const seen = lags.map(
    (lag) => `${lag.title} ${formatNumber(lagSpreads(lag, "startedMs").p50.median, 2)} ms`,
  );
  return [
    ...markdownRows(headings, rows),
    "",
    `From the start of a write at one node until the other one shows it, median: ${seen.join("; ")}.`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.connections} connections; ${machine.date}, commit ${machine.commit}.`,
  ].join("\n");
}

/** What a row is about: the same system may be there with several durabilities. */
function nameOf({ title, durability }: Lane): string {
  return `${title}\n${durability}`;
}
