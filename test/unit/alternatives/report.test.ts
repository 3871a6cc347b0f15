import { expect, test } from "vitest";

import { withMeasuredPart } from "../../../src/bench/report.js";
import {
  jsonReport,
  markdownReport,
  textReport,
  type PeersReport,
} from "../../../src/alternatives/report.js";
import { summaryOf } from "../../../src/alternatives/summary.js";
import { readPage } from "../../docs/pages.js";
import { MACHINE } from "../../helpers/measured-machine.js";

const answered = { requests: 9, p50Ms: 1.25, p99Ms: 4, refused: 0, broken: 0 };

const report: PeersReport = {
  machine: MACHINE,
  isQuick: false,
  rounds: 2,
  runS: 4,
  systems: [{ name: "workerd", versions: ["workerd 1.2.3"] }],
  works: [
    {
      work: "no-op",
      lanes: [
        {
          system: "enoki",
          title: "Enoki, process",
          durability: "relaxed",
          isolation: "a process of its own",
          loads: [
            { ...answered, requestsPerS: 2000 },
            { ...answered, requestsPerS: 3000 },
          ],
        },
        {
          system: "workerd",
          title: "workerd + Durable Object",
          durability: "relaxed",
          isolation: "an isolate",
          loads: [
            { ...answered, requestsPerS: 1000 },
            { ...answered, requestsPerS: 1000 },
          ],
        },
        {
          system: "restate",
          title: "Restate virtual object",
          durability: "strict",
          isolation: "a process of its own",
          loads: [{ ...answered, requestsPerS: 0, requests: 0 }],
        },
      ],
    },
  ],
  lags: [
    {
      system: "nats",
      title: "NATS",
      rounds: [{ startedMs: [1, 2, 3], acknowledgedMs: [-0.5, 0.5, 1] }],
    },
  ],
  absences: [
    { title: "Deno + Deno KV", reason: "deno could not be fetched from npm", isFailure: false },
    { title: "Restate, lag", reason: "it ended", isFailure: true },
  ],
};

test("targets come first, then a line for each contender, then lag, versions, conditions", () => {
  const lines = markdownReport(report).split("\n");
  expect(lines.filter((line) => line.startsWith("###"))).toEqual([
    "### Targets",
    "### No-op: answers `ok`",
    "### From a write at one node until a watcher at the other has it, in ms",
    "### What was measured",
  ]);
  for (const line of [
    "| no-op: Enoki, process | workerd + Durable Object | 2.50 (2.00 – 3.00) | ≥ 1.8 | holds |",
    "| Enoki, process | relaxed | a process of its own | 2,500 (2,000 – 3,000) | 1.25 ms | 4.00 ms |",
    "| NATS | 2.00 | 3.00 | 0.50 | 1.00 |",
    "| workerd + Durable Object | workerd 1.2.3 | Apache-2.0 |",
    "- left out: Deno + Deno KV: deno could not be fetched from npm",
    "- FAILED: Restate, lag: it ended",
  ]) {
    expect(lines).toContain(line);
  }
});

test("whoever gave no answer in a round is invalid", () => {
  expect(textReport(report)).toMatch(/Restate.*invalid: no answer in a whole round/);
});

test("the terminal shows the same cells", () => {
  expect(textReport(report)).toMatch(/no-op: Enoki, process +workerd .* 2\.50 .* holds/);
});

test("programs get every round and what it says of the targets", () => {
  const found = JSON.parse(jsonReport(report)) as {
    comparisons: { verdict: string }[];
    works: { lanes: { loads: unknown[] }[] }[];
  };
  expect(found.comparisons.map(({ verdict }) => verdict)).toEqual(["holds"]);
  expect(found.works[0]?.lanes[0]?.loads).toHaveLength(2);
});

test("the front page gets the medians, and a dash for what counts for nothing", () => {
  const lines = summaryOf(report).split("\n");
  expect(lines.slice(0, 5)).toEqual([
    "| requests/s | durability | no-op |",
    "| --- | --- | --- |",
    "| Enoki, process | relaxed | 2,500 |",
    "| workerd + Durable Object | relaxed | 1,000 |",
    "| Restate virtual object | strict | – |",
  ]);
  expect(lines).toContain(
    "From the start of a write at one node until the other one shows it, median: NATS 2.00 ms.",
  );
});

test.each(["docs/peers.md", "README.md"])("%s has a place for the tables", async (path) => {
  const page = await readPage(path);
  expect(withMeasuredPart(page, "| x |", "peers")).toContain("| x |");
});
